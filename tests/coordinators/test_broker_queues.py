"""What goes to other brokers together: one request at a time to each, and nothing twice in one request."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from kafkapy.coordinators.broker_queues import BrokerQueues
from kafkapy.coordinators.transaction import marker_channels, remote_enlisting
from kafkapy.coordinators.transaction.marker_channels import MarkerChannels
from kafkapy.coordinators.transaction.markers import Marker
from kafkapy.coordinators.transaction.remote_enlisting import RemoteEnlister
from kafkapy.coordinators.transaction.transaction import ProducerIdAndEpoch
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller.image import PartitionImage, TopicImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message
from kafkapy_wire.messages.add_partitions_to_txn import AddPartitionsToTxnResponse
from kafkapy_wire.messages.write_txn_markers import WriteTxnMarkersRequest, WriteTxnMarkersResponse
from kafkapy_wire.uuid import ZERO_UUID
from tests.coordinators.group_lab import Metadata

HERE, OTHER = 1, 2
SETTINGS = CurrentSettings(Settings({}))


async def test_each_broker_has_one_request_at_a_time() -> None:
    sent: list[tuple[int, list[str]]] = []
    go_on = trio.Event()

    async def send(broker_id: int, items: list[str]) -> list[str]:
        sent.append((broker_id, items))
        await go_on.wait()
        return items[2:]  # two fit into a request

    queues: BrokerQueues[str] = BrokerQueues(send)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queues.run)
        queues.put(OTHER, "a")
        await trio.testing.wait_all_tasks_blocked()
        for item in ("b", "c", "d"):
            queues.put(OTHER, item)
        queues.put(3, "elsewhere")
        await trio.testing.wait_all_tasks_blocked()
        assert sent == [(OTHER, ["a"]), (3, ["elsewhere"])]
        go_on.set()
        await trio.testing.wait_all_tasks_blocked()
        assert sent[2:] == [(OTHER, ["b", "c", "d"]), (OTHER, ["d"])]
        queues.put(OTHER, "later")
        await trio.testing.wait_all_tasks_blocked()
        assert sent[4:] == [(OTHER, ["later"])]
        nursery.cancel_scope.cancel()


class Others:
    """The only other broker, which gives the answers in order."""

    def __init__(self, *answers: Message) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def broker(self, broker_id: int, _purpose: str) -> Others:
        assert broker_id == OTHER
        return self

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        assert timeout_ms == 30_000
        self.asked.append(request)
        return self.answers.pop(0)


def led_elsewhere(count: int) -> Metadata:
    metadata = Metadata()
    partitions = (PartitionImage((OTHER,), (OTHER,), OTHER),) * count
    metadata.image = metadata.image._replace(topics={"t": TopicImage("t", ZERO_UUID, partitions)})
    return metadata


async def test_markers_of_two_transactions_of_a_producer_go_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And so do more than fit. An answer that leaves a partition out is none for it."""
    monkeypatch.setattr(marker_channels, "PARTITIONS_AT_ONCE_MAX", 2)
    others = Others(*(WriteTxnMarkersResponse() for _ in range(3)))
    nobody: Any = None
    channels = MarkerChannels(nobody, led_elsewhere(3), others, SETTINGS, node_id=HERE)
    first, second = (Marker(7, epoch, True, 0, 2) for epoch in (1, 2))
    written = [channels.write("t", index, marker) for marker in (first, second) for index in range(2)]
    written.append(channels.write("t", 2, first))
    unwanted = channels.write("t", 2, second)
    unwanted.abandon()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channels.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    sent = [
        [(marker.producer_epoch, topic.partition_indexes) for marker in request.markers for topic in marker.topics]
        for request in others.asked
        if isinstance(request, WriteTxnMarkersRequest)
    ]
    assert sent == [[(1, [0, 1])], [(2, [0, 1])], [(1, [2])]]
    assert [one.result() for one in written] == [ErrorCode.NETWORK_EXCEPTION] * 5
    assert not unwanted.settled


@pytest.mark.parametrize(
    ("error", "heard"),
    [
        (ErrorCode.CLUSTER_AUTHORIZATION_FAILED, ErrorCode.INVALID_TXN_STATE),
        (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS),
    ],
)
async def test_a_coordinator_that_refuses_a_whole_request(error: ErrorCode, heard: ErrorCode) -> None:
    remote = RemoteEnlister(Others(AddPartitionsToTxnResponse(error_code=error)), SETTINGS)
    asked = remote.ask(OTHER, "id", ProducerIdAndEpoch(1, 0), [("t", 0)], verify_only=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(remote.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with pytest.raises(KafkaError) as refused:
        asked.result()
    assert refused.value.code is heard


async def test_a_transactional_id_is_in_a_request_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And more partitions than fit wait for the next one, unless they are the first."""
    monkeypatch.setattr(remote_enlisting, "PARTITIONS_AT_ONCE_MAX", 2)
    others = Others(*(AddPartitionsToTxnResponse() for _ in range(3)))
    remote = RemoteEnlister(others, SETTINGS)
    answers = [
        remote.ask(OTHER, name, ProducerIdAndEpoch(1, 0), [("t", index) for index in range(count)], verify_only=True)
        for name, count in (("a", 1), ("a", 1), ("b", 3), ("c", 1))
    ]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(remote.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    names = [[one.transactional_id for one in request.transactions] for request in others.asked]
    assert names == [["a", "c"], ["a"], ["b"]]
    assert answers[2].result() == {("t", index): ErrorCode.NETWORK_EXCEPTION for index in range(3)}
