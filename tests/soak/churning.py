"""Topics that are made, filled, changed and deleted."""

from __future__ import annotations

from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from kafkapy_wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from kafkapy_wire.messages.offset_commit import OffsetCommitResponse
from tests.shell.running_node import TOPIC, Client
from tests.soak.grouping import offset_commit
from tests.soak.records import some_batch
from tests.soak.world import EVENTS, World

KIND = "topics"
PAUSE_SECONDS = 0.05


async def short_lived_topic(world: World) -> None:
    """A topic from its making to its end, with whatever may be done to it in between."""
    random, topic = world.random, world.fresh("short-lived")
    async with world.connect() as client:
        partition_count = random.randint(1, 4)
        is_compacted = random.random() < 0.5
        if is_compacted:
            await client.create_topic(topic, partition_count, cleanup_policy="compact", segment_ms="1000")
        else:
            await client.create_topic(topic, partition_count)
        end_offset = 0
        for _ in range(random.randint(0, 5)):
            batch, count = some_batch(random)
            answer = await client.produce_batch(topic, batch, random.randrange(partition_count))
            world.tally.error(KIND, answer.error_code)
            end_offset = await client.offset(topic, -1)
            world.tally.done["records"] += count
            await client.fetch(topic)
            await world.pace.pause(PAUSE_SECONDS)
        if random.random() < 0.3:
            await _add_partition(world, client, topic, partition_count + 1)
        if random.random() < 0.3:
            await client.alter_config(TOPIC, topic, "retention.ms", str(random.randint(1_000, 1_000_000)))
        if random.random() < 0.3 and not is_compacted:
            await _delete_records(world, client, topic, end_offset)
        if random.random() < 0.3:
            group_id = world.fresh("passing")
            await client.find_coordinator(group_id)  # answered when it is loaded
            committed = await client.ask(offset_commit(group_id, topic, end_offset), OffsetCommitResponse, 9)
            world.tally.error(KIND, committed.topics[0].partitions[0].error_code)
        await client.delete_topic(topic)
        world.tally.done["topics"] += 1
        await world.pace.pause(PAUSE_SECONDS)


async def _add_partition(world: World, client: Client, topic: str, count: int) -> None:
    request = CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name=topic, count=count, assignments=None)], timeout_ms=5_000
    )
    answer = await client.ask(request, CreatePartitionsResponse)
    world.tally.error(KIND, answer.results[0].error_code)
    appended = await client.produce_batch(topic, some_batch(world.random)[0], count - 1)
    world.tally.error(KIND, appended.error_code)


async def _delete_records(world: World, client: Client, topic: str, offset: int) -> None:
    partition = DeleteRecordsPartition(partition_index=0, offset=offset)
    request = DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=[partition])], timeout_ms=5_000)
    answer = await client.ask(request, DeleteRecordsResponse)
    world.tally.error("DeleteRecords", answer.topics[0].partitions[0].error_code)


async def record_deleter(world: World) -> None:
    """Moves the log start of a topic that others read, and changes a setting of it."""
    async with world.connect() as client:
        offset = await client.offset(EVENTS, -1)
        await _delete_records(world, client, EVENTS, max(0, offset - 500))
        await client.alter_config(TOPIC, EVENTS, "retention.bytes", str(world.random.randint(1 << 20, 2 << 20)))
        world.tally.done["configs altered"] += 1
        await world.pace.pause(2)
