"""Whether the topics behind a group have changed, for the groups that the coordinator assigns."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage, TopicImage
    from kafkapy_wire.uuid import Uuid

NO_TOPICS_HASH = 0
NAMES_LENGTH_MAX = 2_500_000
"""Characters of the topic names of one member: those of 10,000 topics, which have 249 at most."""


TOPICS_MAX = 20_000
"""Different topics that the members of a group name: a few ten milliseconds of work with each change."""


def refuse_too_many_topics(named: Mapping[str, int], topics: AbstractSet[str]) -> None:
    """`named`: by all members; `topics`: by one of them from now on. Raises KafkaError(INVALID_REQUEST)."""
    if len(named) + len(topics - named.keys()) > TOPICS_MAX:
        message = f"The members of the group name more than {TOPICS_MAX} different topics."
        raise KafkaError(ErrorCode.INVALID_REQUEST, message)


def refuse_too_long_names(names: Sequence[str] | None) -> None:
    """Names that no topic can have, and many of them, take long to store, and the log would not take them.

    Raises KafkaError(UNKNOWN_SERVER_ERROR), as Apache Kafka does when the log refuses the member's record.
    """
    if names is not None and sum(map(len, names)) > NAMES_LENGTH_MAX:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "The names of the subscribed topics are too long.")


def metadata_hash(topics: Iterable[str], image: MetadataImage) -> int:
    """A number that changes when one of the topics is created, deleted, or gets partitions.

    Differs: Apache Kafka hashes by XXH3 and includes racks. A group that moves between the two is assigned anew once.
    """
    digest = blake2b(digest_size=8)
    found = [image.topics[topic] for topic in sorted([topic for topic in topics if topic in image.topics])]
    if not found:
        return NO_TOPICS_HASH
    for topic in found:
        digest.update(_identity(topic))
    return int.from_bytes(digest.digest(), signed=True)


def _identity(topic: TopicImage) -> bytes:
    return topic.topic_id + len(topic.partitions).to_bytes(4)


def changed_topics(delta: MetadataDelta) -> set[str]:
    """The names of topics that were created, deleted, or have changed partitions."""
    changed = {*delta.created_topics, *(topic.name for topic in delta.deleted_topics)}
    return changed | {topic for topic, _ in delta.changed_partitions}


def topic_ids(topics: Iterable[str], image: MetadataImage) -> frozenset[Uuid]:
    """The ids of those that exist."""
    return frozenset(image.topics[topic].topic_id for topic in topics if topic in image.topics)
