"""A broker tells the active controller which replica is in which of its log directories (KIP-858), if the metadata
differs.

A replica whose directory is not one of the registered ones counts as offline and is never made leader. So it is with
every replica of a broker that comes back with an empty disk: its directory has a new id.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.turns import Turn
from kafkapy_controller.metadata_version import DIRECTORY_ASSIGNMENT, METADATA_VERSION
from kafkapy_wire.errors import ErrorCode, KafkaError, error_code
from kafkapy_wire.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsRequestDirectoryData,
    AssignReplicasToDirsRequestPartitionData,
    AssignReplicasToDirsRequestTopicData,
    AssignReplicasToDirsResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kafkapy.clock import Clock
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.peers.channel import ControllerChannel
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage, TopicImage
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.broker")

REPLICAS_PER_REQUEST_MAX: Final = 2_250
"""As in Apache Kafka."""
TIMEOUT_MS: Final = 5_000
RETRY_MS: Final = 500
GONE: Final = frozenset(
    {ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER}
)
"""The replica was deleted or moved away: the metadata will say so."""

Replica = tuple["Uuid", int]
"""Topic id and partition index."""


class DirectoryAssignments:
    """What the controller is still to be told. `directory_of` says where a replica is, by topic name and partition
    index; None: its directory is offline, and there is nothing to tell.
    """

    def __init__(
        self,
        node_id: int,
        directory_of: Callable[[str, int], Uuid | None],
        channel: ControllerChannel,
        publisher: MetadataPublisher,
        clock: Clock,
        broker_epoch: Callable[[], int],
    ) -> None:
        self._node_id = node_id
        self._directory_of = directory_of
        self._channel = channel
        self._publisher = publisher
        self._clock = clock
        self._broker_epoch = broker_epoch
        self._wanted: dict[Replica, None] = {}
        self._looks_at_all = True
        self._news = trio.Event()
        self._news.set()
        publisher.subscribe(self._follow_metadata)

    def _follow_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        if METADATA_VERSION in delta.changed_features:
            self._looks_at_all = True
            self._news.set()
        for name, index in delta.changed_partitions:
            self._look_at(image.topics[name], index)

    def look_again(self, topic: str, index: int) -> None:
        """A replica is, or is to be, in another directory than before."""
        found = self._publisher.image.topics.get(topic)
        if found is not None and index < len(found.partitions):
            self._look_at(found, index)

    def _look_at(self, topic: TopicImage, index: int) -> None:
        if self._destination(topic, index) is not None:
            self._wanted[topic.topic_id, index] = None
            self._news.set()

    def _destination(self, topic: TopicImage, index: int) -> Uuid | None:
        """The directory of this broker's replica, if the metadata has it in another one."""
        partition = topic.partitions[index]
        for broker_id, directory_id in zip(partition.replicas, partition.directories, strict=False):
            if broker_id == self._node_id:
                found = self._directory_of(topic.name, index)
                return None if found == directory_id else found
        return None

    async def run(self) -> None:
        """Tell the controller, until cancelled."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            if self._publisher.image.metadata_version < DIRECTORY_ASSIGNMENT:
                self._wanted.clear()  # looked for again at a newer version
                continue
            if self._looks_at_all:
                self._looks_at_all = False
                await self._look_at_all()
            while self._wanted:
                replicas = list(islice(self._wanted, REPLICAS_PER_REQUEST_MAX))
                if not await self._assign(replicas):
                    await self._clock.sleep(RETRY_MS)

    async def _look_at_all(self) -> None:
        turn = Turn()
        for topic in list(self._publisher.image.topics.values()):
            for index in range(len(topic.partitions)):
                self._look_at(topic, index)
            if turn.is_over:
                await turn.share()

    async def _assign(self, replicas: Sequence[Replica]) -> bool:
        """Send one request; whether the controller has taken all that it is told."""
        request = self._request(replicas)
        if request is None:
            return True
        try:
            answer = await self._channel.ask(request, timeout_ms=TIMEOUT_MS)
        except KafkaError as error:
            logger.debug("the controller does not know the directory of %d replicas: %s", len(replicas), error.message)
            return False
        assert isinstance(answer, AssignReplicasToDirsResponse)
        if answer.error_code:
            code = error_code(answer.error_code)
            logger.warning("the active controller refuses the directories of %d replicas: %s", len(replicas), code.name)
            return False
        refused: set[ErrorCode] = set()
        for directory in answer.directories:
            for topic in directory.topics:
                for partition in topic.partitions:
                    code = error_code(partition.error_code)
                    if code is ErrorCode.NONE or code in GONE:
                        self._wanted.pop((topic.topic_id, partition.partition_index), None)
                    else:
                        refused.add(code)
        if refused:
            names = ", ".join(sorted(code.name for code in refused))
            logger.warning("the active controller refuses the directories of some replicas: %s", names)
        return not any(replica in self._wanted for replica in replicas)

    def _request(self, replicas: Sequence[Replica]) -> AssignReplicasToDirsRequest | None:
        """About those that are in another directory by the newest metadata, too; None: there are none."""
        indexes: dict[Uuid, dict[Uuid, list[int]]] = {}  # by directory and topic
        topics = self._publisher.image.topics_by_id
        for topic_id, index in replicas:
            topic = topics.get(topic_id)
            destination = None
            if topic is not None and index < len(topic.partitions):
                destination = self._destination(topic, index)
            if destination is None:
                del self._wanted[topic_id, index]
            else:
                indexes.setdefault(destination, {}).setdefault(topic_id, []).append(index)
        if not indexes:
            return None
        directories = [
            AssignReplicasToDirsRequestDirectoryData(id=directory_id, topics=_topics(of_directory))
            for directory_id, of_directory in indexes.items()
        ]
        return AssignReplicasToDirsRequest(
            broker_id=self._node_id,
            broker_epoch=self._broker_epoch(),
            directories=directories,
        )


def _topics(indexes: Mapping[Uuid, Sequence[int]]) -> list[AssignReplicasToDirsRequestTopicData]:
    return [
        AssignReplicasToDirsRequestTopicData(
            topic_id=topic_id,
            partitions=[AssignReplicasToDirsRequestPartitionData(partition_index=index) for index in of_topic],
        )
        for topic_id, of_topic in indexes.items()
    ]
