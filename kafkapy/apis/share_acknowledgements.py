"""Acknowledgements of records, as ShareFetch and ShareAcknowledge carry them.

Errors of one partition:
        INVALID_REQUEST             batches that end before they begin, overlap, or are not in order; another number of
                                    types than of records; an unknown type; RENEW without is_renew_ack
        INVALID_RECORD_STATE        the member has not acquired the records, or not any more
        UNKNOWN_TOPIC_ID
        UNKNOWN_TOPIC_OR_PARTITION  no such partition, or no member of the group has fetched of it here
        NOT_LEADER_OR_FOLLOWER      another broker leads the partition, or the group's offsets were altered
        COORDINATOR_NOT_AVAILABLE   the state could not be stored
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.pending import Pending, all_of, attempt, settled
from kafkapy.sharing.acknowledging import AcknowledgementBatch, AcknowledgeType
from kafkapy.sharing.sessions import WantedPartition
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.uuid import Uuid

FIRST_VERSION_WITH_RENEW: Final = 2
MEMBER_ID_CHARACTERS_MAX: Final = 36


class Outcome(NamedTuple):
    code: ErrorCode = ErrorCode.NONE
    message: str | None = None


class _Topic(Protocol):
    @property
    def topic_id(self) -> Uuid: ...

    @property
    def partitions(self) -> Sequence[Any]: ...


def is_member_id(member_id: str | None) -> bool:
    return member_id is not None and 0 < len(member_id) <= MEMBER_ID_CHARACTERS_MAX


def may_read(topic: str, context: RequestContext) -> bool:
    """Where there is an authorizer."""
    from kafkapy.security.access import is_allowed
    from kafkapy_controller.acl import AclOperation, ResourceType

    return is_allowed(context, AclOperation.READ, ResourceType.TOPIC, topic)


def acknowledge(
    topics: Iterable[_Topic], group_id: str, member_id: str, context: RequestContext, *, renews: bool
) -> Pending[dict[WantedPartition, Outcome]]:
    """The outcome of each partition, once all are stored. `renews`: the request says that it renews locks."""
    image = context.node.metadata.image
    share_partitions, authorizer = context.broker.sharing.partitions, context.broker.authorizer
    outcomes: dict[WantedPartition, Outcome] = {}
    empty: list[WantedPartition] = []
    asked: list[tuple[WantedPartition, Pending[Outcome]]] = []
    supports_renew = context.api_version >= FIRST_VERSION_WITH_RENEW
    for topic in topics:
        for partition in topic.partitions:
            wanted = WantedPartition(topic.topic_id, partition.partition_index)
            if topic.topic_id not in image.topics_by_id:
                outcomes[wanted] = Outcome(ErrorCode.UNKNOWN_TOPIC_ID)
                continue
            batches = [
                AcknowledgementBatch(each.first_offset, each.last_offset, each.acknowledge_types)
                for each in partition.acknowledgement_batches
            ]
            if not _are_valid(batches, supports_renew=supports_renew, renews=renews):
                outcomes[wanted] = Outcome(ErrorCode.INVALID_REQUEST)
            elif authorizer is not None and not may_read(image.topics_by_id[topic.topic_id].name, context):
                outcomes[wanted] = Outcome(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            elif not exists(wanted, image):
                outcomes[wanted] = Outcome(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            elif not batches:
                empty.append(wanted)
            else:
                key = SharePartitionKey(group_id, *wanted)
                asked.append((wanted, _outcome(attempt(lambda: share_partitions.acknowledge(key, member_id, batches)))))  # noqa: B023 - called at once
    if not asked:
        return settled(outcomes)

    def collect(answers: list[Outcome]) -> dict[WantedPartition, Outcome]:
        outcomes.update(dict.fromkeys(empty, Outcome()))
        outcomes.update(zip([wanted for wanted, _ in asked], answers, strict=True))
        return outcomes

    return all_of([pending for _, pending in asked]).map(collect)


def exists(wanted: WantedPartition, image: MetadataImage) -> bool:
    topic = image.topics_by_id.get(wanted.topic_id)
    return topic is not None and 0 <= wanted.partition < len(topic.partitions)


def _outcome(acknowledged: Pending[None]) -> Pending[Outcome]:
    return acknowledged.map(lambda _: Outcome()).otherwise(lambda error: Outcome(error.code, error.message))


def _are_valid(batches: Iterable[AcknowledgementBatch], *, supports_renew: bool, renews: bool) -> bool:
    highest = AcknowledgeType.RENEW if supports_renew else AcknowledgeType.REJECT
    previous = -1
    for first_offset, last_offset, types in batches:
        if first_offset > last_offset or first_offset < previous or not types:
            return False
        if len(types) > 1 and last_offset - first_offset != len(types) - 1:
            return False
        if min(types) < 0 or max(types) > highest or (not renews and AcknowledgeType.RENEW in types):
            return False
        previous = last_offset
    return True


def check_member(group_id: str | None, member_id: str | None) -> tuple[str, str]:
    """Raises KafkaError(INVALID_REQUEST)."""
    if group_id is None or member_id is None or not is_member_id(member_id):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    return group_id, member_id
