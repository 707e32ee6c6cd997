"""Committed offsets of the groups of one shard: the state, its replay, and the decisions of requests.

Offsets of a transaction (KIP-98) wait beside the others, by producer id, until its marker comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.offset_commits import TopicOutcome
from kafkapy.coordinators.group.offset_store import OffsetStore
from kafkapy.coordinators.group.records import CommittedOffset, OffsetCommitRecord, offset_commit, offset_tombstone
from kafkapy.coordinators.ports import CoordinatorRecord
from kafkapy.coordinators.runtime import Decision
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkapy.coordinators.group.group import Group
    from kafkapy.coordinators.group.offset_commits import OffsetToCommit, TopicToCommit
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_wire.messages.offset_delete import OffsetDeleteRequestTopic, OffsetDeleteResponseTopic
    from kafkapy_wire.messages.offset_fetch import (
        OffsetFetchRequestTopics,
        OffsetFetchResponsePartitions,
        OffsetFetchResponseTopics,
    )

INT64_MAX = 2**63 - 1
DEFAULT_RETENTION_TIME_MS = -1
"""An OffsetCommit that asks for no retention of its own."""


class Offsets:
    """Decisions about the offsets of one shard, and their replay."""

    def __init__(self, settings: CurrentSettings) -> None:
        self._settings = settings
        self.committed = OffsetStore()
        self._pending: dict[int, OffsetStore] = {}
        """Producer id -> the offsets of its open transaction."""

    # -- decisions

    def commit(
        self,
        group_id: str,
        topics: Sequence[TopicToCommit],
        now_ms: int,
        *,
        retention_ms: int = DEFAULT_RETENTION_TIME_MS,
    ) -> Decision[list[TopicOutcome]]:
        """Commit offsets for `topics`, which exist. Offsets of a transaction become visible with its commit marker."""
        expire_timestamp_ms = None
        if retention_ms != DEFAULT_RETENTION_TIME_MS:
            expire_timestamp_ms = min(now_ms + retention_ms, INT64_MAX)
        records: list[CoordinatorRecord] = []
        outcomes: list[TopicOutcome] = []
        for topic in topics:
            partitions = []
            for partition in topic.partitions:
                error = self._refuse_metadata(partition)
                if error is ErrorCode.NONE:
                    committed = CommittedOffset(
                        offset=partition.committed_offset,
                        leader_epoch=partition.committed_leader_epoch,
                        metadata=partition.committed_metadata or "",
                        commit_timestamp_ms=now_ms,
                        expire_timestamp_ms=expire_timestamp_ms,
                        topic_id=topic.topic_id,
                    )
                    records.append(offset_commit(group_id, topic.name, partition.partition_index, committed))
                partitions.append((partition.partition_index, error))
            outcomes.append(TopicOutcome(topic.name, topic.topic_id, partitions))
        return Decision(records, outcomes)

    def _refuse_metadata(self, partition: OffsetToCommit) -> ErrorCode:
        metadata = partition.committed_metadata
        # Java counts UTF-16 units, and Apache Kafka compares that with a limit that is named after bytes.
        size_max = self._settings.now.groups.offset_metadata_max_bytes
        if metadata is not None and len(metadata.encode("utf-16-le")) // 2 > size_max:
            return ErrorCode.OFFSET_METADATA_TOO_LARGE
        return ErrorCode.NONE

    def delete(
        self, group: Group, topics: Sequence[OffsetDeleteRequestTopic]
    ) -> Decision[list[OffsetDeleteResponseTopic]]:
        """Delete offsets of topics that the group does not read any more. It is no error if there is no offset."""
        from kafkapy_wire.messages.offset_delete import OffsetDeleteResponsePartition, OffsetDeleteResponseTopic

        records: list[CoordinatorRecord] = []
        response: list[OffsetDeleteResponseTopic] = []
        for topic in topics:
            subscribed = group.is_subscribed_to(topic.name)
            error = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if subscribed else ErrorCode.NONE
            indexes = [partition.partition_index for partition in topic.partitions]
            response.append(
                OffsetDeleteResponseTopic(
                    name=topic.name,
                    partitions=[
                        OffsetDeleteResponsePartition(partition_index=index, error_code=error) for index in indexes
                    ],
                )
            )
            if not subscribed:
                records.extend(
                    offset_tombstone(group.group_id, topic.name, index)
                    for index in indexes
                    if self._is_stored(group.group_id, topic.name, index)
                )
        return Decision(records, response)

    def delete_all(self, group_id: str) -> list[CoordinatorRecord]:
        """Tombstones for everything the group has committed, open transactions included."""
        stored = {
            (topic, partition)
            for store in (self.committed, *self._pending.values())
            for topic, partitions in store.of_group(group_id).items()
            for partition in partitions
        }
        return [offset_tombstone(group_id, topic, partition) for topic, partition in sorted(stored)]

    def delete_topic(self, topic: str, keep: Callable[[int, CommittedOffset], bool]) -> list[CoordinatorRecord]:
        """Tombstones for all groups' offsets of the topic, except in partitions that `keep` says exist."""
        stored = {
            (group_id, partition)
            for store in (self.committed, *self._pending.values())
            for group_id, partitions in store.of_topic(topic)
            for partition, committed in partitions.items()
            if not keep(partition, committed)
        }
        return [offset_tombstone(group_id, topic, partition) for group_id, partition in sorted(stored)]

    @property
    def topics(self) -> set[str]:
        """Every topic that some group has committed for."""
        return {topic for store in (self.committed, *self._pending.values()) for topic in store.topics}

    def expire(self, group: Group, now_ms: int) -> tuple[list[CoordinatorRecord], bool]:
        """Tombstones for expired offsets, and whether the group then has no offsets left (KIP-211)."""
        offsets = self.committed.of_group(group.group_id)
        if not offsets:
            return [], group.group_id not in self._groups_in_transactions()
        age = group.offset_age()
        if age is None:
            return [], False
        retention_ms = self._settings.now.groups.offsets_retention_minutes * 60_000

        def has_expired(topic: str, partition: int, committed: CommittedOffset) -> bool:
            if group.is_subscribed_to(topic) or self._is_pending(group.group_id, topic, partition):
                return False
            if committed.expire_timestamp_ms is not None:
                return now_ms >= committed.expire_timestamp_ms
            since_ms = committed.commit_timestamp_ms if age.since_ms is None else age.since_ms
            return now_ms - since_ms >= retention_ms

        all_expired = True
        records: list[CoordinatorRecord] = []
        for topic, partitions in offsets.items():
            for partition, committed in partitions.items():
                if has_expired(topic, partition, committed):
                    records.append(offset_tombstone(group.group_id, topic, partition))
                else:
                    all_expired = False
        return records, all_expired and group.group_id not in self._groups_in_transactions()

    # -- reading

    def fetch(
        self, group_id: str, topics: Sequence[OffsetFetchRequestTopics], *, require_stable: bool
    ) -> list[OffsetFetchResponseTopics]:
        """The requested offsets; -1 if there is none, or if it was committed for a deleted topic of the same name."""
        from kafkapy_wire.messages.offset_fetch import OffsetFetchResponseTopics

        def partition_response(topic: OffsetFetchRequestTopics, index: int) -> OffsetFetchResponsePartitions:
            committed = self.committed.get(group_id, topic.name, index)
            if committed is not None and ZERO_UUID not in (topic.topic_id, committed.topic_id):
                committed = committed if committed.topic_id == topic.topic_id else None
            return self._fetched(group_id, topic.name, index, committed, require_stable=require_stable)

        return [
            OffsetFetchResponseTopics(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[partition_response(topic, index) for index in topic.partition_indexes],
            )
            for topic in topics
        ]

    def fetch_all(self, group_id: str, *, require_stable: bool) -> list[OffsetFetchResponseTopics]:
        from kafkapy_wire.messages.offset_fetch import OffsetFetchResponseTopics

        return [
            OffsetFetchResponseTopics(
                name=topic,
                partitions=[
                    self._fetched(group_id, topic, index, committed, require_stable=require_stable)
                    for index, committed in sorted(partitions.items())
                ],
            )
            for topic, partitions in sorted(self.committed.of_group(group_id).items())
        ]

    def _fetched(
        self, group_id: str, topic: str, index: int, committed: CommittedOffset | None, *, require_stable: bool
    ) -> OffsetFetchResponsePartitions:
        from kafkapy_wire.messages.offset_fetch import OffsetFetchResponsePartitions

        error = ErrorCode.NONE
        if require_stable and self._is_pending(group_id, topic, index):
            error, committed = ErrorCode.UNSTABLE_OFFSET_COMMIT, None
        if committed is None:
            return OffsetFetchResponsePartitions(
                partition_index=index, committed_offset=-1, metadata="", error_code=error
            )
        return OffsetFetchResponsePartitions(
            partition_index=index,
            committed_offset=committed.offset,
            committed_leader_epoch=committed.leader_epoch,
            metadata=committed.metadata,
        )

    def _is_pending(self, group_id: str, topic: str, partition: int) -> bool:
        return any(store.has(group_id, topic, partition) for store in self._pending.values())

    def _is_stored(self, group_id: str, topic: str, partition: int) -> bool:
        return self.committed.has(group_id, topic, partition) or self._is_pending(group_id, topic, partition)

    def has_any(self, group_id: str) -> bool:
        """Whether the group has committed offsets, including those of an open transaction."""
        return group_id in self.committed.groups or group_id in self._groups_in_transactions()

    def _groups_in_transactions(self) -> set[str]:
        return {group_id for store in self._pending.values() for group_id in store.groups}

    # -- replay

    def replay(self, record: OffsetCommitRecord, producer_id: int) -> None:
        group_id, topic, partition, committed = record
        if committed is None:
            self.committed.remove(group_id, topic, partition)
            for store in self._pending.values():
                store.remove(group_id, topic, partition)
        elif producer_id == -1:
            self.committed.put(group_id, topic, partition, committed)
            for store in self._pending.values():
                if store.has(group_id, topic, partition):
                    store.superseded.add((group_id, topic, partition))
        else:
            store = self._pending.setdefault(producer_id, OffsetStore())
            store.put(group_id, topic, partition, committed)
            store.superseded.discard((group_id, topic, partition))

    def replay_end_transaction(self, producer_id: int, *, committed: bool) -> None:
        """Make the transaction's offsets visible, except where a later commit has replaced them; or drop them."""
        store = self._pending.pop(producer_id, None)
        if store is None or not committed:
            return
        for group_id in store.groups:
            for topic, partitions in store.of_group(group_id).items():
                for partition, offset in partitions.items():
                    if (group_id, topic, partition) not in store.superseded:
                        self.committed.put(group_id, topic, partition, offset)
