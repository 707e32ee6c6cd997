"""A transactional producer of `TwoBrokers`, and what its tests look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafkapy.coordinators.runtime import partition_for
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy_controller.topic_names import OFFSETS_TOPIC, TRANSACTION_TOPIC
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from kafkapy_wire.messages.end_txn import EndTxnRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkapy_wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from kafkapy_wire.records import ControlRecordType, NewRecord, build_batch, read_control_record_type
from tests.coordinators.two_brokers import (
    DATA_TOPIC,
    PARTITION_COUNTS,
    Fate,
    OneBroker,
    TwoBrokers,
)

NONE = ErrorCode.NONE
LAST_PRODUCE_BY_NAME = 12
OFFSET_OF_NOBODY = OffsetCommitRequestTopic(
    name=DATA_TOPIC, partitions=[OffsetCommitRequestPartition(partition_index=1, committed_offset=1)]
)


def name_in(topic: str, index: int) -> str:
    """A group or transactional id whose coordinator leads that partition of `topic`."""
    return next(name for name in map(str, range(100)) if partition_for(name, PARTITION_COUNTS[topic]) == index)


ID = name_in(TRANSACTION_TOPIC, 0)  # coordinated by the first broker
GROUP = name_in(OFFSETS_TOPIC, 1)  # by the second


class Producer:
    """A producer that sends each request to the broker that leads, or coordinates, by what the controller knows."""

    def __init__(self, lab: TwoBrokers, *, old: bool = False) -> None:
        self.lab = lab
        self.old = old  # from before transaction version 2
        self.identity = ProducerIdAndEpoch(-1, -1)
        self.sequences: dict[int, int] = {}

    @property
    def coordinator(self) -> OneBroker:
        return self.lab.leader(TRANSACTION_TOPIC, 0)

    async def ask(self, broker: OneBroker, request: Message, version: int | None = None) -> Any:
        """The answer, with the followers fetching until it is there."""
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await broker.ask(request, version))

        self.lab.nursery.start_soon(ask)
        for _ in range(20):
            await self.lab.quiet()
            if answers:
                return answers[0]
            self.lab.replicate_all()
        raise AssertionError(f"no answer to {request}")

    async def init(self) -> ErrorCode:
        request = InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000)
        answer = await self.ask(self.coordinator, request)
        if answer.error_code == NONE:
            self.identity = ProducerIdAndEpoch(answer.producer_id, answer.producer_epoch)
            self.sequences.clear()
        return ErrorCode(answer.error_code)

    async def produce(self, index: int) -> ErrorCode:
        version = 11 if self.old else LAST_PRODUCE_BY_NAME
        answer = await self.ask(self.lab.leader(DATA_TOPIC, index), self.produce_request(index), version)
        code = ErrorCode(answer.responses[0].partition_responses[0].error_code)
        if code is NONE:
            self.sequences[index] = self.sequences.get(index, 0) + 1
        return code

    def produce_request(self, index: int) -> ProduceRequest:
        batch = build_batch(
            [NewRecord(0, None, b"value")],
            producer_id=self.identity.producer_id,
            producer_epoch=self.identity.epoch,
            base_sequence=self.sequences.get(index, 0),
            is_transactional=True,
        )
        partition = PartitionProduceData(index=index, records=batch)
        return ProduceRequest(
            transactional_id=ID,
            acks=-1,
            timeout_ms=60_000,
            topic_data=[TopicProduceData(name=DATA_TOPIC, partition_data=[partition])],
        )

    async def add(self, *indexes: int) -> list[ErrorCode]:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=ID,
            v3_and_below_producer_id=self.identity.producer_id,
            v3_and_below_producer_epoch=self.identity.epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=DATA_TOPIC, partitions=list(indexes))],
        )
        answer = await self.ask(self.coordinator, request, 3)
        return [
            ErrorCode(result.partition_error_code)
            for result in answer.results_by_topic_v3_and_below[0].results_by_partition
        ]

    async def commit_offset(self, offset: int, version: int = 5) -> ErrorCode:
        answer = await self.ask(self.lab.leader(OFFSETS_TOPIC, 1), self.commit_request(offset), version)
        return ErrorCode(answer.topics[0].partitions[0].error_code)

    def commit_request(self, offset: int) -> TxnOffsetCommitRequest:
        partition = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
        return TxnOffsetCommitRequest(
            transactional_id=ID,
            group_id=GROUP,
            producer_id=self.identity.producer_id,
            producer_epoch=self.identity.epoch,
            topics=[TxnOffsetCommitRequestTopic(name=DATA_TOPIC, partitions=[partition])],
        )

    async def end(self, *, commit: bool = True) -> ErrorCode:
        answer = await self.ask(self.coordinator, self.end_request(commit=commit), 4 if self.old else 5)
        if answer.error_code == NONE and not self.old:
            self.identity = ProducerIdAndEpoch(answer.producer_id, answer.producer_epoch)
            self.sequences.clear()
        return ErrorCode(answer.error_code)

    def end_request(self, *, commit: bool) -> EndTxnRequest:
        return EndTxnRequest(
            transactional_id=ID,
            producer_id=self.identity.producer_id,
            producer_epoch=self.identity.epoch,
            committed=commit,
        )


async def committed(producer: Producer) -> int:
    topics = [OffsetFetchRequestTopics(name=DATA_TOPIC, partition_indexes=[0])]
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=GROUP, topics=topics)])
    answer = await producer.ask(producer.lab.leader(OFFSETS_TOPIC, 1), request, 9)
    assert answer.groups[0].error_code == NONE
    offset: int = answer.groups[0].topics[0].partitions[0].committed_offset
    return offset


def markers(lab: TwoBrokers, index: int, topic: str = DATA_TOPIC) -> list[ControlRecordType]:
    return [
        read_control_record_type(records[0].key)
        for header, records in lab.stored(topic, index)
        if header.is_control and records
    ]


def asked(lab: TwoBrokers, kind: type[Message]) -> list[Any]:
    return [request for _, request in lab.asked if isinstance(request, kind)]


def first_times(fate: Fate, kind: type[Message], count: int = 1) -> Callable[[Message], Fate]:
    """The first requests of that kind meet that fate."""
    left = count

    def decide(request: Message) -> Fate:
        nonlocal left
        if not isinstance(request, kind) or not left:
            return Fate.ANSWERED
        left -= 1
        return fate

    return decide
