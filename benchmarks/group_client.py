"""Members of groups as raw clients: what consumers of each protocol say to the coordinator, as fast as it answers.

A member says at once what it has done, and asks again at once whether there is more: no interval between heartbeats is
waited for, so that what is measured is the coordinator.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar
from uuid import uuid4

from benchmarks.peers import Broker
from benchmarks.raw_client import (
    COORDINATOR_NOT_YET,
    FIND_COORDINATOR_VERSION,
    TIMEOUT_SECONDS,
    Connection,
    UnexpectedAnswer,
    create_topics,
    create_topics_request,
    decode_answer,
    metadata_request,
    request_frame,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatRequestTopicPartitions,
    ConsumerGroupHeartbeatResponse,
)
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from kafkapy_wire.messages.metadata import MetadataResponse
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from kafkapy_wire.uuid import Uuid, uuid_text

M = TypeVar("M", bound=Message)

SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    # Members are assigned as soon as they have come: what is measured is work, not the time between two rounds of it.
    "group.consumer.assignment.interval.ms": "0",
    "group.share.assignment.interval.ms": "0",
    "group.streams.assignment.interval.ms": "0",
    "group.streams.initial.rebalance.delay.ms": "0",
}
JOIN_VERSION, SYNC_VERSION, HEARTBEAT_VERSION, LEAVE_VERSION = 9, 5, 4, 5
CONSUMER_VERSION = SHARE_VERSION = 1
METADATA_VERSION = 12
RETRY_SECONDS = 0.05
SESSION_MS = 300_000
"""Members that have said all do not beat while others come."""
CLASSIC_SUBSCRIPTION = bytes(2) + (1).to_bytes(4) + b"\x00\x06topics" + bytes(4)
CLASSIC_ASSIGNMENT = bytes(200)
"""What a leader assigns: about as much as ten partitions of one topic take."""


def wait_until(done: Iterator[bool], what: str) -> None:
    """Raises UnexpectedAnswer: not within TIMEOUT_SECONDS."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for is_done in done:
        if is_done:
            return
        if time.monotonic() > deadline:
            raise UnexpectedAnswer(f"{what}: not within {TIMEOUT_SECONDS} s")


def ready_group_topic(connection: Connection, topic: str, partition_count: int) -> Uuid:
    """The id of a new topic, once every partition has a leader."""
    create_topics(connection, create_topics_request([topic], partition_count=partition_count))

    found = [MetadataResponse()]

    def has_leaders() -> Iterator[bool]:
        while True:
            found[0] = connection.call(ApiKey.METADATA, metadata_request([topic]), METADATA_VERSION, MetadataResponse)
            (answer,) = found[0].topics
            yield not answer.error_code and all(part.leader_id >= 0 for part in answer.partitions)
            time.sleep(RETRY_SECONDS)

    wait_until(has_leaders(), f"leaders of {topic}")
    return found[0].topics[0].topic_id


def await_coordinator(connection: Connection, group: str) -> None:
    """Return when FindCoordinator names one, and it has loaded its groups."""
    find = FindCoordinatorRequest(key_type=0, coordinator_keys=[group])
    probe = HeartbeatRequest(group_id=group, generation_id=1, member_id="nobody")

    def is_there() -> Iterator[bool]:
        while True:
            found = connection.call(ApiKey.FIND_COORDINATOR, find, FIND_COORDINATOR_VERSION, FindCoordinatorResponse)
            if not found.coordinators[0].error_code:
                answer = connection.call(ApiKey.HEARTBEAT, probe, HEARTBEAT_VERSION, HeartbeatResponse)
                yield answer.error_code not in COORDINATOR_NOT_YET
            time.sleep(RETRY_SECONDS)
            yield False

    wait_until(is_there(), f"the coordinator of {group}")


def all_answers(
    connection: Connection, key: ApiKey, requests: Sequence[Message], version: int, response_class: type[M]
) -> list[M]:
    """The answers to requests that are all sent before the first is read."""
    connection.socket.sendall(b"".join(request_frame(key, request, version) for request in requests))
    return [decode_answer(key, version, connection.receive_bytes(), response_class) for _ in requests]


class GroupMembers(Protocol):
    """The members of one group, which reads one topic."""

    def add(self, count: int) -> None:
        """So many more members, which have connections and have said nothing of the group."""

    def join(self) -> None:
        """All join that were added, until all partitions are theirs and the coordinator is content."""

    def leave(self, count: int) -> None:
        """The members that came last are gone, until the others have what was theirs."""

    def heartbeat(self) -> tuple[ApiKey, Message, int]:
        """A heartbeat of the first member that says nothing new."""

    def close(self) -> None: ...


class HeartbeatMember:
    """A member that says with heartbeats what it has, and hears in their answers what it is to have."""

    def __init__(self) -> None:
        self.member_id = uuid_text(Uuid(uuid4().bytes))
        self.epoch = 0
        self.owned: frozenset[int] = frozenset()
        """Partitions of the group's topic."""
        self.says_what_it_owns = True
        """With its next heartbeat. Members of share groups never do."""


E = TypeVar("E", bound=HeartbeatMember)


class HeartbeatMembers(Generic[E]):
    """What the members of the newer protocols have in common; each says how a round of heartbeats is asked for."""

    def __init__(
        self, member_class: type[E], broker: Broker, group: str, topic: str, topic_id: Uuid, partition_count: int
    ) -> None:
        self._member_class = member_class
        self._connection = Connection(broker.address)
        self._group = group
        self._topic = topic
        self._topic_id = topic_id
        self._partitions = frozenset(range(partition_count))
        self.members: list[E] = []
        await_coordinator(self._connection, group)

    def add(self, count: int) -> None:
        self.members += [self._member_class() for _ in range(count)]

    def join(self) -> None:
        self._settle()

    def leave(self, count: int) -> None:
        gone, self.members = self.members[-count:], self.members[:-count]
        for member in gone:
            member.epoch = -1
        self._ask(gone)
        self._settle()

    def close(self) -> None:
        self._connection.socket.close()

    def _settle(self) -> None:
        wait_until(self._rounds(), f"group {self._group} is stable")

    def _rounds(self) -> Iterator[bool]:
        while True:
            self._ask(self.members)
            epochs = {member.epoch for member in self.members}
            owned = [partition for member in self.members for partition in member.owned]
            is_quiet = not any(member.says_what_it_owns for member in self.members)
            yield is_quiet and len(epochs) == 1 and len(owned) == len(self._partitions) == len({*owned})

    def _ask(self, members: list[E]) -> None:
        """A heartbeat of each, and what its answer says."""
        raise NotImplementedError


class ConsumerMembers(HeartbeatMembers[HeartbeatMember]):
    """The consumer protocol (KIP-848)."""

    def __init__(
        self, broker: Broker, group: str, topic: str, topic_id: Uuid, partition_count: int, assignor: str = "uniform"
    ) -> None:
        super().__init__(HeartbeatMember, broker, group, topic, topic_id, partition_count)
        self._assignor = assignor

    def _ask(self, members: list[HeartbeatMember]) -> None:
        answers = all_answers(
            self._connection,
            ApiKey.CONSUMER_GROUP_HEARTBEAT,
            [self._request(member) for member in members],
            CONSUMER_VERSION,
            ConsumerGroupHeartbeatResponse,
        )
        for member, answer in zip(members, answers, strict=True):
            refuse(answer.error_code, answer.error_message)
            member.epoch = answer.member_epoch
            member.says_what_it_owns = answer.assignment is not None
            if answer.assignment is not None:
                member.owned = frozenset(
                    index for topic in answer.assignment.topic_partitions for index in topic.partitions
                )

    def _request(self, member: HeartbeatMember) -> ConsumerGroupHeartbeatRequest:
        request = ConsumerGroupHeartbeatRequest(
            group_id=self._group, member_id=member.member_id, member_epoch=member.epoch
        )
        if member.epoch == 0:
            request.rebalance_timeout_ms = SESSION_MS
            request.subscribed_topic_names = [self._topic]
            request.server_assignor = self._assignor
            request.topic_partitions = []
        elif member.says_what_it_owns:
            request.topic_partitions = [
                ConsumerGroupHeartbeatRequestTopicPartitions(topic_id=self._topic_id, partitions=sorted(member.owned))
            ]
        return request

    def heartbeat(self) -> tuple[ApiKey, Message, int]:
        return ApiKey.CONSUMER_GROUP_HEARTBEAT, self._request(self.members[0]), CONSUMER_VERSION


class ShareMembers(HeartbeatMembers[HeartbeatMember]):
    """The members of a share group (KIP-932)."""

    def __init__(self, broker: Broker, group: str, topic: str, topic_id: Uuid, partition_count: int) -> None:
        super().__init__(HeartbeatMember, broker, group, topic, topic_id, partition_count)

    def _rounds(self) -> Iterator[bool]:
        while True:
            before = [member.epoch for member in self.members]
            self._ask(self.members)
            epochs = [member.epoch for member in self.members]
            read = set().union(*[member.owned for member in self.members])
            yield before == epochs and len({*epochs}) == 1 and read == self._partitions

    def _ask(self, members: list[HeartbeatMember]) -> None:
        requests = [self._request(member) for member in members]
        answers = all_answers(
            self._connection, ApiKey.SHARE_GROUP_HEARTBEAT, requests, SHARE_VERSION, ShareGroupHeartbeatResponse
        )
        for member, answer in zip(members, answers, strict=True):
            refuse(answer.error_code, answer.error_message)
            member.epoch = answer.member_epoch
            if answer.assignment is not None:
                member.owned = frozenset(
                    index for topic in answer.assignment.topic_partitions for index in topic.partitions
                )

    def _request(self, member: HeartbeatMember) -> ShareGroupHeartbeatRequest:
        return ShareGroupHeartbeatRequest(
            group_id=self._group,
            member_id=member.member_id,
            member_epoch=member.epoch,
            subscribed_topic_names=[self._topic] if member.epoch == 0 else None,
        )

    def heartbeat(self) -> tuple[ApiKey, Message, int]:
        return ApiKey.SHARE_GROUP_HEARTBEAT, self._request(self.members[0]), SHARE_VERSION


class ClassicMember:
    """On a connection of its own: its JoinGroup waits for all others. One request at a time."""

    def __init__(self, broker: Broker, group: str) -> None:
        self.connection = Connection(broker.address)
        self._group = group
        self.member_id = ""
        self.generation_id = -1
        self.asked: ApiKey | None = None
        """The request that is not answered yet."""
        self.is_stable = False

    def join(self) -> None:
        self.is_stable = False
        request = JoinGroupRequest(
            group_id=self._group,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=SESSION_MS,
            member_id=self.member_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="sticky", metadata=CLASSIC_SUBSCRIPTION)],
        )
        self._send(ApiKey.JOIN_GROUP, request, JOIN_VERSION)

    def beat(self) -> None:
        self._send(ApiKey.HEARTBEAT, self.heartbeat(), HEARTBEAT_VERSION)

    def heartbeat(self) -> HeartbeatRequest:
        return HeartbeatRequest(group_id=self._group, generation_id=self.generation_id, member_id=self.member_id)

    def leave(self) -> None:
        request = LeaveGroupRequest(group_id=self._group, members=[MemberIdentity(member_id=self.member_id)])
        answer = self.connection.call(ApiKey.LEAVE_GROUP, request, LEAVE_VERSION, LeaveGroupResponse)
        refuse(answer.error_code, None)
        self.connection.socket.close()

    def _send(self, key: ApiKey, request: Message, version: int) -> None:
        self.connection.socket.sendall(request_frame(key, request, version))
        self.asked = key

    def answered(self) -> None:
        """Take the answer that is there, and ask what comes next."""
        asked, self.asked = self.asked, None
        frame = self.connection.receive_bytes()
        if asked is ApiKey.JOIN_GROUP:
            self._joined(decode_answer(asked, JOIN_VERSION, frame, JoinGroupResponse))
            return
        if asked is ApiKey.SYNC_GROUP:
            error = decode_answer(asked, SYNC_VERSION, frame, SyncGroupResponse).error_code
        else:
            error = decode_answer(ApiKey.HEARTBEAT, HEARTBEAT_VERSION, frame, HeartbeatResponse).error_code
        if error in (ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.ILLEGAL_GENERATION):
            self.join()
            return
        refuse(error, None)
        self.is_stable = True

    def _joined(self, answer: JoinGroupResponse) -> None:
        self.member_id = answer.member_id
        if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self.join()
            return
        refuse(answer.error_code, None)
        self.generation_id = answer.generation_id
        request = SyncGroupRequest(
            group_id=self._group,
            generation_id=self.generation_id,
            member_id=self.member_id,
            protocol_type="consumer",
            protocol_name="sticky",
            assignments=[
                SyncGroupRequestAssignment(member_id=each.member_id, assignment=CLASSIC_ASSIGNMENT)
                for each in answer.members
            ],
        )
        self._send(ApiKey.SYNC_GROUP, request, SYNC_VERSION)


class ClassicMembers:
    """The classic protocol: the leader assigns (here what it says does not depend on the members), all join again."""

    def __init__(self, broker: Broker, group: str, _topic: str, _topic_id: Uuid, _partition_count: int) -> None:
        self._broker = broker
        self._group = group
        self.members: list[ClassicMember] = []

    def add(self, count: int) -> None:
        for _ in range(count):
            self.members.append(ClassicMember(self._broker, self._group))
            # The next one connects when this one is accepted: more than socket.listen.backlog.size=50 at once would
            # have the kernel drop one, which tries again after a second.
            await_coordinator(self.members[-1].connection, self._group)

    def join(self) -> None:
        for member in self.members:
            if not member.member_id:
                member.join()
        self._settle()

    def leave(self, count: int) -> None:
        gone, self.members = self.members[-count:], self.members[:-count]
        for member in gone:
            member.leave()
        for member in self.members:
            member.is_stable = False
            member.beat()
        self._settle()

    def _settle(self) -> None:
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                selector.register(member.connection.socket, selectors.EVENT_READ, member)
            wait_until(self._steps(selector), f"classic group {self._group} is stable")

    def _steps(self, selector: selectors.BaseSelector) -> Iterator[bool]:
        while True:
            for key, _ in selector.select(0):
                key.data.answered()
            generations = {member.generation_id for member in self.members}
            if len(generations) == 1 and all(member.is_stable for member in self.members):
                yield True
            if not any(member.asked in (ApiKey.SYNC_GROUP, ApiKey.HEARTBEAT) for member in self.members):
                # Whoever is stable hears by its next heartbeat that others have come.
                idle = [member for member in self.members if member.asked is None]
                for member in idle:
                    member.beat()
                if not idle:
                    selector.select(RETRY_SECONDS)
            yield False

    def heartbeat(self) -> tuple[ApiKey, Message, int]:
        return ApiKey.HEARTBEAT, self.members[0].heartbeat(), HEARTBEAT_VERSION

    def close(self) -> None:
        for member in self.members:
            member.connection.socket.close()


def refuse(error_code: int, message: str | None) -> None:
    """Raises UnexpectedAnswer, unless the code is 0."""
    if error_code:
        raise UnexpectedAnswer(f"error {error_code} {message or ''}")


@contextlib.contextmanager
def closing(members: GroupMembers) -> Iterator[GroupMembers]:
    try:
        yield members
    finally:
        members.close()
