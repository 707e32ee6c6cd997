"""A transactional producer as the scenarios play it: its requests, in any version, right or wrong."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from compat_tests.differential.peer import Peer
from compat_tests.differential.scenarios.produce import UNKNOWN_ID, batch, produce
from kafkapy_wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from kafkapy_wire.messages.describe_transactions import DescribeTransactionsRequest
from kafkapy_wire.messages.end_txn import EndTxnRequest
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.produce import ProduceRequest
from kafkapy_wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from kafkapy_wire.uuid import Uuid

TIMEOUT_MS = 60_000
NEWEST_PRODUCE = 13
FIRST_BATCHED_ADD = 4  # from this version on AddPartitionsToTxn holds several transactions
RETRIABLE = {14, 15, 16, 51}  # loading, not available, not the coordinator, the transaction before is still ending
COMPLETE = {"CompleteCommit", "CompleteAbort"}
NEVER_MEANT = 1_000
"""From a producer's id to one that nobody has."""


def now_ms() -> int:
    return int(time.time() * 1_000)


@dataclass(frozen=True, slots=True)
class TransactionalProducer:
    """A transactional id with what the coordinator has given it. Most methods build requests, for `peer.ask`."""

    peer: Peer
    name: str
    producer_id: int
    epoch: int

    @classmethod
    def ready(cls, peer: Peer, name: str, *, epoch: int = 0, timeout_ms: int = TIMEOUT_MS) -> Self:
        """A new transactional id that is initialised until it has this epoch, once the coordinator is there."""
        find = FindCoordinatorRequest(key_type=1, coordinator_keys=[name])
        peer.until(find, lambda answer: answer.coordinators[0].error_code == 0, "a coordinator")
        producer = cls(peer, name, -1, -1)
        while producer.epoch < epoch:
            producer = producer.initialised(timeout_ms=timeout_ms)
        return producer

    def initialised(self, *, timeout_ms: int = TIMEOUT_MS) -> Self:
        """The next producer of this transactional id, quietly; an open transaction is aborted first."""
        request = InitProducerIdRequest(transactional_id=self.name, transaction_timeout_ms=timeout_ms)
        answer = self.peer.until(request, lambda answer: answer.error_code not in RETRIABLE, "a producer id")
        assert answer.error_code == 0, answer
        return self.after(answer)

    def after(self, answer: Any) -> Self:
        """The producer goes on with what an answer of InitProducerId or EndTxn v5 gave it, if it gave something."""
        if answer is None or answer.error_code or answer.producer_id < 0:
            return self
        return replace(self, producer_id=answer.producer_id, epoch=answer.producer_epoch)

    def wrong(self, *, name: str | None = None, epochs: int = 0, producer_ids: int = 0) -> Self:
        """As this one, but of another transactional id, or so many epochs or producer ids further."""
        return replace(
            self,
            name=self.name if name is None else name,
            producer_id=self.producer_id + producer_ids,
            epoch=self.epoch + epochs,
        )

    def wrongs(self) -> dict[str, Self]:
        """Every way not to be the producer, by its label. The epoch before has to be a possible one."""
        assert self.epoch > 0
        return {
            "unknown transactional id": self.wrong(name=f"{self.name}-unknown"),
            "empty transactional id": self.wrong(name=""),
            "other producer id": self.wrong(producer_ids=NEVER_MEANT),
            "no producer id": replace(self, producer_id=-1),
            "older epoch": self.wrong(epochs=-1),
            "later epoch": self.wrong(epochs=1),
            "no epoch": replace(self, epoch=-1),
        }

    # -- requests

    def batch(self, *values: bytes, sequence: int = 0, is_transactional: bool = True) -> bytes:
        return batch(
            *(values or (b"value",)),
            timestamp=now_ms(),
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=sequence,
            is_transactional=is_transactional,
        )

    def produce(
        self, version: int, topic: str, *values: bytes, partition: int = 0, sequence: int = 0, acks: int = -1
    ) -> ProduceRequest:
        records = self.batch(*values, sequence=sequence)
        return produce(self.peer, version, topic, records, partition=partition, acks=acks, transactional_id=self.name)

    def initialise(self, *, goes_on: bool = False, timeout_ms: int = TIMEOUT_MS) -> InitProducerIdRequest:
        """As a new producer, or as this one that goes on after an error (KIP-360)."""
        request = InitProducerIdRequest(transactional_id=self.name, transaction_timeout_ms=timeout_ms)
        if goes_on:
            request.producer_id, request.producer_epoch = self.producer_id, self.epoch
        return request

    def transaction(
        self, topics: Mapping[str, Iterable[int]], *, verify_only: bool = False
    ) -> AddPartitionsToTxnTransaction:
        """One entry of AddPartitionsToTxn v4 and later."""
        return AddPartitionsToTxnTransaction(
            transactional_id=self.name,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            verify_only=verify_only,
            topics=[AddPartitionsToTxnTopic(name=topic, partitions=list(found)) for topic, found in topics.items()],
        )

    def add(self, version: int, topics: Mapping[str, Iterable[int]]) -> AddPartitionsToTxnRequest:
        transaction = self.transaction(topics)
        if version >= FIRST_BATCHED_ADD:
            return AddPartitionsToTxnRequest(transactions=[transaction])
        return AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=transaction.transactional_id,
            v3_and_below_producer_id=transaction.producer_id,
            v3_and_below_producer_epoch=transaction.producer_epoch,
            v3_and_below_topics=transaction.topics,
        )

    def verify(self, topics: Mapping[str, Iterable[int]]) -> AddPartitionsToTxnRequest:
        return AddPartitionsToTxnRequest(transactions=[self.transaction(topics, verify_only=True)])

    def add_offsets(self, group: str) -> AddOffsetsToTxnRequest:
        return AddOffsetsToTxnRequest(
            transactional_id=self.name, producer_id=self.producer_id, producer_epoch=self.epoch, group_id=group
        )

    def commit_offsets(
        self,
        group: str,
        offsets: Mapping[str, Mapping[int, int]],
        *,
        member: str = "",
        generation: int = -1,
        instance: str | None = None,
        metadata: str | None = "",
    ) -> TxnOffsetCommitRequest:
        """`offsets` by topic and partition."""
        topics = [
            TxnOffsetCommitRequestTopic(
                name=topic,
                topic_id=Uuid(self.peer.topic_ids.get(topic, UNKNOWN_ID)),
                partitions=[
                    TxnOffsetCommitRequestPartition(
                        partition_index=index, committed_offset=offset, committed_metadata=metadata
                    )
                    for index, offset in found.items()
                ],
            )
            for topic, found in offsets.items()
        ]
        return TxnOffsetCommitRequest(
            transactional_id=self.name,
            group_id=group,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            member_id=member,
            generation_id_or_member_epoch=generation,
            group_instance_id=instance,
            topics=topics,
        )

    def end(self, *, committed: bool) -> EndTxnRequest:
        return EndTxnRequest(
            transactional_id=self.name,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            committed=committed,
        )

    # -- whole steps

    def described(self, label: str = "") -> None:
        """Write down what the coordinator says of it."""
        self.peer.ask(DescribeTransactionsRequest(transactional_ids=[self.name]), label=f"{self.name} {label}".rstrip())

    def opened(self, topic: str, *partitions: int, version: int = NEWEST_PRODUCE, sequence: int = 0) -> Self:
        """Quietly begin a transaction, or go on, with a record in each of the partitions (default: the first); before
        version 12 they are added by a request of their own."""
        partitions = partitions or (0,)
        if version < 12:
            self._quietly_without_error(self.add(3, {topic: partitions}), 3)
        for index in partitions:
            self._quietly_without_error(self.produce(version, topic, partition=index, sequence=sequence), version)
        return self

    def ended(self, *, committed: bool, version: int = 5) -> Self:
        """Quietly end the transaction, and wait until that is complete; the producer of the next one."""
        answer = self._quietly_without_error(self.end(committed=committed), version)
        self.await_complete()
        return self.after(answer) if version >= 5 else self

    def await_complete(self) -> None:
        """Wait until the markers are written: Apache Kafka answers EndTxn before."""
        request = DescribeTransactionsRequest(transactional_ids=[self.name])
        self.peer.until(
            request,
            lambda answer: answer.transaction_states[0].transaction_state in COMPLETE,
            f"the transaction of {self.name} is complete",
        )

    def _quietly_without_error(self, request: Any, version: int) -> Any:
        answer = self.peer.quietly(request, version)
        codes = [answer.error_code] if hasattr(answer, "error_code") else []
        if isinstance(request, ProduceRequest):
            codes = [partition.error_code for topic in answer.responses for partition in topic.partition_responses]
        elif isinstance(request, AddPartitionsToTxnRequest):
            codes = [
                partition.partition_error_code
                for topic in answer.results_by_topic_v3_and_below
                for partition in topic.results_by_partition
            ]
        assert not any(codes), f"{self.peer.name}: {request} {answer}"
        return answer
