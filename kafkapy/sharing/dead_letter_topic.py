"""The dead letter topic of a share group: which one, created when it is first needed; what is written into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from kafkapy.metadata.internal_topics import too_few_for_default
from kafkapy.partitions.looking import check_beside
from kafkapy.peers import PeerUnavailable
from kafkapy.pending import Pending
from kafkapy.sharing.dead_letter_records import BATCH_OVERHEAD_BYTES_MAX, copies, dead_letter_record, size_bytes
from kafkapy.turns import Turn
from kafkapy_controller.image import NO_LEADER, ConfigResourceType
from kafkapy_log.append_validation import TakesLong
from kafkapy_wire.errors import ErrorCode, KafkaError, error_code
from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from kafkapy_wire.records import build_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kafkapy.clock import Clock
    from kafkapy.coordinators.transaction.ports import OtherBrokers
    from kafkapy.metadata.internal_topics import TopicCreator
    from kafkapy.metadata.ports import Metadata
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.partitions.partition import Partition
    from kafkapy.settings import GroupSettings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy.sharing.dead_letter import DeadLetter
    from kafkapy_controller.image import TopicImage
    from kafkapy_wire.messages.produce import ProduceResponse
    from kafkapy_wire.records import NewRecord, Record

PURPOSE: Final = "dead-letters"
ENABLED: Final = "errors.deadletterqueue.group.enable"
AUTO_CREATE: Final = "errors.deadletterqueue.auto.create.topics.enable"
PRODUCE_TIMEOUT_MS: Final = 30_000
PRODUCE_VERSION: Final = 13
ALL_REPLICAS: Final = -1


class DeadLetterTopic:
    """Of every group. Partition p of a topic goes into partition p modulo their number of the dead letter topic."""

    def __init__(
        self,
        settings_of: Callable[[str], GroupSettings],
        partitions: PartitionManager,
        others: OtherBrokers,
        controller: TopicCreator,
        metadata: Metadata,
        settings: CurrentSettings,
        clock: Clock,
        *,
        node_id: int,
    ) -> None:
        self._settings_of = settings_of
        self._partitions = partitions
        self._others = others
        self._controller = controller
        self._metadata = metadata
        self._settings = settings
        self._clock = clock
        self._node_id = node_id

    async def prepare(self, group_id: str) -> None:
        """Create the group's topic, if it does not exist.

        Raises KafkaError: INVALID_CONFIG, the group has no topic into which share groups may write; what the
        controller answers; LEADER_NOT_AVAILABLE, it is created, and this broker does not know of it yet.
        """
        name = self._name(group_id)
        if name in self._metadata.image.topics:
            return
        configs = {ENABLED: "true", "message.timestamp.type": "CreateTime"}
        wanted = CreatableTopic(
            name=name,
            num_partitions=-1,
            replication_factor=-1,
            configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
        )
        answer = await self._controller.create_topics(
            CreateTopicsRequest(topics=[wanted], timeout_ms=PRODUCE_TIMEOUT_MS)
        )
        for result in answer.topics:
            if result.error_code:
                message = result.error_message
                if result.error_code == ErrorCode.INVALID_REPLICATION_FACTOR:
                    message = too_few_for_default(self._settings.now, self._metadata.image) or message
                raise KafkaError(error_code(result.error_code), message)
        if name not in self._metadata.image.topics:
            raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, f"the topic {name!r} was created just now")

    def _name(self, group_id: str) -> str:
        """Raises KafkaError(INVALID_CONFIG)."""
        name = self._settings_of(group_id).errors_deadletterqueue_topic_name
        broker = self._settings.now.share
        prefix = broker.errors_deadletterqueue_topic_name_prefix
        problem = None
        if not name:
            problem = "the group has no errors.deadletterqueue.topic.name"
        elif name.startswith("__"):
            problem = f"the topic {name!r} is an internal one"
        elif name in self._metadata.image.topics:
            if self._configs(name).get(ENABLED) != "true":
                problem = f"the topic {name!r} takes no dead letters: set its {ENABLED}=true"
        elif not broker.errors_deadletterqueue_auto_create_topics_enable:
            problem = (
                f"the topic {name!r} does not exist, and errors.deadletterqueue.auto.create.topics.enable is false"
            )
        if problem is None and not name.startswith(prefix):
            problem = f"the name of the topic {name!r} does not begin with errors.deadletterqueue.topic.name.prefix"
        if problem is not None:
            raise KafkaError(ErrorCode.INVALID_CONFIG, problem)
        return name

    def _configs(self, topic: str) -> Mapping[str, str]:
        return self._metadata.image.resource_configs(ConfigResourceType.TOPIC, topic)

    def _found(self, group_id: str) -> tuple[str, TopicImage]:
        """Raises KafkaError."""
        name = self._name(group_id)
        topic = self._metadata.image.topics.get(name)
        if topic is None:
            raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, f"the topic {name!r} was deleted just now")
        return name, topic

    async def records(
        self, group_id: str, source: Partition, wanted: Sequence[tuple[int, DeadLetter]]
    ) -> list[NewRecord]:
        """The records to write for the first of these offsets, as many as fit into one batch. Raises KafkaError."""
        name, _ = self._found(group_id)
        bytes_max = self._settings.now.topic_defaults.resolve(self._configs(name)).max_message_bytes
        copied: dict[int, Record] = {}
        resolved_count = len(wanted)
        if self._settings_of(group_id).errors_deadletterqueue_copy_record_enable:
            copied, resolved_count = await copies(source, [offset for offset, _ in wanted])
        now_ms = self._clock.now_ms()
        turn = Turn()
        records: list[NewRecord] = []
        length = BATCH_OVERHEAD_BYTES_MAX
        for offset, letter in wanted[:resolved_count]:
            record = dead_letter_record(source, group_id, offset, letter, now_ms, copied.pop(offset, None))
            size = size_bytes(record)
            if BATCH_OVERHEAD_BYTES_MAX + size > bytes_max:  # with what is copied it would fit into no batch
                record = dead_letter_record(source, group_id, offset, letter, now_ms, None)
                size = size_bytes(record)
            if records and length + size > bytes_max:
                break
            length += size
            records.append(record)
            await turn.share()
        return records

    async def append(self, group_id: str, source_index: int, records: Sequence[NewRecord]) -> None:
        """Return when the whole ISR has records of partition `source_index`. Raises KafkaError."""
        name, topic = self._found(group_id)
        index = source_index % len(topic.partitions)
        leader_id = topic.partitions[index].leader
        if leader_id == NO_LEADER:
            raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE)
        batch = build_batch(records)
        if leader_id == self._node_id:
            await self._append_here(self._partitions.leader(name, index), batch)
        else:
            await self._send(leader_id, name, topic, index, batch)

    async def _append_here(self, partition: Partition, batch: bytes) -> None:
        if partition.is_under_min_isr:
            raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)
        now_ms = self._clock.now_ms()
        try:
            result = partition.append_produced(batch, now_ms=now_ms, request_version=PRODUCE_VERSION)
        except TakesLong:
            checked = await check_beside(partition.log, batch, now_ms=now_ms, request_version=PRODUCE_VERSION)
            if isinstance(checked, KafkaError):
                raise checked from None
            result = partition.append_produced(checked, now_ms=now_ms, request_version=PRODUCE_VERSION)
        committed: Pending[None] = Pending()

        def released(error: KafkaError | None) -> None:
            if committed.settled:
                return
            if error is not None:
                committed.refuse(error)
            else:
                committed.answer(None)

        partition.committed.release_at(result.last_offset + 1, released)
        timer = self._clock.call_later(PRODUCE_TIMEOUT_MS, lambda: released(KafkaError(ErrorCode.REQUEST_TIMED_OUT)))
        try:
            await committed.wait()
        finally:
            timer.cancel()

    async def _send(self, leader_id: int, name: str, topic: TopicImage, index: int, batch: bytes) -> None:
        from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

        request = ProduceRequest(
            acks=ALL_REPLICAS,
            timeout_ms=PRODUCE_TIMEOUT_MS,
            topic_data=[
                TopicProduceData(
                    name=name,
                    topic_id=topic.topic_id,
                    partition_data=[PartitionProduceData(index=index, records=batch)],
                )
            ],
        )
        try:
            peer = self._others.broker(leader_id, PURPOSE)
            answer = await peer.ask(request, timeout_ms=PRODUCE_TIMEOUT_MS)
        except PeerUnavailable as reason:
            raise KafkaError(ErrorCode.NETWORK_EXCEPTION, str(reason)) from reason
        for told in cast("ProduceResponse", answer).responses:
            for one in told.partition_responses:
                if one.error_code:
                    raise KafkaError(error_code(one.error_code), one.error_message)
                return
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "the answer to Produce says nothing of the partition")
