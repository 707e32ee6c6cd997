"""Requests about thousands of topics, decided in batches with turns of the event loop between them.

A decision is made, appended and replayed in one step, and published in another. With thousands of records each step
would hold up all other clients. So a large request becomes several decisions, each on the newest image and each
appended as one batch. Other requests may be decided between two batches; later batches see their changes. One fsync
covers all batches, and one answer leaves at the end.

Differs: Apache Kafka's controller writes the records of one request at once. Here, after a crash in the middle, only
the first topics of the request are created (or deleted); the client has no answer then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from kafkapy.errors import without_frames
from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable

    from kafkapy.pending import Pending

T = TypeVar("T")
R = TypeVar("R")

RECORDS_PER_BATCH: Final = 200
"""About 2 ms from the decision to the last follower."""
SAME_KEY_MAX: Final = 2
RECORDS_AT_ONCE_MAX: Final = 1_000
"""A single topic may need more, and cannot be cut: then its decision is prepared in turns."""


async def batches_of(
    items: Iterable[T], key: Callable[[T], Hashable], record_count: Callable[[T], int]
) -> list[list[T]]:
    """The items in batches of about `RECORDS_PER_BATCH`. Those with the same key, which refuse each other, stay
    together: two of them, which is as good as any number.
    """
    turn = Turn()
    together: dict[Hashable, list[T]] = {}
    for item in items:
        group = together.setdefault(key(item), [])
        if len(group) < SAME_KEY_MAX:
            group.append(item)
        if turn.is_over:
            await turn.share()
    batches: list[list[T]] = []
    batch: list[T] = []
    size = 0
    for group in together.values():
        group_size = sum(map(record_count, group))
        if batch and size + group_size > RECORDS_PER_BATCH:
            batches.append(batch)
            batch, size = [], 0
        batch += group
        size += group_size
        if turn.is_over:
            await turn.share()
    if batch:
        batches.append(batch)
    return batches


async def decide_in_turns(
    batches: Iterable[list[T]], decide: Callable[[list[T]], Awaitable[Pending[R]]]
) -> list[tuple[list[T], R | KafkaError]]:
    """Each batch with its answer, which is committed, or with the error that it was refused with."""
    turn = Turn()
    waiting: list[tuple[list[T], Pending[R]]] = []
    for batch in batches:
        waiting.append((batch, await decide(batch)))
        await turn.share()
    answered: list[tuple[list[T], R | KafkaError]] = []
    for batch, answer in waiting:
        try:
            answered.append((batch, await answer.wait()))
        except KafkaError as error:
            answered.append((batch, without_frames(error)))
        await turn.share()
    return answered
