"""Repartition and changelog topics of streams groups: the broker creates those that are missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import trio

from kafkapy_wire.errors import KafkaError, error_code
from kafkapy_wire.messages.create_topics import CreateTopicsRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from kafkapy.clock import Clock
    from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsResponse

logger = logging.getLogger("kafkapy.groups")

CREATION_TIMEOUT_MS = 30_000
KEPT_ERRORS_MAX = 1_000
"""As many as Apache Kafka keeps by default; beyond that the oldest go."""


class _Failure(NamedTuple):
    message: str
    until_ms: float


class InternalTopics:
    """Creates topics in the background, and remembers for a while why one could not be created."""

    def __init__(
        self, create_topics: Callable[[CreateTopicsRequest], Awaitable[CreateTopicsResponse]], clock: Clock
    ) -> None:
        self._create_topics = create_topics
        self._clock = clock
        self._in_flight: set[str] = set()
        self._failures: dict[str, _Failure] = {}
        self._queued: list[tuple[dict[str, CreatableTopic], int]] = []
        self._there_is_work = trio.Event()

    def create(self, topics: Mapping[str, CreatableTopic], kept_ms: int) -> None:
        """Have them created, but for those that are being created, or have failed less than `kept_ms` ago."""
        failed = self.failures(topics)
        wanted = {name: topic for name, topic in topics.items() if name not in self._in_flight and name not in failed}
        if wanted:
            self._in_flight.update(wanted)
            self._queued.append((wanted, kept_ms))
            self._there_is_work.set()

    def failures(self, names: Iterable[str]) -> dict[str, str]:
        """Why some of these could not be created lately."""
        now_ms = self._clock.monotonic_ms()
        found = ((name, self._failures.get(name)) for name in names)
        return {name: failure.message for name, failure in found if failure is not None and failure.until_ms > now_ms}

    async def run(self) -> None:
        """Create what was asked for, until cancelled: no request waits for another."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._there_is_work.wait()
                self._there_is_work = trio.Event()
                queued, self._queued = self._queued, []
                for topics, kept_ms in queued:
                    nursery.start_soon(self._create, topics, kept_ms)

    async def _create(self, topics: dict[str, CreatableTopic], kept_ms: int) -> None:
        try:
            answer = await self._create_topics(
                CreateTopicsRequest(topics=[*topics.values()], timeout_ms=CREATION_TIMEOUT_MS)
            )
        except KafkaError as error:
            logger.warning("internal topics %s are not created: %s", ", ".join(sorted(topics)), error)
            for name in topics:
                self._keep(name, error.message or error.code.name, kept_ms)
        else:
            for result in answer.topics:
                if result.error_code:
                    message = result.error_message or error_code(result.error_code).name
                    logger.warning("internal topic %s is not created: %s", result.name, message)
                    self._keep(result.name, message, kept_ms)
        finally:
            self._in_flight.difference_update(topics)

    def _keep(self, name: str, message: str, kept_ms: int) -> None:
        self._failures.pop(name, None)
        while len(self._failures) >= KEPT_ERRORS_MAX:
            del self._failures[next(iter(self._failures))]
        self._failures[name] = _Failure(message, self._clock.monotonic_ms() + kept_ms)
