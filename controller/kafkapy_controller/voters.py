"""The voters of the quorum, and the control records that say who they are (KIP-853)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kafkapy_wire.codec import decode, encode
from kafkapy_wire.messages import k_raft_version_record, leader_change_message, voters_record
from kafkapy_wire.records import ControlRecordType, NewRecord, Record, control_record_key, read_control_record_type
from kafkapy_wire.uuid import Uuid

LATEST_KRAFT_VERSION = 1


class VoterEndpoint(NamedTuple):
    """Where the other controllers reach it."""

    name: str
    host: str
    port: int


class Voter(NamedTuple):
    """One controller that votes. Its directory id tells a replaced disk from the old one."""

    node_id: int
    directory_id: Uuid
    endpoints: tuple[VoterEndpoint, ...]


class QuorumMembership(NamedTuple):
    """Up to kraft.version 0 the voters stand in each node's settings; from 1 on the log says who they are."""

    kraft_version: int
    voters: tuple[Voter, ...]

    @property
    def voter_ids(self) -> list[int]:
        return [voter.node_id for voter in self.voters]

    def replay(self, control_record: Record) -> QuorumMembership:
        """The membership after a control record. Raises MalformedMessage: the record is not what its key says."""
        control_type = read_control_record_type(control_record.key)
        value = control_record.value or b""
        if control_type is ControlRecordType.KRAFT_VERSION:
            version = decode(k_raft_version_record.KRaftVersionRecord, value, 0)
            return self._replace(kraft_version=version.k_raft_version)
        if control_type is ControlRecordType.KRAFT_VOTERS:
            message = decode(voters_record.VotersRecord, value, 0)
            return self._replace(voters=tuple(_voter(each) for each in message.voters))
        return self  # leader changes and the frame of a snapshot


def leader_change_record(leader_id: int, voter_ids: Sequence[int], now_ms: int) -> NewRecord:
    """The first record of a leader's epoch. Version 0 has no directory ids; Apache Kafka 4.3.1 writes that one."""
    message = leader_change_message.LeaderChangeMessage(
        version=0,
        leader_id=leader_id,
        voters=[leader_change_message.Voter(voter_id=voter_id) for voter_id in voter_ids],
        granting_voters=[leader_change_message.Voter(voter_id=leader_id)],
    )
    return NewRecord(now_ms, control_record_key(ControlRecordType.LEADER_CHANGE), encode(message, 0))


def membership_records(membership: QuorumMembership, now_ms: int) -> list[NewRecord]:
    """The records that put a membership into a log or a snapshot."""
    version = k_raft_version_record.KRaftVersionRecord(version=0, k_raft_version=membership.kraft_version)
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
    return [
        NewRecord(now_ms, control_record_key(ControlRecordType.KRAFT_VERSION), encode(version, 0)),
        NewRecord(now_ms, control_record_key(ControlRecordType.KRAFT_VOTERS), encode(voters, 0)),
    ]


def _voter(message: voters_record.Voter) -> Voter:
    endpoints = tuple(VoterEndpoint(e.name, e.host, e.port) for e in message.endpoints)
    return Voter(message.voter_id, message.voter_directory_id, endpoints)
