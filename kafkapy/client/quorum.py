"""The controllers of a cluster: who leads, who votes, who follows; voters that come and go (KIP-595, KIP-853)."""

from __future__ import annotations

from typing import NamedTuple

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import ClientError, check
from kafkapy.client.topics import timeout_ms
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.integer_text import INT32_MAX, parse_integer
from kafkapy_wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
    ReplicaState,
)
from kafkapy_wire.uuid import ZERO_UUID, Uuid, parse_uuid, uuid_text

METADATA_TOPIC = "__cluster_metadata"
DEFAULT_LISTENER = "CONTROLLER"
PORT_MAX = 65_535


class Replica(NamedTuple):
    """A node that has the metadata log."""

    node_id: int
    directory_id: Uuid
    log_end_offset: int
    last_fetch_ms: int
    last_caught_up_ms: int
    """Both by the clock of the leader, since 1970; -1: never, or the leader does not know."""


class Quorum(NamedTuple):
    """The quorum as its leader sees it."""

    leader_id: int
    epoch: int
    high_watermark: int
    voters: list[Replica]
    observers: list[Replica]
    endpoints: dict[int, list[tuple[str, str, int]]]
    """Of voters: listener name, host and port."""

    def lag(self, replica: Replica) -> int | None:
        """Records that `replica` does not have yet, None if it has never fetched."""
        leader = next((one for one in self.voters if one.node_id == self.leader_id), None)
        if leader is None or replica.log_end_offset < 0:
            return None
        return max(0, leader.log_end_offset - replica.log_end_offset)

    def behind_ms(self, replica: Replica) -> int | None:
        """How long ago it last had all records, by the leader's clock; None if it never had."""
        if replica.last_caught_up_ms < 0:
            return None
        now_ms = max(one.last_caught_up_ms for one in [*self.voters, *self.observers])
        return now_ms - replica.last_caught_up_ms


def describe_quorum(cluster: Cluster) -> Quorum:
    """Raises TryAgain: there is no leader; Refused."""
    partition = DescribeQuorumRequestPartitionData(partition_index=0)
    topic = DescribeQuorumRequestTopicData(topic_name=METADATA_TOPIC, partitions=[partition])
    request = DescribeQuorumRequest(topics=[topic])

    def attempt() -> Quorum:
        answer = cluster.ask_once(cluster.for_administration(), request, DescribeQuorumResponse)
        check(answer.error_code, "the quorum of controllers", answer.error_message)
        if not (answer.topics and answer.topics[0].partitions):
            raise ClientError("the answer about the quorum of controllers is empty")
        found = answer.topics[0].partitions[0]
        check(found.error_code, "the quorum of controllers", found.error_message)
        endpoints = {
            node.node_id: [(listener.name, listener.host, listener.port) for listener in node.listeners]
            for node in answer.nodes
        }
        voters, observers = _replicas(found.current_voters), _replicas(found.observers)
        return Quorum(found.leader_id, found.leader_epoch, found.high_watermark, voters, observers, endpoints)

    return cluster.retrying(attempt)


def _replicas(states: list[ReplicaState]) -> list[Replica]:
    replicas = [
        Replica(
            one.replica_id,
            one.replica_directory_id,
            one.log_end_offset,
            one.last_fetch_timestamp,
            one.last_caught_up_timestamp,
        )
        for one in states
    ]
    return sorted(replicas, key=lambda replica: replica.node_id)


class NewVoter(NamedTuple):
    """A controller that is to vote."""

    node_id: int
    host: str
    port: int
    directory_id: Uuid | None
    """None: that of the observer with this id."""


def parse_new_voter(text: str) -> NewVoter:
    """`ID@HOST:PORT`, perhaps with `:DIRECTORY_ID` behind it. Raises ClientError."""
    id_text, at, rest = text.partition("@")
    node_id = parse_integer(id_text, 0, INT32_MAX)
    if rest.startswith("["):
        host, bracket, rest = rest[1:].partition("]:")
    else:
        host, bracket, rest = rest.partition(":")
    port_text, colon, directory_text = rest.partition(":")
    port = parse_integer(port_text, 1, PORT_MAX)
    if not at or not bracket or not host or node_id is None or port is None:
        raise ClientError(f"{text!r} is not ID@HOST:PORT or ID@HOST:PORT:DIRECTORY_ID")
    return NewVoter(node_id, host, port, _parse_directory(directory_text) if colon else None)


def parse_voter_to_remove(text: str) -> tuple[int, Uuid | None]:
    """`ID` or `ID:DIRECTORY_ID`. Raises ClientError."""
    id_text, colon, directory_text = text.partition(":")
    node_id = parse_integer(id_text, 0, INT32_MAX)
    if node_id is None:
        raise ClientError(f"{text!r} is not ID or ID:DIRECTORY_ID")
    return node_id, _parse_directory(directory_text) if colon else None


def _parse_directory(text: str) -> Uuid:
    try:
        return parse_uuid(text)
    except ValueError:
        raise ClientError(f"{text!r} is not the id of a directory: meta.properties has it as directory.id") from None


def add_voter(cluster: Cluster, voter: NewVoter) -> Uuid:
    """Make a controller a voter; returns its directory id.

    Without one in `voter` it is that of the observer with this id. Returns when the change is committed, which takes
    until the controller has caught up. Raises ClientError: there is no such observer, or there are several; Refused.
    """
    from kafkapy_wire.messages.add_raft_voter import AddRaftVoterRequest, AddRaftVoterResponse, Listener

    quorum = describe_quorum(cluster)
    directory_id = voter.directory_id or _observed_directory(quorum, voter.node_id)
    known = [listeners for _, listeners in sorted(quorum.endpoints.items()) if listeners]
    name = known[0][0][0] if known else DEFAULT_LISTENER
    request = AddRaftVoterRequest(
        cluster_id=None,
        timeout_ms=timeout_ms(cluster),
        voter_id=voter.node_id,
        voter_directory_id=directory_id,
        listeners=[Listener(name=name, host=voter.host, port=voter.port)],
    )

    def attempt() -> None:
        answer = cluster.ask_once(cluster.for_administration(), request, AddRaftVoterResponse)
        check(answer.error_code, f"voter {voter.node_id}", answer.error_message)

    cluster.changing(attempt, ErrorCode.DUPLICATE_VOTER)
    return directory_id


def remove_voter(cluster: Cluster, node_id: int, directory_id: Uuid | None) -> Uuid:
    """Take the vote of a controller away; returns its directory id. Raises ClientError: it does not vote; Refused."""
    from kafkapy_wire.messages.remove_raft_voter import RemoveRaftVoterRequest, RemoveRaftVoterResponse

    if directory_id is None:
        quorum = describe_quorum(cluster)
        found = [one.directory_id for one in quorum.voters if one.node_id == node_id]
        if not found:
            ids = ", ".join(str(one.node_id) for one in quorum.voters)
            raise ClientError(f"node {node_id} is no voter: the voters are {ids}")
        if found[0] == ZERO_UUID:
            raise ClientError(
                f"the voters stand in controller.quorum.voters (kraft.version 0), so node {node_id} votes while it is "
                "named there; `kafka-features upgrade --feature kraft.version=1` moves them into the metadata log"
            )
        directory_id = found[0]
    request = RemoveRaftVoterRequest(cluster_id=None, voter_id=node_id, voter_directory_id=directory_id)

    def attempt() -> None:
        answer = cluster.ask_once(cluster.for_administration(), request, RemoveRaftVoterResponse)
        check(answer.error_code, f"voter {node_id}", answer.error_message)

    cluster.changing(attempt, ErrorCode.VOTER_NOT_FOUND)
    return directory_id


def _observed_directory(quorum: Quorum, node_id: int) -> Uuid:
    found = [one.directory_id for one in quorum.observers if one.node_id == node_id]
    if not found and any(one.node_id == node_id for one in quorum.voters):
        raise ClientError(f"node {node_id} is a voter already")
    if not found:
        voters, observers = (
            ", ".join(str(one.node_id) for one in ones) or "none" for ones in (quorum.voters, quorum.observers)
        )
        raise ClientError(
            f"node {node_id} does not follow the controllers yet (voters: {voters}; observers: {observers}): start it "
            "first, or name its directory id as in ID@HOST:PORT:DIRECTORY_ID"
        )
    if len(found) > 1 or found[0] == ZERO_UUID:
        told = ", ".join(map(uuid_text, found))
        raise ClientError(
            f"node {node_id} follows the controllers with the directories {told}: name the one, as in "
            f"ID@HOST:PORT:DIRECTORY_ID"
        )
    return found[0]
