"""What the five APIs of the share coordinator have in common: each asks about partitions of topic ids for one group.

A request without a group id, without topics, or with a topic without partitions is answered with nothing, as in Apache
Kafka. Each partition has its own error, with a message. A partition that is named twice is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.pending import Pending, all_in_turns, all_of, attempt
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from kafkapy_wire.uuid import Uuid

ANSWERED_AT_ONCE_MAX: Final = 100

TEXTS: Final = {
    ErrorCode.INVALID_GROUP_ID: "The group id is invalid.",
    ErrorCode.NOT_COORDINATOR: "This is not the correct coordinator.",
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS: "The coordinator is loading and hence can't process requests.",
    ErrorCode.COORDINATOR_NOT_AVAILABLE: "The coordinator is not available.",
}
UNKNOWN_TEXT: Final = "The server experienced an unexpected error when processing the request."


class _Topic(Protocol):
    topic_id: Uuid
    partitions: list[Any]


class _Request(Protocol):
    group_id: str

    @property
    def topics(self) -> Sequence[_Topic]: ...


R = TypeVar("R")
A = TypeVar("A")


def answer_partitions(
    request: _Request,
    ask: Callable[[SharePartitionKey, Any], Pending[R]],
    refuse: Callable[[int, ErrorCode, str], R],
    respond: Callable[[dict[Uuid, dict[int, R]]], A],
    *,
    what: str,
    takes_empty_topics: bool = False,
) -> Pending[A] | Coroutine[object, object, A]:
    """`respond` with what `ask` answers about each partition, or `refuse` makes of its error: `what` was not done."""

    def ask_one(wanted: tuple[SharePartitionKey, Any]) -> Pending[R]:
        def refused(error: KafkaError) -> R:
            message = error.message
            if message is None:
                message = f"Unable to {what}: {TEXTS.get(error.code, UNKNOWN_TEXT)}"
            return refuse(wanted[0].partition, error.code, message)

        return attempt(lambda: ask(*wanted)).otherwise(refused)

    def collect(answers: list[R]) -> A:
        topics: dict[Uuid, dict[int, R]] = {}
        for (key, _), answer in zip(asked, answers, strict=True):
            topics.setdefault(key.topic_id, {})[key.partition] = answer
        return respond(topics)

    asked: list[tuple[SharePartitionKey, Any]] = []
    if request.group_id and (takes_empty_topics or all(topic.partitions for topic in request.topics)):
        asked = [
            (SharePartitionKey(request.group_id, topic.topic_id, wanted.partition), wanted)
            for topic in request.topics
            for wanted in topic.partitions
        ]
    if len(asked) <= ANSWERED_AT_ONCE_MAX:
        return all_of([ask_one(each) for each in asked]).map(collect)

    async def in_turns() -> A:
        return collect(await all_in_turns(ask_one, asked))

    return in_turns()
