"""The share partitions of this broker: made when a member first fetches, given up when their leadership ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.coordinators.share import SharePartitionKey
from kafkapy.partitions.finding import find_by_time
from kafkapy.pending import Pending, attempt, detached, settled
from kafkapy.sharing.dead_letter_topic import DeadLetterTopic
from kafkapy.sharing.dead_letters import DeadLetters
from kafkapy.sharing.in_flight import Limits
from kafkapy.sharing.share_partition import SharePartition
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import uuid_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from kafkapy.clock import Clock
    from kafkapy.coordinators.share.persister import SharePersister
    from kafkapy.coordinators.transaction.ports import OtherBrokers
    from kafkapy.metadata.internal_topics import TopicCreator
    from kafkapy.metadata.ports import Metadata
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.settings import GroupSettings, Settings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy.sharing.acknowledging import AcknowledgementBatch

logger = logging.getLogger("kafkapy.share_groups")

SHARE_VERSION: Final = "share.version"
SHARE_VERSION_WITH_DEAD_LETTERS: Final = 2
EARLIEST, LATEST, BY_DURATION = "earliest", "latest", "by_duration:"
FENCES = (
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.FENCED_STATE_EPOCH,
    ErrorCode.GROUP_ID_NOT_FOUND,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
)
"""A share partition is made anew after one of these: another leader, or another state."""


class SharePartitions:
    """By group and partition."""

    def __init__(
        self,
        partitions: PartitionManager,
        persister: SharePersister,
        metadata: Metadata,
        settings: CurrentSettings,
        clock: Clock,
        random: Random,
        others: OtherBrokers,
        controller: TopicCreator,
        *,
        node_id: int,
        tells_of_released: bool = True,
    ) -> None:
        self._tells_of_released = tells_of_released
        self._partitions = partitions
        self._persister = persister
        self._metadata = metadata
        self._settings = settings
        self._clock = clock
        topic = DeadLetterTopic(
            self.settings_of, partitions, others, controller, metadata, settings, clock, node_id=node_id
        )
        self._dead_letters = DeadLetters(topic, self._has_no_successor, clock, random)
        self._by_key: dict[SharePartitionKey, SharePartition] = {}
        self._settings_of: dict[str, tuple[Mapping[str, str], Settings, GroupSettings]] = {}
        self._look_ups: list[tuple[SharePartition, int, Pending[int]]] = []
        self._look_up_wanted = trio.Event()

    async def run(self) -> None:
        """Do what takes tasks, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._find_by_duration)
            nursery.start_soon(self._dead_letters.run)

    async def _find_by_duration(self) -> None:
        """Find the start offsets of groups with share.auto.offset.reset=by_duration, until cancelled."""
        while True:
            await self._look_up_wanted.wait()
            self._look_up_wanted = trio.Event()
            while self._look_ups:
                await self._look_up(*self._look_ups.pop())

    # -- settings of groups

    def settings_of(self, group_id: str) -> GroupSettings:
        """The group's own values over those of the broker."""
        own = self._metadata.image.resource_configs(ConfigResourceType.GROUP, group_id)
        now = self._settings.now
        if not own:
            return now.group_settings()
        known = self._settings_of.get(group_id)
        if known is None or known[0] is not own or known[1] is not now:
            known = self._settings_of[group_id] = (own, now, now.group_settings(own))
        return known[2]

    def _limits_of(self, group_id: str) -> Limits:
        settings = self.settings_of(group_id)
        return Limits(
            settings.share_delivery_count_limit,
            settings.share_partition_max_record_locks,
            settings.share_record_lock_duration_ms,
            settings.share_renew_acknowledge_enable,
            self._has_dead_letters and bool(settings.errors_deadletterqueue_topic_name),
        )

    @property
    def _has_dead_letters(self) -> bool:
        return self._metadata.image.features.get(SHARE_VERSION, 0) >= SHARE_VERSION_WITH_DEAD_LETTERS

    # -- share partitions

    def get(self, key: SharePartitionKey) -> SharePartition | None:
        return self._by_key.get(key)

    def get_or_make(self, key: SharePartitionKey) -> SharePartition:
        """Raises KafkaError: this broker does not lead the partition."""
        found = self._by_key.get(key)
        if found is not None and not found.still_leads():
            self.drop(found)
            found = None
        if found is None:
            partition = self._partitions.leader_by_id(key.topic_id, key.partition)
            found = self._by_key[key] = SharePartition(
                key,
                partition,
                self._persister,
                self._clock,
                lambda: self._limits_of(key.group_id),
                self._find_start,
                self._dead_letters.put,
                tells_of_released=self._tells_of_released,
            )
        return found

    def initialize(self, share_partition: SharePartition) -> Pending[None]:
        """Have it read its state. Refused with KafkaError, after which it is made anew, unless it is being read."""

        def done(initialized: Pending[None]) -> None:
            try:
                initialized.result()
            except KafkaError as error:
                if error.code is not ErrorCode.LEADER_NOT_AVAILABLE:
                    logger.debug("%s is not initialized: %s", share_partition, error)
                    self.drop(share_partition)
            else:
                share_partition.tell()

        initialized = share_partition.initialize()
        initialized.when_settled(done)
        return initialized

    def acknowledge(self, key: SharePartitionKey, member_id: str, batches: list[AcknowledgementBatch]) -> Pending[None]:
        """Raises KafkaError, or is refused with it: UNKNOWN_TOPIC_OR_PARTITION, nobody of the group has fetched here;
        as `SharePartition.acknowledge`.
        """
        share_partition = self._by_key.get(key)
        if share_partition is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")
        return self._dropping(share_partition, lambda: share_partition.acknowledge(member_id, batches))

    def release(self, key: SharePartitionKey, member_id: str) -> None:
        """Make available what the member has acquired of this share partition."""
        share_partition = self._by_key.get(key)
        if share_partition is not None:
            released = self._dropping(share_partition, lambda: share_partition.release_member(member_id))
            released.when_settled(lambda done: _log_failure(share_partition, done))

    def _dropping(self, share_partition: SharePartition, ask: Callable[[], Pending[None]]) -> Pending[None]:
        def drop(error: KafkaError) -> None:
            if error.code in FENCES:
                self.drop(share_partition)
            raise error

        return detached(attempt(ask).otherwise(drop))

    def drop(self, share_partition: SharePartition) -> None:
        """Give it up; the next fetch makes it anew."""
        if self._by_key.get(share_partition.key) is share_partition:
            del self._by_key[share_partition.key]
            share_partition.fence()

    def drop_group(self, group_id: str) -> None:
        """No member of the group is connected any more."""
        for share_partition in [each for each in self._by_key.values() if each.key.group_id == group_id]:
            self.drop(share_partition)

    def close(self) -> None:
        for share_partition in list(self._by_key.values()):
            self.drop(share_partition)

    def follow_metadata(self, *_: object) -> None:
        """Give up what this broker does not lead any more. The partitions must have followed the image before."""
        for share_partition in list(self._by_key.values()):
            if not share_partition.still_leads() or not self._partitions.is_current(share_partition.partition):
                self.drop(share_partition)

    def _has_no_successor(self, share_partition: SharePartition) -> bool:
        """Whether nobody else writes its dead letters: neither another leader, nor what was made anew since."""
        if self._by_key.get(share_partition.key, share_partition) is not share_partition:
            return False
        return share_partition.still_leads()

    # -- the start offset of a group that begins

    def _find_start(self, share_partition: SharePartition) -> Pending[int]:
        """Where share.auto.offset.reset says. Raises KafkaError(OFFSET_NOT_AVAILABLE), or is refused with it."""
        partition = share_partition.partition
        reset = self.settings_of(share_partition.key.group_id).share_auto_offset_reset.lower()
        if reset == EARLIEST:
            return settled(partition.log.log_start_offset)
        if reset.startswith(BY_DURATION):
            from kafkapy.sharing.durations import milliseconds_of

            found: Pending[int] = Pending()
            since_ms = self._clock.now_ms() - milliseconds_of(reset.removeprefix(BY_DURATION))
            self._look_ups.append((share_partition, since_ms, found))
            self._look_up_wanted.set()
            return found
        return settled(partition.high_watermark)

    async def _look_up(self, share_partition: SharePartition, since_ms: int, answer: Pending[int]) -> None:
        partition = share_partition.partition
        try:
            found = await find_by_time(partition.log.times, since_ms)
        except KafkaError as error:
            answer.refuse(error)
            return
        if found is not None and found.offset < partition.high_watermark:
            answer.answer(found.offset)
            return
        named = f"{uuid_text(partition.topic_id)}:{partition.topic}-{partition.index}"
        answer.refuse(
            KafkaError(
                ErrorCode.OFFSET_NOT_AVAILABLE,
                f"Offset for timestamp {since_ms} not found for topic partition: {named}",
            )
        )


def _log_failure(share_partition: SharePartition, done: Pending[None]) -> None:
    try:
        done.result()
    except KafkaError as error:
        logger.info("what a member had of %s is not released: %s", share_partition, error)
