"""Members of a streams group as raw clients, as `benchmarks.group_client` has them for the other protocols."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from benchmarks.group_client import (
    SESSION_MS,
    all_answers,
    await_coordinator,
    refuse,
    wait_until,
)
from benchmarks.peers import Broker
from benchmarks.raw_client import Connection
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.message import Message
from kafkapy_wire.messages.streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatRequestTaskIds,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    Topology,
)
from kafkapy_wire.uuid import Uuid, uuid_text

STREAMS_VERSION = 1
SUBTOPOLOGY = "0"


class StreamsMember:
    """A process with one thread."""

    def __init__(self) -> None:
        self.member_id = uuid_text(Uuid(uuid4().bytes))
        self.process_id = str(uuid4())
        self.epoch = 0
        self.endpoint_epoch = 0
        self.owned: frozenset[int] = frozenset()
        """The partitions of its active tasks."""
        self.says_what_it_owns = True


class StreamsMembers:
    """The members of a streams group (KIP-1071). Its topology reads one topic and has no state."""

    def __init__(self, broker: Broker, group: str, topic: str, _topic_id: Uuid, partition_count: int) -> None:
        self._connection = Connection(broker.address)
        self._group = group
        self._topic = topic
        self._partitions = frozenset(range(partition_count))
        self.members: list[StreamsMember] = []
        await_coordinator(self._connection, group)

    def add(self, count: int) -> None:
        self.members += [StreamsMember() for _ in range(count)]

    def join(self) -> None:
        self._settle()

    def leave(self, count: int) -> None:
        gone, self.members = self.members[-count:], self.members[:-count]
        for member in gone:
            member.epoch = -1
        self._ask(gone)
        self._settle()

    def _settle(self) -> None:
        wait_until(self._rounds(), f"streams group {self._group} is stable")

    def _rounds(self) -> Iterator[bool]:
        while True:
            self._ask(self.members)
            epochs = {member.epoch for member in self.members}
            owned = [partition for member in self.members for partition in member.owned]
            is_quiet = not any(member.says_what_it_owns for member in self.members)
            yield is_quiet and len(epochs) == 1 and len(owned) == len(self._partitions) == len({*owned})

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

    def close(self) -> None:
        self._connection.socket.close()
