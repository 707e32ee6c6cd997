"""A task for each broker that is fetched from, as long as it leads partitions that this broker follows.

With num.replica.fetchers there are as many tasks for each broker, each with a share of the partitions, a session and a
connection of its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.partitions.replica import Role
from kafkapy.peers import Outage, PeerUnavailable
from kafkapy.replication.fetcher import Then
from kafkapy.turns import Turn

if TYPE_CHECKING:
    from kafkapy.bugs import Bugs
    from kafkapy.clock import Clock
    from kafkapy.partitions.checkpoints import Checkpoints
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.flushing import Flusher
    from kafkapy.partitions.partition import Partition
    from kafkapy.replication.fetcher import Fetcher
    from kafkapy.replication.following import Following, Lane
    from kafkapy.replication.ports import Sources
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.fetch import FetchRequest
    from kafkapy_wire.messages.list_offsets import ListOffsetsRequest

logger = logging.getLogger("kafkapy.replication")

LINGER_MS = 10_000
"""After which a task without partitions ends. Leaders that move there and back find it."""


class Fetchers:
    """Fetches what `following` says, while `run` runs."""

    def __init__(
        self,
        following: Following,
        settings: CurrentSettings,
        clock: Clock,
        liveness_clock: Clock,
        sources: Sources,
        checkpoints: Checkpoints,
        flusher: Flusher | None,
        disk: DiskWatch,
        bugs: Bugs,
    ) -> None:
        self._following = following
        self._settings = settings
        self._clock = clock
        self._liveness_clock = liveness_clock
        self._sources = sources
        self._checkpoints = checkpoints
        self._flusher = flusher
        self._disk = disk
        self._bugs = bugs
        self._more: dict[Lane, trio.Event] = {}  # of each task: set when there is more to fetch
        self._to_begin: list[Lane] = []
        self._begin = trio.Event()

    def note_role(self, partition: Partition) -> None:
        """A replica has got a role, or was retired."""
        lane = self._following.note_role(
            partition, now_ms=self._liveness_clock.monotonic_ms(), wall_ms=self._clock.now_ms()
        )
        if lane is None:
            return
        if lane in self._more:
            self._more[lane].set()
        else:
            self._more[lane] = trio.Event()
            self._to_begin.append(lane)
            self._begin.set()

    async def run(self) -> None:
        """Fetch, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                self._begin = trio.Event()
                lanes, self._to_begin = self._to_begin, []
                for lane in lanes:
                    nursery.start_soon(self._fetch_from, lane)
                await self._begin.wait()

    async def _fetch_from(self, lane: Lane) -> None:
        """Fetch from one broker, until nothing is left to be fetched there."""
        fetcher = self._following.fetchers[lane]
        connection = _Connection(lane, self._sources)
        while True:
            try:
                request = fetcher.next_request(self._liveness_clock.monotonic_ms())
                if request is None:
                    if not await self._wait(lane, fetcher):
                        return
                    continue
                answer = await connection.ask(request, self._settings.now.replication.replica_socket_timeout_ms)
                if answer is None:
                    fetcher.lost(self._liveness_clock.monotonic_ms())
                    continue
                await self._take(fetcher, request, answer)
            except Exception as error:
                # A bug costs these partitions a while, but not the replication of the others.
                self._bugs.report(f"in the replication from broker {fetcher.source_id}", error)
                fetcher.lost(self._liveness_clock.monotonic_ms())

    async def _wait(self, lane: Lane, fetcher: Fetcher) -> bool:
        """Wait until a partition is due or added. Returns False if there was none for a while: the task is to end."""
        now_ms = self._liveness_clock.monotonic_ms()
        due_ms = fetcher.next_due_ms(now_ms)
        more = self._more[lane] = trio.Event()
        if await self._liveness_clock.wait(more, LINGER_MS if due_ms is None else max(0.0, due_ms - now_ms)) or len(
            fetcher
        ):
            return True
        self._following.end(lane)
        del self._more[lane]
        return False

    async def _take(self, fetcher: Fetcher, request: FetchRequest | ListOffsetsRequest, answer: Message) -> None:
        turn = Turn()
        now_ms, wall_ms = self._liveness_clock.monotonic_ms(), self._clock.now_ms()
        for then in fetcher.take(request, answer, now_ms=now_ms, wall_ms=wall_ms):
            if then is Then.CHECKPOINT:
                await self._write_checkpoint()
            elif turn.is_over:
                await turn.share()
        if fetcher.unflushed:
            await self._flush(fetcher)

    async def _flush(self, fetcher: Fetcher) -> None:
        """Return when what was appended is synced, where flush.messages asks for it: then acks=all means that, too."""
        assert self._flusher is not None, "nobody asks for a flush where nothing is synced"
        partitions, fetcher.unflushed = fetcher.unflushed, []
        while partitions := [each for each in partitions if each.role is Role.FOLLOWER and each.must_flush]:
            for partition in partitions:
                self._flusher.ask(partition.log)
            await self._flusher.flushed()
            if any(each.must_flush for each in partitions):  # the disk has refused it
                await self._liveness_clock.sleep(self._settings.now.replication.replica_fetch_backoff_ms)

    async def _write_checkpoint(self) -> None:
        """Returns once the recovery points of truncated logs are on the disk."""
        while True:
            try:
                await self._checkpoints.write()
            except OSError as error:
                self._disk.put_off("writing checkpoints", error)
                await self._liveness_clock.sleep(self._settings.now.replication.replica_fetch_backoff_ms)
            else:
                return


class _Connection:
    """The connection of one lane; the log has a line when it is lost, and when it is there again."""

    def __init__(self, lane: Lane, sources: Sources) -> None:
        self._source_id = lane.source_id
        self._purpose = f"replica-fetcher-{lane.number}"
        self._sources = sources
        self._outage = Outage()

    async def ask(self, request: Message, timeout_ms: int) -> Message | None:
        """The answer; None without one."""
        try:
            answer = await self._sources.broker(self._source_id, self._purpose).ask(request, timeout_ms=timeout_ms)
        except PeerUnavailable as error:
            if self._outage.begins(error):
                logger.warning("cannot fetch from broker %d: %s", self._source_id, error)
            return None
        if self._outage.ends():
            logger.info("fetching from broker %d again", self._source_id)
        return answer
