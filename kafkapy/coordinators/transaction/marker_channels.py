"""Markers on their way to the leaders of their partitions (Kafka's TransactionMarkerChannelManager).

The coordinator of a transaction writes into the partitions that this broker leads without a socket. What other brokers
lead goes there by WriteTxnMarkers, markers of many transactions in one request. If one is not written, `endings.py`
hears why and tries again: by then another broker may lead the partition.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

from kafkapy.coordinators.broker_queues import BrokerQueues
from kafkapy.peers import PeerUnavailable
from kafkapy.pending import Pending, settled
from kafkapy_controller.image import NO_LEADER
from kafkapy_wire.errors import ErrorCode, error_code

if TYPE_CHECKING:
    from kafkapy.coordinators.transaction.markers import Marker
    from kafkapy.coordinators.transaction.ports import Markers, OtherBrokers
    from kafkapy.metadata.ports import Metadata
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.write_txn_markers import WriteTxnMarkersRequest, WriteTxnMarkersResponse

logger = logging.getLogger("kafkapy.transactions")

PURPOSE: Final = "markers"
PARTITIONS_AT_ONCE_MAX: Final = 1_000
"""Of one request: its receiver writes them all before it answers."""


class _Queued:
    """One marker for one partition; `written` is settled with what became of it."""

    __slots__ = ("index", "is_wanted", "marker", "topic", "written")

    def __init__(self, topic: str, index: int, marker: Marker) -> None:
        self.topic = topic
        self.index = index
        self.marker = marker
        self.is_wanted = True
        self.written: Pending[ErrorCode] = Pending(self._abandon)

    def _abandon(self) -> None:
        self.is_wanted = False


class MarkerChannels:
    """Writes markers wherever their partitions are led; `here` writes those that this broker leads."""

    def __init__(
        self, here: Markers, metadata: Metadata, others: OtherBrokers, settings: CurrentSettings, *, node_id: int
    ) -> None:
        self._here = here
        self._metadata = metadata
        self._others = others
        self._settings = settings
        self._node_id = node_id
        self._queues: BrokerQueues[_Queued] = BrokerQueues(self._send)

    async def run(self) -> None:
        """Send markers to other brokers, until cancelled."""
        await self._queues.run()

    def write(self, topic: str, index: int, marker: Marker) -> Pending[ErrorCode]:
        """NONE once the marker is committed; UNKNOWN_TOPIC_OR_PARTITION, the cluster has no such partition; otherwise
        what its leader has answered, NETWORK_EXCEPTION if it has not, NOT_LEADER_OR_FOLLOWER if there is none.

        A marker whose answer is abandoned is not sent any more. Only the metadata says that a partition is gone; a
        broker that does not have it, be it this one, may have handed it over.
        """
        found = self._metadata.image.topics.get(topic)
        if found is None or index >= len(found.partitions):
            return settled(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        leader = found.partitions[index].leader
        if leader == self._node_id:
            return self._here.write(topic, index, marker).map(_gone_from_there)
        if leader == NO_LEADER:
            return settled(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        queued = _Queued(topic, index, marker)
        self._queues.put(leader, queued)
        return queued.written

    async def _send(self, broker_id: int, queued: list[_Queued]) -> list[_Queued]:
        sent, left = _chosen(queued)
        if not sent:
            return left
        errors: dict[tuple[int, str, int], ErrorCode] = {}
        try:
            peer = self._others.broker(broker_id, PURPOSE)
            answer = await peer.ask(_request(sent), timeout_ms=self._settings.now.network.request_timeout_ms)
        except PeerUnavailable as error:
            logger.info("transaction markers were not written by broker %d: %s", broker_id, error)
        else:
            errors = _errors(cast("WriteTxnMarkersResponse", answer))
        for one in sent:
            code = errors.get((one.marker.producer_id, one.topic, one.index), ErrorCode.NETWORK_EXCEPTION)
            one.written.answer(_gone_from_there(code))
        return left


def _gone_from_there(code: ErrorCode) -> ErrorCode:
    """By this broker's metadata the partition existed, so its leader has not heard of it yet, or has just lost it."""
    return ErrorCode.NOT_LEADER_OR_FOLLOWER if code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION else code


def _chosen(queued: list[_Queued]) -> tuple[list[_Queued], list[_Queued]]:
    """What goes into one request, and the rest. An answer tells markers of one producer apart by their partitions only,
    so a second transaction of a producer waits for the next request.
    """
    sent: list[_Queued] = []
    left: list[_Queued] = []
    markers: dict[int, Marker] = {}
    for one in queued:
        if not one.is_wanted:
            continue
        fits = len(sent) < PARTITIONS_AT_ONCE_MAX
        (sent if fits and markers.setdefault(one.marker.producer_id, one.marker) == one.marker else left).append(one)
    return sent, left


def _request(sent: list[_Queued]) -> WriteTxnMarkersRequest:
    from kafkapy_wire.messages.write_txn_markers import (
        WritableTxnMarker,
        WritableTxnMarkerTopic,
        WriteTxnMarkersRequest,
    )

    topics: dict[Marker, dict[str, list[int]]] = {}
    for one in sent:
        topics.setdefault(one.marker, {}).setdefault(one.topic, []).append(one.index)
    return WriteTxnMarkersRequest(
        markers=[
            WritableTxnMarker(
                producer_id=marker.producer_id,
                producer_epoch=marker.producer_epoch,
                transaction_result=marker.commit,
                coordinator_epoch=marker.coordinator_epoch,
                transaction_version=marker.transaction_version,
                topics=[
                    WritableTxnMarkerTopic(name=name, partition_indexes=indexes) for name, indexes in by_name.items()
                ],
            )
            for marker, by_name in topics.items()
        ]
    )


def _errors(answer: WriteTxnMarkersResponse) -> dict[tuple[int, str, int], ErrorCode]:
    """(producer id, topic, partition) -> the error of its marker."""
    return {
        (marker.producer_id, topic.name, partition.partition_index): error_code(partition.error_code)
        for marker in answer.markers
        for topic in marker.topics
        for partition in topic.partitions
    }
