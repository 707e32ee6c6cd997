"""Producers outside of transactions: plain ones, and idempotent ones that send some batches twice."""

from __future__ import annotations

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from tests.shell.running_node import produce_request
from tests.soak.records import some_batch
from tests.soak.world import EVENTS, TABLE, World

PAUSE_SECONDS = 0.01


async def plain_producer(world: World) -> None:
    """A connection with some produces, acknowledged or not; offsets of its partition never go back."""
    kind, last_offsets = "produce", dict[tuple[str, int], int]()
    async with world.connect() as client:
        for _ in range(world.random.randint(5, 200)):
            topic = world.random.choice((EVENTS, EVENTS, TABLE))
            partition = world.partition(topic)
            batch, count = some_batch(world.random)
            acks = world.random.choice((-1, -1, 1, 0))
            if acks == 0:
                await client.send(produce_request(topic, batch, partition, acks=0), 12, answered=False)
            else:
                answer = await client.produce_batch(topic, batch, partition, acks=acks)
                if world.tally.error(kind, answer.error_code):
                    return
                if answer.base_offset <= last_offsets.get((topic, partition), -1):
                    world.tally.wrong(kind, "an offset went back")
                last_offsets[topic, partition] = answer.base_offset + count - 1
            world.tally.done["records"] += count
            world.tally.done["produces"] += 1
            await world.pace.pause(PAUSE_SECONDS)


async def idempotent_producer(world: World) -> None:
    """A new producer id, its batches in order, some of them twice: the second time with the offset of the first."""
    kind, sequences = "idempotent produce", dict[tuple[str, int], int]()
    async with world.connect() as client:
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0)
        producer = await client.ask(request, InitProducerIdResponse)
        if world.tally.error(kind, producer.error_code):
            return
        world.tally.done["producer ids"] += 1
        for _ in range(world.random.randint(1, 60)):
            topic = world.random.choice((EVENTS, TABLE))
            partition = world.partition(topic)
            sequence = sequences.get((topic, partition), 0)
            batch, count = some_batch(
                world.random,
                producer_id=producer.producer_id,
                producer_epoch=producer.producer_epoch,
                base_sequence=sequence,
            )
            answer = await client.produce_batch(topic, batch, partition)
            if world.tally.error(kind, answer.error_code):
                return
            if world.random.random() < 0.1:
                again = await client.produce_batch(topic, batch, partition)
                if again.base_offset != answer.base_offset or again.error_code != ErrorCode.NONE:
                    world.tally.wrong(kind, "a batch sent twice was stored twice")
            sequences[topic, partition] = sequence + count
            world.tally.done["records"] += count
            world.tally.done["produces"] += 1
            await world.pace.pause(PAUSE_SECONDS)
