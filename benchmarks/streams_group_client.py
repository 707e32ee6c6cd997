"""Members of a streams group as raw clients, as `benchmarks.group_client` has them for the other protocols."""

from __future__ import annotations

from uuid import uuid4

from benchmarks.group_client import (
    SESSION_MS,
    HeartbeatMember,
    HeartbeatMembers,
    all_answers,
    refuse,
)
from benchmarks.peers import Broker
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.message import Message
from kafkapy_wire.messages.streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatRequestTaskIds,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    Topology,
)
from kafkapy_wire.uuid import Uuid

STREAMS_VERSION = 1
SUBTOPOLOGY = "0"


class StreamsMember(HeartbeatMember):
    """A process with one thread. It owns the partitions of its active tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.process_id = str(uuid4())
        self.endpoint_epoch = 0


class StreamsMembers(HeartbeatMembers[StreamsMember]):
    """The members of a streams group (KIP-1071). Its topology reads one topic and has no state."""

    def __init__(self, broker: Broker, group: str, topic: str, topic_id: Uuid, partition_count: int) -> None:
        super().__init__(StreamsMember, broker, group, topic, topic_id, partition_count)

    def _ask(self, members: list[StreamsMember]) -> None:
        requests = [self._request(member) for member in members]
        answers = all_answers(
            self._connection, ApiKey.STREAMS_GROUP_HEARTBEAT, requests, STREAMS_VERSION, StreamsGroupHeartbeatResponse
        )
        for member, answer in zip(members, answers, strict=True):
            refuse(answer.error_code, answer.error_message)
            member.epoch = answer.member_epoch
            member.endpoint_epoch = answer.endpoint_information_epoch
            member.says_what_it_owns = answer.active_tasks is not None
            if answer.active_tasks is not None:
                member.owned = frozenset(index for tasks in answer.active_tasks for index in tasks.partitions)

    def _request(self, member: StreamsMember) -> StreamsGroupHeartbeatRequest:
        request = StreamsGroupHeartbeatRequest(
            group_id=self._group,
            member_id=member.member_id,
            member_epoch=member.epoch,
            endpoint_information_epoch=member.endpoint_epoch,
        )
        if member.epoch == 0:
            request.rebalance_timeout_ms = SESSION_MS
            request.process_id = member.process_id
            request.client_tags = []
            request.topology = Topology(
                subtopologies=[Subtopology(subtopology_id=SUBTOPOLOGY, source_topics=[self._topic])]
            )
        if member.says_what_it_owns and member.epoch >= 0:
            owned = sorted(member.owned)
            request.active_tasks = (
                [StreamsGroupHeartbeatRequestTaskIds(subtopology_id=SUBTOPOLOGY, partitions=owned)] if owned else []
            )
            request.standby_tasks, request.warmup_tasks = [], []
        return request

    def heartbeat(self) -> tuple[ApiKey, Message, int]:
        return ApiKey.STREAMS_GROUP_HEARTBEAT, self._request(self.members[0]), STREAMS_VERSION
