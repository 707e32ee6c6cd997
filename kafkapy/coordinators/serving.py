"""The shards that this broker serves: one for each partition of the coordinator's topic that it leads.

A shard is loaded in one *term*, which is one leadership of its partition, and given up when the term is over. It stays
only if this broker leads in the very next leader epoch, too, as after a reassignment: then nobody else can have led in
between. If an epoch was missed, the shard is loaded again, so that it knows what the log says, no more and no less. A
load whose term ends meanwhile is dropped.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

from kafkapy.coordinators.loading import PartitionLoading, in_one_line
from kafkapy.coordinators.ports import CoordinatorRecord, Shard
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.bugs import Bugs
    from kafkapy.coordinators.ports import CoordinatorLog, Term

logger = logging.getLogger("kafkapy.coordinators")

ShardT = TypeVar("ShardT", bound=Shard)

LOAD_TURN_RECORDS_MAX = 500
"""Records replayed before other tasks get a turn: a few milliseconds. A batch may have many thousands."""


class Serving(Generic[ShardT]):
    """Loads shards and gives them up, as the leadership of their partitions comes and goes."""

    def __init__(self, topic: str, log: CoordinatorLog, new_shard: Callable[[int], ShardT]) -> None:
        self._topic = topic
        self._log = log
        self._new_shard = new_shard
        self.shards: dict[int, ShardT] = {}
        """Those that are loaded, by partition. Others read it, and only this class changes it."""
        self.terms: dict[int, Term] = {}
        """The term of each of them."""
        self._unreadable: dict[int, Term] = {}
        """Partitions that could not be replayed: what they hold is not served until the next term, or start."""
        self._loading = trio.Lock()

    def why_not_served(self, partition: int) -> KafkaError:
        """COORDINATOR_LOAD_IN_PROGRESS, the partition is still being replayed; NOT_COORDINATOR, it is led elsewhere, or
        cannot be replayed.
        """
        term = self._log.term(partition)
        if term is None or self._unreadable.get(partition) == term:
            return KafkaError(ErrorCode.NOT_COORDINATOR)
        return KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)

    def is_loading(self, partition: int) -> bool:
        """Whether the shard of the partition will be served here, and is not yet."""
        if partition in self.shards:
            return False
        term = self._log.term(partition)
        return term is not None and self._unreadable.get(partition) != term

    def served_partitions(self) -> list[int]:
        """The partitions that are served here, also those that are still being replayed."""
        partitions = range(self._log.partition_count)
        return [partition for partition in partitions if partition in self.shards or self.is_loading(partition)]

    def take_lost(self) -> list[tuple[int, ShardT]]:
        """Stop serving the shards whose term is over, and return them."""
        lost = []
        for partition, term in list(self.terms.items()):
            now = self._log.term(partition)
            if now is not None and now in (term, term.following):
                self.terms[partition] = now
            else:
                lost.append((partition, self._remove(partition)))
        return lost

    def take_all(self) -> list[tuple[int, ShardT]]:
        """Stop serving every shard, and return them."""
        self._unreadable.clear()
        return [(partition, self._remove(partition)) for partition in list(self.shards)]

    def _remove(self, partition: int) -> ShardT:
        del self.terms[partition]
        return self.shards.pop(partition)

    # -- loading

    async def load(self, *, raises: bool, bugs: Bugs | None, progress: Callable[[], None]) -> list[tuple[int, ShardT]]:
        """Replay each partition that is led here and not served yet; other tasks get their turns meanwhile.

        Calls `progress` after each. Returns what it has loaded, and what is still served. If the disk refuses to read a
        partition, it is not served; or the error is raised, with `raises`: KafkaError, OSError.
        """
        loaded: dict[int, None] = {}
        unknown: dict[int, int] = {}
        async with self._loading:  # a second caller returns when the first one has loaded the shards
            while (partition := self._next_to_load()) is not None:
                term = self._log.term(partition)
                assert term is not None, f"{self._topic}-{partition} is to be loaded and is led elsewhere"
                try:
                    unknown_here = await self._load_partition(partition, term, bugs)
                except (KafkaError, OSError) as error:
                    if self._log.term(partition) != term:
                        continue  # who leads it now may well have truncated what was being read
                    if raises:
                        raise
                    logger.error("cannot read %s-%d (%s): what it holds is not served", self._topic, partition, error)
                    self._unreadable[partition] = term
                else:
                    loaded[partition] = None
                    for record_type, count in unknown_here.items():
                        unknown[record_type] = unknown.get(record_type, 0) + count
                progress()
        for record_type, count in sorted(unknown.items()):
            logger.warning("skipped %d records of type %d, which is unknown, in %s", count, record_type, self._topic)
        return [(partition, self.shards[partition]) for partition in loaded if partition in self.shards]

    def _next_to_load(self) -> int | None:
        return next(filter(self.is_loading, range(self._log.partition_count)), None)

    async def _load_partition(self, partition: int, term: Term, bugs: Bugs | None) -> dict[int, int]:
        """Load one partition; returns the number of records of unknown types. An unreadable one is not served."""
        name = f"{self._topic}-{partition}"
        shard = self._new_shard(partition)

        def replay(key: bytes, value: bytes | None, producer_id: int, offset: int) -> None:
            shard.replay(CoordinatorRecord(key, value), producer_id, offset)

        def replay_end_transaction(producer_id: int, committed: bool) -> None:
            shard.replay_end_transaction(producer_id, committed=committed)

        loading = PartitionLoading(name, replay, replay_end_transaction)
        try:
            steps = (None for batch in self._log.read_batches(partition) for _ in loading.take(batch))
            for count, _ in enumerate(steps, start=1):
                if count % LOAD_TURN_RECORDS_MAX == 0:
                    await trio.lowlevel.checkpoint()
                    if self._log.term(partition) != term:
                        logger.info("%s is not loaded: its leadership has moved meanwhile", name)
                        return {}
            loading.end()
            self.shards[partition], self.terms[partition] = shard, term
            shard.loaded()
        except MalformedMessage as error:
            logger.error(
                "%s cannot be read to its end (%s): what it holds is not served (NOT_COORDINATOR); "
                "restore its directory from a copy and start again",
                name,
                in_one_line(error),
            )
            self._give_up(partition, term, shard)
            return {}
        except (KafkaError, OSError):
            raise
        except Exception as error:
            # A bug that stored bytes cause at every start: the other partitions must be served all the same.
            if bugs is None:
                raise
            bugs.report(f"in replaying {name}, which is not served now (NOT_COORDINATOR)", error)
            self._give_up(partition, term, shard)
            return {}
        return shard.unknown_records

    def _give_up(self, partition: int, term: Term, shard: ShardT) -> None:
        self.shards.pop(partition, None)
        self.terms.pop(partition, None)
        self._unreadable[partition] = term
        shard.resign()
