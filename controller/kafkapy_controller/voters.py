"""The voters of the quorum, and the control records that list them (KIP-853)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kafkapy_wire.codec import decode, encode
from kafkapy_wire.messages import k_raft_version_record, leader_change_message, voters_record
from kafkapy_wire.records import ControlRecordType, NewRecord, Record, control_record_key, read_control_record_type
from kafkapy_wire.uuid import ZERO_UUID, Uuid

LATEST_KRAFT_VERSION = 1


class VoterEndpoint(NamedTuple):
    """The address for other controllers."""

    name: str
    host: str
    port: int


class Voter(NamedTuple):
    """A controller that votes. After its disk is replaced, it has another directory id."""

    node_id: int
    directory_id: Uuid
    endpoints: tuple[VoterEndpoint, ...]


class ReplicaKey(NamedTuple):
    """A node with a directory id: with an empty disk it is another replica (KIP-853)."""

    node_id: int
    directory_id: Uuid


class QuorumMembership(NamedTuple):
    """The voters: at kraft.version 0 from each node's settings, from version 1 on from the log."""

    kraft_version: int
    voters: tuple[Voter, ...]

    @property
    def voter_ids(self) -> list[int]:
        return [voter.node_id for voter in self.voters]

    def voter(self, node_id: int) -> Voter | None:
        return next((voter for voter in self.voters if voter.node_id == node_id), None)

    def votes(self, replica: ReplicaKey) -> bool:
        """Whether `replica` is a voter: with this disk, if it is known which disk votes."""
        voter = self.voter(replica.node_id)
        return voter is not None and voter.directory_id in (ZERO_UUID, replica.directory_id)

    def with_voters(self, voters: tuple[Voter, ...]) -> QuorumMembership:
        return self._replace(voters=tuple(sorted(voters, key=lambda voter: voter.node_id)))

    def replay(self, control_record: Record) -> QuorumMembership:
        """The membership after a control record. Raises MalformedMessage: the value does not fit the key."""
        control_type = read_control_record_type(control_record.key)
        value = control_record.value or b""
        if control_type is ControlRecordType.KRAFT_VERSION:
            version = decode(k_raft_version_record.KRaftVersionRecord, value, 0)
            return self._replace(kraft_version=version.k_raft_version)
        if control_type is ControlRecordType.KRAFT_VOTERS:
            message = decode(voters_record.VotersRecord, value, 0)
            return self._replace(voters=tuple(_voter(each) for each in message.voters))
        return self  # leader changes and the frame of a snapshot


def same_directory(one: Uuid, other: Uuid) -> bool:
    """At kraft.version 0 directory ids are unknown: an unknown id equals every id."""
    return ZERO_UUID in (one, other) or one == other


class MembershipHistory:
    """The membership by offset of the log, since a truncation also undoes changes of the voters (KIP-853)."""

    __slots__ = ("_entries",)

    def __init__(self, first: QuorumMembership, offset: int = -1) -> None:
        """`first` is the membership before the log: from settings, or from a snapshot up to `offset`."""
        self._entries: list[tuple[int, QuorumMembership]] = [(offset, first)]

    @property
    def latest(self) -> QuorumMembership:
        """The latest membership, which is in effect when it is appended, committed or not."""
        return self._entries[-1][1]

    @property
    def latest_offset(self) -> int:
        """The offset of the record of the latest membership; below 0 if there is none."""
        return self._entries[-1][0]

    def add(self, offset: int, membership: QuorumMembership) -> None:
        assert offset > self._entries[-1][0], (offset, self._entries[-1][0])
        self._entries.append((offset, membership))

    def truncate(self, end_offset: int) -> None:
        while len(self._entries) > 1 and self._entries[-1][0] >= end_offset:
            self._entries.pop()

    def since(self, end_offset: int) -> list[QuorumMembership]:
        """The membership of a log that ends at `end_offset`, and all later ones."""
        later = [membership for offset, membership in self._entries if offset >= end_offset]
        return [self.at(end_offset), *later]

    def at(self, end_offset: int) -> QuorumMembership:
        """The membership of a log that ends at `end_offset`, for a snapshot."""
        return next(membership for offset, membership in reversed(self._entries) if offset < end_offset or offset < 0)


def leader_change_record(
    leader_id: int, voter_ids: Sequence[int], now_ms: int, *, granting_ids: Sequence[int] | None = None
) -> NewRecord:
    """The first record of a leader's epoch. Version 0 has no directory ids; Apache Kafka 4.3.1 writes that one."""
    message = leader_change_message.LeaderChangeMessage(
        version=0,
        leader_id=leader_id,
        voters=[leader_change_message.Voter(voter_id=voter_id) for voter_id in voter_ids],
        granting_voters=[leader_change_message.Voter(voter_id=voter_id) for voter_id in granting_ids or [leader_id]],
    )
    return NewRecord(now_ms, control_record_key(ControlRecordType.LEADER_CHANGE), encode(message, 0))


def membership_records(membership: QuorumMembership, now_ms: int) -> list[NewRecord]:
    """The control records of a membership, for a log or a snapshot: no voters where none are known yet."""
    version = k_raft_version_record.KRaftVersionRecord(version=0, k_raft_version=membership.kraft_version)
    key = control_record_key(ControlRecordType.KRAFT_VERSION)
    voters = [voters_record_of(membership, now_ms)] if membership.voters else []
    return [NewRecord(now_ms, key, encode(version, 0)), *voters]


def voters_record_of(membership: QuorumMembership, now_ms: int) -> NewRecord:
    """The control record with the voters."""
    voters = voters_record.VotersRecord(
        version=0,
        voters=[
            voters_record.Voter(
                voter_id=voter.node_id,
                voter_directory_id=voter.directory_id,
                endpoints=[voters_record.Endpoint(name=e.name, host=e.host, port=e.port) for e in voter.endpoints],
                k_raft_version_feature=voters_record.KRaftVersionFeature(
                    min_supported_version=0, max_supported_version=LATEST_KRAFT_VERSION
                ),
            )
            for voter in membership.voters
        ],
    )
    return NewRecord(now_ms, control_record_key(ControlRecordType.KRAFT_VOTERS), encode(voters, 0))


def _voter(message: voters_record.Voter) -> Voter:
    endpoints = tuple(VoterEndpoint(e.name, e.host, e.port) for e in message.endpoints)
    return Voter(message.voter_id, message.voter_directory_id, endpoints)
