"""Consumers: fetch sessions with long polls, by topic name and by topic id; some end their session, some vanish."""

from __future__ import annotations

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.records import split_batches
from kafkapy_wire.uuid import Uuid
from tests.shell.running_node import Client, bytes_of
from tests.soak.world import EVENTS, LEDGER, PARTITION_COUNTS, TABLE, World

KIND = "fetch"
PAUSE_SECONDS = 0.02
EARLIEST, LATEST = -2, -1
VERSION_WITH_NAMES, VERSION_WITH_IDS = 12, 17
READ_COMMITTED = 1
PARTITION_BYTES_MAX = 64 << 10


class Consumer:
    """One incremental fetch session over all partitions of a topic."""

    def __init__(self, world: World, client: Client, topic: str, topic_id: Uuid, *, by_id: bool) -> None:
        self._world = world
        self._client = client
        self._topic = topic
        self._topic_id = topic_id
        self._version = VERSION_WITH_IDS if by_id else VERSION_WITH_NAMES
        self._isolation_level = world.random.choice((0, READ_COMMITTED))
        self._session_id = self._session_epoch = 0
        self._offsets: dict[int, int] = {}
        self._changed: set[int] = set()

    async def start_at(self, timestamp: int) -> None:
        for partition in range(PARTITION_COUNTS[self._topic]):
            self._offsets[partition] = await self._client.offset(self._topic, timestamp, partition)
        self._changed = set(self._offsets)

    def request(self, *, max_wait_ms: int, min_bytes: int) -> FetchRequest:
        """What has changed since the last answer."""
        partitions = [
            FetchPartition(partition=index, fetch_offset=self._offsets[index], partition_max_bytes=PARTITION_BYTES_MAX)
            for index in sorted(self._changed)
        ]
        named = FetchTopic() if self._version < VERSION_WITH_IDS else FetchTopic(topic_id=self._topic_id)
        if self._version < VERSION_WITH_IDS:
            named.topic = self._topic
        named.partitions = partitions
        return FetchRequest(
            max_wait_ms=max_wait_ms,
            min_bytes=min_bytes,
            max_bytes=1 << 20,
            isolation_level=self._isolation_level,
            session_id=self._session_id,
            session_epoch=self._session_epoch,
            topics=[named] if partitions else [],
        )

    async def poll(self, *, max_wait_ms: int, min_bytes: int) -> None:
        """One round. A session that the broker has dropped begins anew with the next one."""
        answer = await self._client.ask(
            self.request(max_wait_ms=max_wait_ms, min_bytes=min_bytes), FetchResponse, self._version
        )
        self._changed = set()
        lost = self._world.tally.error(KIND, answer.error_code, (ErrorCode.FETCH_SESSION_ID_NOT_FOUND,))
        if lost or not answer.session_id:
            self._session_id = self._session_epoch = 0
            self._changed = set(self._offsets)  # a full fetch: also where the broker has no room for a session
        else:
            self._session_id = answer.session_id
            self._session_epoch += 1
        for topic in answer.responses:
            for data in topic.partitions:
                await self._take(data)
        self._world.tally.done["fetches"] += 1

    async def _take(self, data: PartitionData) -> None:
        index = data.partition_index
        if self._world.tally.error(KIND, data.error_code, (ErrorCode.OFFSET_OUT_OF_RANGE,)):
            if data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:  # retention was faster
                self._offsets[index] = await self._client.offset(self._topic, EARLIEST, index)
                self._changed.add(index)
            return
        for header, _ in split_batches(bytes_of(data)):
            if header.next_offset <= self._offsets[index]:
                self._world.tally.wrong(KIND, "a batch from before the fetch offset")
            self._offsets[index] = header.next_offset
            self._changed.add(index)
            self._world.tally.done["batches read"] += 1

    def final_request(self) -> FetchRequest:
        return FetchRequest(session_id=self._session_id, session_epoch=-1)

    async def end_session(self) -> None:
        answer = await self._client.ask(self.final_request(), FetchResponse, self._version)
        self._world.tally.error(KIND, answer.error_code)

    async def vanish_while_waiting(self) -> None:
        await self._client.send(self.request(max_wait_ms=3_000, min_bytes=1 << 20), self._version)


async def consumer(world: World) -> None:
    """The life of one consumer: some polls, long ones among them, and one of three ends."""
    topic = world.random.choice((EVENTS, TABLE, LEDGER))
    by_id = world.random.random() < 0.5
    async with world.connect() as client:
        known = await client.ask(MetadataRequest(topics=[MetadataRequestTopic(name=topic)]), MetadataResponse)
        one = Consumer(world, client, topic, known.topics[0].topic_id, by_id=by_id)
        await one.start_at(world.random.choice((EARLIEST, LATEST, LATEST)))
        for _ in range(world.random.randint(1, 60)):
            min_bytes = world.random.choice((1, 1, 1, 20_000))
            await one.poll(max_wait_ms=world.random.choice((0, 100, 500)), min_bytes=min_bytes)
            await world.pace.pause(PAUSE_SECONDS)
        end = world.random.random()
        if end < 0.4:
            await one.end_session()
        elif end < 0.7:
            await one.vanish_while_waiting()
        world.tally.done["lives of consumers"] += 1


async def patient_consumer(world: World) -> None:
    """Waits of a minute that are over at once: what they leave behind must not stay for the minute."""
    async with world.connect() as client:
        one = Consumer(world, client, EVENTS, Uuid(bytes(16)), by_id=False)
        await one.start_at(LATEST)
        for _ in range(200):
            await one.poll(max_wait_ms=60_000, min_bytes=1)
        await one.end_session()
