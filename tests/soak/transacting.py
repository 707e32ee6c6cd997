"""Transactional producers: old ones that name their partitions, new ones whose epoch rises with each transaction
(KIP-890); with offsets; some are left open until the broker aborts them.
"""

from __future__ import annotations

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.produce import ProduceResponse
from kafkapy_wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
)
from tests.shell.running_node import Client, produce_request
from tests.soak.records import some_batch
from tests.soak.world import LEDGER, PARTITION_COUNTS, World

PAUSE_SECONDS = 0.01
TIMEOUT_MS = 30_000
LEFT_OPEN_TIMEOUT_MS = 1_000
STEADY_IDS = 16
KIND = "transaction"
VERSIONS_THAT_NAME_PARTITIONS = {"produce": 11, "offsets": 3, "end": 4}
VERSIONS_THAT_RAISE_EPOCHS = {"produce": 12, "offsets": 5, "end": 5}


class Refused(Exception):
    """The broker answered with an error, which is counted."""


class TransactionalProducer:
    """One transactional id at work on one connection. Every method raises Refused."""

    def __init__(self, world: World, client: Client, transactional_id: str) -> None:
        self._world = world
        self._client = client
        self._id = transactional_id
        self._names_partitions = world.random.random() < 0.5
        self._versions = VERSIONS_THAT_NAME_PARTITIONS if self._names_partitions else VERSIONS_THAT_RAISE_EPOCHS
        self._producer_id = self._epoch = -1
        self._sequences: dict[int, int] = {}
        self._named: set[int] = set()

    def _check(self, code: int) -> None:
        if self._world.tally.error(KIND, code):
            raise Refused

    async def begin(self, timeout_ms: int) -> None:
        """Take the id over; what its last producer left open is aborted first."""
        await self._client.find_coordinator(self._id, key_type=1)
        request = InitProducerIdRequest(transactional_id=self._id, transaction_timeout_ms=timeout_ms)
        while True:
            answer = await self._client.ask(request, InitProducerIdResponse, 4)
            if answer.error_code != ErrorCode.CONCURRENT_TRANSACTIONS:
                break
            self._world.tally.expected[f"{KIND}: CONCURRENT_TRANSACTIONS"] += 1
            await self._world.pace.pause(PAUSE_SECONDS)
        self._check(answer.error_code)
        self._producer_id, self._epoch = answer.producer_id, answer.producer_epoch

    async def write(self, partition: int) -> None:
        if self._names_partitions and partition not in self._named:
            await self._name(partition)
        sequence = self._sequences.get(partition, 0)
        batch, count = some_batch(
            self._world.random,
            count=self._world.random.randint(1, 5),
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            base_sequence=sequence,
            is_transactional=True,
        )
        request = produce_request(LEDGER, batch, partition)
        request.transactional_id = self._id
        answer = await self._client.ask(request, ProduceResponse, self._versions["produce"])
        self._check(answer.responses[0].partition_responses[0].error_code)
        self._sequences[partition] = sequence + count
        self._world.tally.done["records"] += count

    async def _name(self, partition: int) -> None:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self._id,
            v3_and_below_producer_id=self._producer_id,
            v3_and_below_producer_epoch=self._epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=LEDGER, partitions=[partition])],
        )
        answer = await self._client.ask(request, AddPartitionsToTxnResponse, 3)
        self._check(answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code)
        self._named.add(partition)

    async def send_offsets(self, group_id: str, offset: int) -> None:
        if self._names_partitions:
            adding = AddOffsetsToTxnRequest(
                transactional_id=self._id,
                producer_id=self._producer_id,
                producer_epoch=self._epoch,
                group_id=group_id,
            )
            self._check((await self._client.ask(adding, AddOffsetsToTxnResponse)).error_code)
        committed = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
        request = TxnOffsetCommitRequest(
            transactional_id=self._id,
            group_id=group_id,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            topics=[TxnOffsetCommitRequestTopic(name=LEDGER, partitions=[committed])],
        )
        answer = await self._client.ask(request, TxnOffsetCommitResponse, self._versions["offsets"])
        self._check(answer.topics[0].partitions[0].error_code)

    async def end(self, *, committed: bool) -> None:
        request = EndTxnRequest(
            transactional_id=self._id, producer_id=self._producer_id, producer_epoch=self._epoch, committed=committed
        )
        answer = await self._client.ask(request, EndTxnResponse, self._versions["end"])
        self._check(answer.error_code)
        self._named.clear()
        if not self._names_partitions:
            self._producer_id, self._epoch = answer.producer_id, answer.producer_epoch
            self._sequences.clear()


async def transactional_producer(world: World) -> None:
    """Some transactions under an id that is new or, one in two, has been used before."""
    random, done = world.random, world.tally.done
    leaves_open = random.random() < 0.2
    # Two producers that share an id fence each other, which is what errors are: steady ids are taken one at a time.
    transactional_id = world.fresh("txn") if random.random() < 0.5 or leaves_open else _steady_id(world)
    try:
        async with world.connect() as client:
            producer = TransactionalProducer(world, client, transactional_id)
            await producer.begin(LEFT_OPEN_TIMEOUT_MS if leaves_open else TIMEOUT_MS)
            for _ in range(random.randint(1, 20) if not leaves_open else 1):
                for partition in random.sample(range(PARTITION_COUNTS[LEDGER]), random.randint(1, 3)):
                    await producer.write(partition)
                if random.random() < 0.3:
                    group_id = random.choice(("readers", world.fresh("exactly-once")))
                    await producer.send_offsets(group_id, done["transactions"])
                if leaves_open:
                    done["transactions left open"] += 1
                else:
                    await producer.end(committed=random.random() < 0.7)
                    done["transactions"] += 1
                await world.pace.pause(PAUSE_SECONDS)
    except Refused:
        return
    finally:
        world.steady_ids.discard(transactional_id)


def _steady_id(world: World) -> str:
    free = [name for number in range(STEADY_IDS) if (name := f"steady-{number}") not in world.steady_ids]
    transactional_id = world.random.choice(free)
    world.steady_ids.add(transactional_id)
    return transactional_id
