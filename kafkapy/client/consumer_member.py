"""A member of a consumer group of KIP-848: the coordinator assigns, and who has to give up partitions does so first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from kafkapy.client.cluster import Cluster
from kafkapy.client.epoch_member import FENCED, JOINING_EPOCH, LEAVING_EPOCH, EpochMember
from kafkapy.client.errors import check
from kafkapy.client.groups import OFFSET_VERSION_WITH_NAMES_MAX, offset_commit_topics
from kafkapy.client.offsets import Partition, indexes_by_topic
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
    ConsumerGroupHeartbeatResponse,
)
from kafkapy_wire.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse

REBALANCE_TIMEOUT_MS = 60_000


class ConsumerMember(EpochMember):
    """One member, used as `group_member.GroupMember` is: `join` first, and again whenever `heartbeat` or `commit` says
    that it must."""

    def __init__(self, cluster: Cluster, group_id: str, topics: Sequence[str]) -> None:
        super().__init__(cluster, group_id, topics)
        self._owned: list[Partition] = []
        self._assigned: list[Partition] | None = None
        """What the coordinator has given last; None: nothing so far."""
        self._says_all = True
        """Whether the next heartbeat has all that the coordinator is to know."""

    def subscribe(self, topics: Sequence[str]) -> None:
        """The topics that the next `join` asks for."""
        self._topics = list(topics)
        self._says_all = True

    def join(self) -> list[Partition]:
        """The partitions that are ours now: what the coordinator gives, once the others have given it up."""
        if not self._has_joined:
            self._owned, self._assigned = [], None
        with self._cluster.doing(f"waiting for group {self._group_id!r} to assign"):
            while True:
                if self._assigned is not None and self._assigned != self._owned:
                    self._owned = self._assigned
                    self._says_all = True  # which acknowledges it
                if self._beat() and self._assigned is not None and self._assigned == self._owned:
                    return self._owned

    def heartbeat(self) -> bool:
        """Beat when it is time. False: other partitions are ours now, or none; join again."""
        if time.monotonic() < self._next_heartbeat:
            return True
        return self._beat() and self._assigned == self._owned

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """False: we are no member any more, and these offsets are not committed; others may read the records again."""
        if not offsets:
            return True

        def attempt() -> bool:
            request = OffsetCommitRequest(
                group_id=self._group_id,
                generation_id_or_member_epoch=self._epoch,
                member_id=self._member_id,
                topics=offset_commit_topics(offsets),
            )
            answer = self._cluster.ask_once(
                self._connection(), request, OffsetCommitResponse, version_max=OFFSET_VERSION_WITH_NAMES_MAX
            )
            codes = {partition.error_code for topic in answer.topics for partition in topic.partitions}
            if codes & FENCED:
                # The epoch may have risen since the last heartbeat, in which case the partitions are still ours.
                return False
            for code in codes:
                check(code, f"group {self._group_id!r}")
            return True

        return self._cluster.retrying(attempt) or (self._beat() and self._cluster.retrying(attempt))

    def _beat_once(self) -> ConsumerGroupHeartbeatResponse:
        request = ConsumerGroupHeartbeatRequest(
            group_id=self._group_id, member_id=self._member_id, member_epoch=self._epoch
        )
        if self._epoch != LEAVING_EPOCH and (self._says_all or self._epoch == JOINING_EPOCH):
            request.rebalance_timeout_ms = REBALANCE_TIMEOUT_MS
            request.subscribed_topic_names = self._topics
            owned = [] if self._epoch == JOINING_EPOCH else self._owned
            request.topic_partitions = [
                ConsumerGroupHeartbeatRequestTopicPartitions(topic_id=self._topic_id(topic), partitions=indexes)
                for topic, indexes in indexes_by_topic(owned).items()
            ]
        answer = self._cluster.ask_once(self._connection(), request, ConsumerGroupHeartbeatResponse)
        self._checked(answer)
        if answer.error_code == ErrorCode.NONE:
            self._says_all = False
            if answer.assignment is not None:
                self._assigned = self._named(answer.assignment.topic_partitions)
        return answer
