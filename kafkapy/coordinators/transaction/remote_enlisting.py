"""Asks transaction coordinators on other brokers about partitions that are led here (AddPartitionsToTxnManager of
Apache Kafka).

AddPartitionsToTxn from version 4 on is what brokers send: many transactions in one request, each either to be verified
or to be extended by partitions (KIP-890).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from kafkapy.coordinators.broker_queues import BrokerQueues
from kafkapy.peers import PeerUnavailable
from kafkapy.pending import Pending
from kafkapy_wire.errors import ErrorCode, KafkaError, error_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.coordinators.transaction.ports import OtherBroker, OtherBrokers
    from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch, TopicPartition
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.add_partitions_to_txn import (
        AddPartitionsToTxnRequest,
        AddPartitionsToTxnResponse,
        AddPartitionsToTxnTransaction,
    )

logger = logging.getLogger("kafkapy.transactions")

PURPOSE: Final = "transactions"
PARTITIONS_AT_ONCE_MAX: Final = 1_000

Errors = dict["TopicPartition", ErrorCode]


class _Question(NamedTuple):
    """One transaction of a request; `answered` is settled with the error of each of its partitions, or refused."""

    transactional_id: str
    producer: ProducerIdAndEpoch
    partitions: Sequence[TopicPartition]
    verify_only: bool
    answered: Pending[Errors]


class RemoteEnlister:
    """What `PartitionEnlister` asks about transactional ids that other brokers coordinate."""

    def __init__(self, others: OtherBrokers, settings: CurrentSettings) -> None:
        self._others = others
        self._settings = settings
        self._queues: BrokerQueues[_Question] = BrokerQueues(self._send)

    async def run(self) -> None:
        """Ask other brokers, until cancelled."""
        await self._queues.run()

    def ask(
        self,
        broker_id: int,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        partitions: Sequence[TopicPartition],
        *,
        verify_only: bool,
    ) -> Pending[Errors]:
        """The error of each partition, as that broker has answered it.

        Refused for all of them: COORDINATOR_NOT_AVAILABLE, the broker is not running; NETWORK_EXCEPTION, it has not
        answered; what it has answered to the request as a whole.
        """
        answered: Pending[Errors] = Pending()
        self._queues.put(broker_id, _Question(transactional_id, producer, partitions, verify_only, answered))
        return answered

    async def _send(self, broker_id: int, questions: list[_Question]) -> list[_Question]:
        asked, left = _chosen(questions)
        try:
            peer = self._others.broker(broker_id, PURPOSE)
        except PeerUnavailable:
            _refuse(asked, ErrorCode.COORDINATOR_NOT_AVAILABLE)
            return left
        try:
            answer = await self._ask(peer, asked)
        except PeerUnavailable as error:
            logger.info("broker %d was not asked about transactions: %s", broker_id, error)
            _refuse(asked, ErrorCode.NETWORK_EXCEPTION)
            return left
        if answer.error_code != ErrorCode.NONE:
            code = error_code(answer.error_code)
            # A producer must not hear that a broker has not the rights of one.
            _refuse(asked, ErrorCode.INVALID_TXN_STATE if code is ErrorCode.CLUSTER_AUTHORIZATION_FAILED else code)
            return left
        results = {result.transactional_id: result.topic_results for result in answer.results_by_transaction}
        for question in asked:
            said = {
                (topic.name, partition.partition_index): error_code(partition.partition_error_code)
                for topic in results.get(question.transactional_id, ())
                for partition in topic.results_by_partition
            }
            question.answered.answer(dict.fromkeys(question.partitions, ErrorCode.NETWORK_EXCEPTION) | said)
        return left

    async def _ask(self, peer: OtherBroker, asked: list[_Question]) -> AddPartitionsToTxnResponse:
        timeout_ms = self._settings.now.network.request_timeout_ms
        return cast("AddPartitionsToTxnResponse", await peer.ask(_request(asked), timeout_ms=timeout_ms))


def _chosen(questions: list[_Question]) -> tuple[list[_Question], list[_Question]]:
    """What goes into one request, and the rest: a request has each transactional id once."""
    asked: dict[str, _Question] = {}
    left: list[_Question] = []
    room = PARTITIONS_AT_ONCE_MAX
    for question in questions:
        if question.transactional_id in asked or (asked and len(question.partitions) > room):
            left.append(question)
        else:
            asked[question.transactional_id] = question
            room -= len(question.partitions)
    return list(asked.values()), left


def _request(asked: list[_Question]) -> AddPartitionsToTxnRequest:
    from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest

    return AddPartitionsToTxnRequest(transactions=[_transaction(question) for question in asked])


def _transaction(question: _Question) -> AddPartitionsToTxnTransaction:
    from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction

    topics: dict[str, list[int]] = {}
    for topic, index in question.partitions:
        topics.setdefault(topic, []).append(index)
    return AddPartitionsToTxnTransaction(
        transactional_id=question.transactional_id,
        producer_id=question.producer.producer_id,
        producer_epoch=question.producer.epoch,
        verify_only=question.verify_only,
        topics=[AddPartitionsToTxnTopic(name=name, partitions=indexes) for name, indexes in topics.items()],
    )


def _refuse(asked: list[_Question], code: ErrorCode) -> None:
    for question in asked:
        question.answered.refuse(KafkaError(code))
