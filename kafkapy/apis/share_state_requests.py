"""What the five APIs of the share coordinator have in common: each asks about partitions of topic ids for one group.

A request without a group id, without topics, or with a topic without partitions is answered with nothing, as in Apache
Kafka. Each partition has its own error, with a message. A partition that is named twice is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.pending import Pending, all_in_turns, all_of, attempt
from kafkapy.turns import each_in_turns, has_more_than, to_the_end
from kafkapy_controller.decision import at_once
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence

    from kafkapy_controller.decision import Steps
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

    def wanted_partitions() -> Iterator[tuple[SharePartitionKey, Any]]:
        for topic in request.topics:
            for wanted in topic.partitions:
                yield SharePartitionKey(request.group_id, topic.topic_id, wanted.partition), wanted

    def collect(asked: Iterable[tuple[SharePartitionKey, Any]], answers: Iterable[R]) -> Steps[A]:
        topics: dict[Uuid, dict[int, R]] = {}
        for (key, _), answer in zip(asked, answers, strict=True):
            topics.setdefault(key.topic_id, {})[key.partition] = answer
            yield
        return respond(topics)

    is_asked = request.group_id and (takes_empty_topics or all(topic.partitions for topic in request.topics))
    if not is_asked or not has_more_than(ANSWERED_AT_ONCE_MAX, (1 + len(each.partitions) for each in request.topics)):
        few = list(wanted_partitions()) if is_asked else []
        return all_of([ask_one(each) for each in few]).map(lambda answers: at_once(collect(few, answers)))

    async def in_turns() -> A:
        asked = await each_in_turns(lambda each: each, wanted_partitions())
        return await to_the_end(collect(asked, await all_in_turns(ask_one, asked)))

    return in_turns()
