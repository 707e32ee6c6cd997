"""What `kafkapy transactions` asks and changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import ClientError, TryAgain, check
from kafkapy.client.offsets import Partition, leaders_of
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    ProducerState,
    TopicRequest,
)
from kafkapy_wire.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse
from kafkapy_wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

ONGOING = "Ongoing"
_NO_OFFSET = -1


@dataclass(frozen=True, slots=True)
class TransactionListing:
    transactional_id: str
    coordinator_id: int
    producer_id: int
    state: str


def list_transactions(
    cluster: Cluster,
    *,
    states: Sequence[str] = (),
    producer_ids: Sequence[int] = (),
    longer_than_ms: int | None = None,
    pattern: str | None = None,
) -> list[TransactionListing]:
    """Those of all coordinators, by transactional id. Raises Refused."""
    request = ListTransactionsRequest(
        state_filters=list(states),
        producer_id_filters=list(producer_ids),
        duration_filter=-1 if longer_than_ms is None else longer_than_ms,
        transactional_id_pattern=pattern,
    )

    def listed_by(broker_id: int) -> Callable[[], ListTransactionsResponse]:
        def attempt() -> ListTransactionsResponse:
            answer = cluster.ask_once(cluster.broker(broker_id), request, ListTransactionsResponse)
            what = "the pattern" if answer.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION else "the transactions"
            check(answer.error_code, f"{what} at broker {broker_id}")
            return answer

        return attempt

    found = [
        TransactionListing(each.transactional_id, broker_id, each.producer_id, each.transaction_state)
        for broker_id in cluster.broker_ids()
        for each in cluster.retrying(listed_by(broker_id)).transaction_states
    ]
    return sorted(found, key=lambda listing: listing.transactional_id)


def describe_transaction(cluster: Cluster, transactional_id: str) -> tuple[int, TransactionState]:
    """The id of its coordinator, and what that knows. Raises Refused: there is no such transactional id."""
    request = DescribeTransactionsRequest(transactional_ids=[transactional_id])

    def attempt() -> tuple[int, TransactionState]:
        coordinator_id = cluster.transaction_coordinator_id(transactional_id)
        answer = cluster.ask_once(cluster.broker(coordinator_id), request, DescribeTransactionsResponse)
        (state,) = answer.transaction_states
        check(state.error_code, f"transactional id {transactional_id!r}")
        return coordinator_id, state

    return cluster.retrying(attempt)


def abort_transaction(cluster: Cluster, transactional_id: str) -> TransactionState:
    """Abort the open transaction of an id, whose producer is fenced by that. Returns what there was before.

    Raises ClientError: no transaction is open.
    """
    _, before = describe_transaction(cluster, transactional_id)
    if before.transaction_state != ONGOING:
        raise ClientError(
            f"transactional id {transactional_id!r} has no open transaction: its state is {before.transaction_state}"
        )
    # A new producer of this id: the coordinator aborts what the one before has left open.
    request = InitProducerIdRequest(
        transactional_id=transactional_id, transaction_timeout_ms=before.transaction_timeout_ms
    )

    def attempt() -> None:
        connection = cluster.broker(cluster.transaction_coordinator_id(transactional_id))
        answer = cluster.ask_once(connection, request, InitProducerIdResponse)
        check(answer.error_code, f"transactional id {transactional_id!r}")

    cluster.retrying(attempt)
    return before


def active_producers(cluster: Cluster, partition: Partition) -> list[ProducerState]:
    """Those that the leader of a partition remembers. Raises Refused."""
    topic, index = partition
    request = DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=[index])])

    def attempt() -> list[ProducerState]:
        answer = cluster.ask_once(_leader(cluster, partition), request, DescribeProducersResponse)
        (found,) = answer.topics[0].partitions
        check(found.error_code, f"partition {topic}-{index}", found.error_message)
        return sorted(found.active_producers, key=lambda producer: producer.producer_id)

    return cluster.retrying(attempt)


def abort_hanging_transaction(cluster: Cluster, partition: Partition, start_offset: int) -> ProducerState:
    """Write an ABORT marker into one partition, for a transaction that its coordinator knows nothing of any more.

    Returns its producer. Raises ClientError: no transaction that begins there is open.
    """
    topic, index = partition
    producers = active_producers(cluster, partition)
    producer = next((each for each in producers if each.current_txn_start_offset == start_offset), None)
    if producer is None:
        opened = [each.current_txn_start_offset for each in producers if each.current_txn_start_offset != _NO_OFFSET]
        there = f"there are some at {', '.join(map(str, sorted(opened)))}" if opened else "there is none at all"
        raise ClientError(f"partition {topic}-{index} has no open transaction at offset {start_offset}: {there}")
    marker = WritableTxnMarker(
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
        transaction_result=False,
        topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=[index])],
        coordinator_epoch=max(producer.coordinator_epoch, 0),
    )

    def attempt() -> None:
        request = WriteTxnMarkersRequest(markers=[marker])
        answer = cluster.ask_once(_leader(cluster, partition), request, WriteTxnMarkersResponse)
        check(answer.markers[0].topics[0].partitions[0].error_code, f"partition {topic}-{index}")

    cluster.retrying(attempt)
    return producer


def _leader(cluster: Cluster, partition: Partition) -> Connection:
    leaders = leaders_of(cluster, {partition: None})
    if not leaders:
        raise TryAgain(f"partition {partition[0]}-{partition[1]} has no leader", refresh_metadata=True)
    return cluster.broker(next(iter(leaders)))
