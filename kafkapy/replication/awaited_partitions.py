"""Partitions that this broker leads, and that a follower will name in a fetch as soon as it hears of them.

A follower's fetch waits at its leader for replica.fetch.wait.max.ms. Meanwhile the follower may hear of a new
partition, and cannot ask for it before its fetch is answered: the first produce with acks=all would take as long. So
the leader answers what waits when it hears of the partition itself, and answers soon until the follower has named it.
In Apache Kafka the produce waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.clock import Clock
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage, PartitionImage
    from kafkapy_wire.messages.fetch import FetchTopic
    from kafkapy_wire.uuid import Uuid

AWAITED_MS: Final = 2_000
"""How long at most: a follower whose log has failed never names the partition."""
SHORT_WAIT_MS: Final = 5
"""Of the fetches of a follower that has yet to name a partition."""


class WaitingFetch(Protocol):
    """A fetch that is not answered yet."""

    @property
    def is_waiting(self) -> bool: ...

    def end_wait(self) -> None:
        """Answer it with what there is."""


class AwaitedPartitions:
    """Which follower has yet to name which partitions, and the fetches of each follower that wait."""

    def __init__(self, node_id: int, clock: Clock, is_live: Callable[[int], bool]) -> None:
        """`is_live`: whether there is such a broker, and it is not fenced."""
        self._is_live = is_live
        self._node_id = node_id
        self._clock = clock
        self._awaited: dict[int, dict[tuple[Uuid, int], float]] = {}  # by follower: until when
        self._waiting: dict[int, list[WaitingFetch]] = {}

    def follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Await the partitions that this broker leads anew, or that have new followers."""
        until_ms = self._clock.monotonic_ms() + AWAITED_MS
        followers: set[int] = set()
        for name, index in delta.changed_partitions:
            topic = image.topics[name]
            state = topic.partitions[index]
            if state.leader != self._node_id or len(state.replicas) == 1:
                continue
            before = delta.base.topics_by_id.get(topic.topic_id)
            known = before.partitions[index] if before is not None and index < len(before.partitions) else None
            for follower in self._new_followers(state, known):
                self._awaited.setdefault(follower, {})[topic.topic_id, index] = until_ms
                followers.add(follower)
        for follower in followers:
            for waiting in self._waiting.pop(follower, ()):
                if waiting.is_waiting:
                    waiting.end_wait()

    def _new_followers(self, state: PartitionImage, before: PartitionImage | None) -> Iterable[int]:
        """The followers that begin to follow in this leader epoch, or are new."""
        if before is None or before.leader_epoch != state.leader_epoch:
            return [replica for replica in state.replicas if replica != self._node_id]
        return [replica for replica in state.replicas if replica not in before.replicas]

    def max_wait_ms(self, follower: int, named: Iterable[FetchTopic], max_wait_ms: int) -> int:
        """How long the fetch of a follower may wait, which names these partitions."""
        awaited = self._awaited.get(follower)
        if awaited is None:
            return max_wait_ms
        for topic in named:
            for partition in topic.partitions:
                awaited.pop((topic.topic_id, partition.partition), None)
        now_ms = self._clock.monotonic_ms()
        if not awaited or max(awaited.values()) < now_ms:
            del self._awaited[follower]
            return max_wait_ms
        return min(max_wait_ms, SHORT_WAIT_MS)

    def add_waiting(self, follower: int, waiting: WaitingFetch) -> None:
        """A fetch of a follower begins to wait. What comes from no broker is not kept."""
        if not self._is_live(follower):
            return
        self._waiting[follower] = [
            *(other for other in self._waiting.get(follower, ()) if other.is_waiting),
            waiting,
        ]
