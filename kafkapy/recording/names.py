"""What messages are about: topics, groups, transactional ids, errors. Read off their schemas, for every API alike."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Struct
from kafkapy_wire.uuid import ZERO_UUID, uuid_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.message import Message
    from kafkapy_wire.uuid import Uuid

TOPIC, GROUP, TRANSACTIONAL_ID = "topicName", "groupId", "transactionalId"
KEY_FIELDS: Final = frozenset({"key", "coordinator_keys"})
"""Of FindCoordinator: groups, or transactional ids."""
KEY_ENTITIES: Final = {0: GROUP, 1: TRANSACTIONAL_ID}
DELETED_TOPICS_MAX: Final = 10_000
ERROR_FIELDS: Final = frozenset({"error_code", "partition_error_code"})
STRUCTS_MAX: Final = 100_000
"""Of a message: how many are looked at."""


class TopicNames:
    """The names of topics by id, of those too that were deleted since this was made."""

    def __init__(self, metadata: MetadataPublisher) -> None:
        self._metadata = metadata
        self._deleted: dict[Uuid, str] = {}
        metadata.subscribe(self._follow_metadata)

    def __call__(self, topic_id: Uuid) -> str:
        """The id itself if no such topic is known."""
        topic = self._metadata.image.topics_by_id.get(topic_id)
        return topic.name if topic is not None else self._deleted.get(topic_id) or uuid_text(topic_id)

    def close(self) -> None:
        self._metadata.unsubscribe(self._follow_metadata)

    def _follow_metadata(self, _image: MetadataImage, delta: MetadataDelta) -> None:
        for topic in delta.deleted_topics:
            self._deleted[topic.topic_id] = topic.name
        while len(self._deleted) > DELETED_TOPICS_MAX:
            del self._deleted[next(iter(self._deleted))]


def names_in(message: Message, topic_name: Callable[[Uuid], str]) -> dict[str, set[str]]:
    """By entity (TOPIC, GROUP, TRANSACTIONAL_ID): the names in the message. Topics are named, whatever they go by."""
    found: dict[str, set[str]] = {TOPIC: set(), GROUP: set(), TRANSACTIONAL_ID: set()}
    key_entity = None
    if message.__schema__.api_key == ApiKey.FIND_COORDINATOR:
        key_entity = KEY_ENTITIES.get(getattr(message, "key_type", -1))
    for struct in islice(_structs(message), STRUCTS_MAX):
        for field in struct.__fields__:
            entity = key_entity if field.name in KEY_FIELDS else field.entity
            if field.kind == "uuid":
                topic_id = getattr(struct, field.name)
                if field.name == "topic_id" and topic_id != ZERO_UUID:
                    found[TOPIC].add(topic_name(topic_id))
            elif entity in found:
                value = getattr(struct, field.name)
                found[entity].update(each for each in (value if isinstance(value, list) else (value,)) if each)
    return found


def topic_ids_in(message: Message) -> set[Uuid]:
    """The ids of topics in the message."""
    found = set()
    for struct in islice(_structs(message), STRUCTS_MAX):
        for field in struct.__fields__:
            if field.kind == "uuid" and field.name == "topic_id":
                found.add(getattr(struct, field.name))
    found.discard(ZERO_UUID)
    return found


def errors_in(message: Message) -> tuple[str, ...]:
    """The names of the errors in a response, each once, in their order."""
    codes: dict[int, None] = {}
    for struct in islice(_structs(message), STRUCTS_MAX):
        for field in struct.__fields__:
            if field.name in ERROR_FIELDS:
                codes[getattr(struct, field.name)] = None
    codes.pop(ErrorCode.NONE, None)
    return tuple(_error_name(code) for code in codes)


def _structs(struct: Struct) -> Iterator[Struct]:
    """The struct and all inside it."""
    yield struct
    for field in struct.__fields__:
        value = getattr(struct, field.name)
        if isinstance(value, Struct):
            yield from _structs(value)
        elif isinstance(value, list):
            for element in value:
                if not isinstance(element, Struct):
                    break
                yield from _structs(element)


def _error_name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return str(code)
