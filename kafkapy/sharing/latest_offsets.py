"""Where partitions end, led by this broker or another: what share groups lag behind."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

import trio

from kafkapy.peers import PeerUnavailable
from kafkapy.turns import Turn
from kafkapy_controller.image import NO_LEADER
from kafkapy_wire.errors import ErrorCode, KafkaError, error_code
from kafkapy_wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.coordinators.transaction.ports import OtherBrokers
    from kafkapy.metadata.ports import Metadata
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.list_offsets import ListOffsetsResponse

logger = logging.getLogger("kafkapy.share_groups")

PURPOSE: Final = "share-lag"
LATEST: Final = -1
CONSUMER: Final = -1

Place = tuple[str, int]
"""topic and partition."""


class LatestOffsets:
    """Ends are those of what is committed."""

    def __init__(
        self,
        partitions: PartitionManager,
        others: OtherBrokers,
        metadata: Metadata,
        settings: CurrentSettings,
        *,
        node_id: int,
    ) -> None:
        self._partitions = partitions
        self._others = others
        self._metadata = metadata
        self._settings = settings
        self._node_id = node_id

    async def find(self, partitions: Sequence[Place]) -> dict[Place, int | KafkaError]:
        """One request to each leader."""
        found: dict[Place, int | KafkaError] = {}
        elsewhere: dict[int, list[Place]] = {}
        turn = Turn()
        for place in partitions:
            await turn.share()
            leader_id = self._leader_of(place)
            if leader_id == self._node_id:
                found[place] = self._end_here(place)
            elif leader_id == NO_LEADER:
                found[place] = KafkaError(ErrorCode.LEADER_NOT_AVAILABLE)
            else:
                elsewhere.setdefault(leader_id, []).append(place)
        async with trio.open_nursery() as nursery:
            for leader_id, places in elsewhere.items():
                nursery.start_soon(self._ask, leader_id, places, found)
        return found

    def _leader_of(self, place: Place) -> int:
        topic = self._metadata.image.topics.get(place[0])
        if topic is None or place[1] >= len(topic.partitions):
            return NO_LEADER
        return topic.partitions[place[1]].leader

    def _end_here(self, place: Place) -> int | KafkaError:
        try:
            return self._partitions.leader(*place).high_watermark
        except KafkaError as error:
            return error

    async def _ask(self, leader_id: int, places: list[Place], found: dict[Place, int | KafkaError]) -> None:
        by_topic: dict[str, list[ListOffsetsPartition]] = {}
        for topic, index in places:
            by_topic.setdefault(topic, []).append(ListOffsetsPartition(partition_index=index, timestamp=LATEST))
        topics = [ListOffsetsTopic(name=topic, partitions=wanted) for topic, wanted in by_topic.items()]
        request = ListOffsetsRequest(replica_id=CONSUMER, topics=topics)
        try:
            peer = self._others.broker(leader_id, PURPOSE)
            response = await peer.ask(request, timeout_ms=self._settings.now.network.request_timeout_ms)
        except PeerUnavailable as reason:
            logger.info("broker %d has not said where partitions end: %s", leader_id, reason)
        else:
            for answer in cast("ListOffsetsResponse", response).topics:
                for one in answer.partitions:
                    error = error_code(one.error_code)
                    found[answer.name, one.partition_index] = KafkaError(error) if error else one.offset
        for place in places:
            found.setdefault(place, KafkaError(ErrorCode.NETWORK_EXCEPTION))
