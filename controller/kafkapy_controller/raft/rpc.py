"""The messages between nodes of a quorum as Kafka's messages: a function each way for each kind.

Every message can name many partitions; the quorum has one, `__cluster_metadata-0`, and a message about another is
malformed. Imported only by a node that has other nodes to talk to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.raft.epoch_history import EpochEnd
from kafkapy_controller.raft.messages import (
    FETCH_BYTES_MAX,
    AddVoter,
    BeginQuorumEpoch,
    Endpoints,
    EndQuorumEpoch,
    EpochResult,
    Fetch,
    FetchResult,
    FetchSnapshot,
    FetchSnapshotResult,
    RemoveVoter,
    Request,
    Result,
    UpdateVoter,
    Vote,
    VoterChangeResult,
    VoteResult,
)
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC, METADATA_TOPIC_ID
from kafkapy_controller.voters import ReplicaKey, Voter, VoterEndpoint
from kafkapy_wire.errors import ErrorCode, MalformedMessage, error_code
from kafkapy_wire.message import Message
from kafkapy_wire.messages import (
    add_raft_voter,
    begin_quorum_epoch,
    end_quorum_epoch,
    fetch,
    fetch_snapshot,
    remove_raft_voter,
    update_raft_voter,
    vote,
)
from kafkapy_wire.uuid import ZERO_UUID

UNKNOWN_HIGH_WATERMARK = 2**63 - 1
"""What the field's default says: the replica knows of no high watermark to wait for (KIP-1166)."""

E = TypeVar("E")
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


class _Topic(Protocol[P_co]):
    @property
    def partitions(self) -> Sequence[P_co]: ...


class _NodeEndpoint(Protocol):
    @property
    def node_id(self) -> int: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class _Listener(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


def _only(topics: Sequence[_Topic[P]]) -> P:
    """The one partition, which is that of the quorum. Raises MalformedMessage: none, several, or another one."""
    if len(topics) != 1 or len(topics[0].partitions) != 1:
        raise MalformedMessage("a message of the quorum names exactly one partition")
    topic, partition = topics[0], topics[0].partitions[0]
    named = {getattr(topic, field, None) for field in ("topic_name", "topic", "name", "topic_id")}
    indexes = {getattr(partition, field, 0) for field in ("partition_index", "partition", "index")}
    if named.isdisjoint((CLUSTER_METADATA_TOPIC, METADATA_TOPIC_ID)) or indexes != {0}:
        raise MalformedMessage(f"a message of the quorum is about {CLUSTER_METADATA_TOPIC}-0")
    return partition


def _named(listeners: Iterable[_Listener]) -> Endpoints:
    return tuple(VoterEndpoint(each.name, each.host, each.port) for each in listeners)


def _endpoints_of(leader_id: int, endpoints: Iterable[_NodeEndpoint], listener_name: str) -> Endpoints:
    """Results name no listener: the address is that of the listener of the request."""
    return tuple(VoterEndpoint(listener_name, each.host, each.port) for each in endpoints if each.node_id == leader_id)


def _leader_endpoint(
    node_endpoint: Callable[..., E], result: VoteResult | EpochResult | FetchResult | FetchSnapshotResult
) -> list[E]:
    """The first endpoint of the leader as a response has it; `node_endpoint` is the response's class."""
    return [node_endpoint(node_id=result.leader_id, host=each.host, port=each.port) for each in result.endpoints[:1]]


def _bytes(records: object) -> bytes:
    """Decoded records are bytes or a view of them."""
    return bytes(records) if isinstance(records, bytes | bytearray | memoryview) else b""


def encode_request(request: Request, cluster_id: str) -> Message:
    """Kafka's message, to be encoded in any version that both sides speak."""
    match request:
        case Vote():
            return vote.VoteRequest(
                cluster_id=cluster_id,
                voter_id=request.voter.node_id,
                topics=[
                    vote.VoteRequestTopicData(
                        topic_name=CLUSTER_METADATA_TOPIC,
                        partitions=[
                            vote.VoteRequestPartitionData(
                                replica_epoch=request.epoch,
                                replica_id=request.candidate.node_id,
                                replica_directory_id=request.candidate.directory_id,
                                voter_directory_id=request.voter.directory_id,
                                last_offset_epoch=request.last_epoch,
                                last_offset=request.log_end_offset,
                                pre_vote=request.pre_vote,
                            )
                        ],
                    )
                ],
            )
        case BeginQuorumEpoch():
            return begin_quorum_epoch.BeginQuorumEpochRequest(
                cluster_id=cluster_id,
                voter_id=request.voter.node_id,
                topics=[
                    begin_quorum_epoch.BeginQuorumEpochRequestTopicData(
                        topic_name=CLUSTER_METADATA_TOPIC,
                        partitions=[
                            begin_quorum_epoch.BeginQuorumEpochRequestPartitionData(
                                voter_directory_id=request.voter.directory_id,
                                leader_id=request.leader_id,
                                leader_epoch=request.epoch,
                            )
                        ],
                    )
                ],
                leader_endpoints=[
                    begin_quorum_epoch.LeaderEndpoint(name=e.name, host=e.host, port=e.port) for e in request.endpoints
                ],
            )
        case EndQuorumEpoch():
            successors = request.preferred_successors
            return end_quorum_epoch.EndQuorumEpochRequest(
                cluster_id=cluster_id,
                topics=[
                    end_quorum_epoch.EndQuorumEpochRequestTopicData(
                        topic_name=CLUSTER_METADATA_TOPIC,
                        partitions=[
                            end_quorum_epoch.EndQuorumEpochRequestPartitionData(
                                leader_id=request.leader_id,
                                leader_epoch=request.epoch,
                                preferred_successors=[each.node_id for each in successors],
                                preferred_candidates=[
                                    end_quorum_epoch.ReplicaInfo(
                                        candidate_id=each.node_id, candidate_directory_id=each.directory_id
                                    )
                                    for each in successors
                                ],
                            )
                        ],
                    )
                ],
                leader_endpoints=[
                    end_quorum_epoch.LeaderEndpoint(name=e.name, host=e.host, port=e.port) for e in request.endpoints
                ],
            )
        case Fetch():
            return _encode_fetch(request, cluster_id)
        case FetchSnapshot():
            return fetch_snapshot.FetchSnapshotRequest(
                cluster_id=cluster_id,
                replica_id=request.replica.node_id,
                max_bytes=request.max_bytes,
                topics=[
                    fetch_snapshot.FetchSnapshotRequestTopicSnapshot(
                        name=CLUSTER_METADATA_TOPIC,
                        partitions=[
                            fetch_snapshot.FetchSnapshotRequestPartitionSnapshot(
                                current_leader_epoch=request.epoch,
                                snapshot_id=fetch_snapshot.FetchSnapshotRequestSnapshotId(
                                    end_offset=request.snapshot.end_offset, epoch=request.snapshot.epoch
                                ),
                                position=request.position,
                                replica_directory_id=request.replica.directory_id,
                            )
                        ],
                    )
                ],
            )
        case AddVoter():
            voter = request.voter
            return add_raft_voter.AddRaftVoterRequest(
                cluster_id=cluster_id,
                timeout_ms=request.timeout_ms,
                voter_id=voter.node_id,
                voter_directory_id=voter.directory_id,
                listeners=[add_raft_voter.Listener(name=e.name, host=e.host, port=e.port) for e in voter.endpoints],
                ack_when_committed=request.ack_when_committed,
            )
        case RemoveVoter():
            return remove_raft_voter.RemoveRaftVoterRequest(
                cluster_id=cluster_id, voter_id=request.voter.node_id, voter_directory_id=request.voter.directory_id
            )
        case UpdateVoter():
            voter = request.voter
            return update_raft_voter.UpdateRaftVoterRequest(
                cluster_id=cluster_id,
                current_leader_epoch=request.epoch,
                voter_id=voter.node_id,
                voter_directory_id=voter.directory_id,
                listeners=[update_raft_voter.Listener(name=e.name, host=e.host, port=e.port) for e in voter.endpoints],
                k_raft_version_feature=update_raft_voter.KRaftVersionFeature(
                    min_supported_version=request.kraft_versions[0], max_supported_version=request.kraft_versions[1]
                ),
            )


def _encode_fetch(request: Fetch, cluster_id: str) -> fetch.FetchRequest:
    return fetch.FetchRequest(
        cluster_id=cluster_id,
        replica_state=fetch.ReplicaState(replica_id=request.replica.node_id),
        max_wait_ms=request.max_wait_ms,
        min_bytes=0,
        max_bytes=FETCH_BYTES_MAX,
        topics=[
            fetch.FetchTopic(
                topic_id=METADATA_TOPIC_ID,
                partitions=[
                    fetch.FetchPartition(
                        current_leader_epoch=request.epoch,
                        fetch_offset=request.fetch_offset,
                        last_fetched_epoch=request.last_fetched_epoch,
                        replica_directory_id=request.replica.directory_id,
                        high_watermark=request.high_watermark,
                    )
                ],
            )
        ],
    )


def decode_request(message: Message) -> Request:
    """Raises MalformedMessage: about another partition than the quorum's, or not of the quorum at all."""
    match message:
        case vote.VoteRequest():
            asked = _only(message.topics)
            return Vote(
                asked.replica_epoch,
                ReplicaKey(asked.replica_id, asked.replica_directory_id),
                ReplicaKey(message.voter_id, asked.voter_directory_id),
                asked.last_offset_epoch,
                asked.last_offset,
                asked.pre_vote,
            )
        case begin_quorum_epoch.BeginQuorumEpochRequest():
            begun = _only(message.topics)
            voter = ReplicaKey(message.voter_id, begun.voter_directory_id)
            return BeginQuorumEpoch(begun.leader_id, begun.leader_epoch, voter, _named(message.leader_endpoints))
        case end_quorum_epoch.EndQuorumEpochRequest():
            ended = _only(message.topics)
            successors = tuple(
                ReplicaKey(each.candidate_id, each.candidate_directory_id) for each in ended.preferred_candidates
            ) or tuple(ReplicaKey(node_id, ZERO_UUID) for node_id in ended.preferred_successors)  # version 0
            return EndQuorumEpoch(ended.leader_id, ended.leader_epoch, successors, _named(message.leader_endpoints))
        case fetch.FetchRequest():
            wanted = _only(message.topics)
            known = -1 if wanted.high_watermark == UNKNOWN_HIGH_WATERMARK else wanted.high_watermark
            node_id = message.replica_state.replica_id if message.replica_id < 0 else message.replica_id
            return Fetch(
                ReplicaKey(node_id, wanted.replica_directory_id),
                wanted.current_leader_epoch,
                wanted.fetch_offset,
                wanted.last_fetched_epoch,
                known,
                message.max_wait_ms,
            )
        case fetch_snapshot.FetchSnapshotRequest():
            part = _only(message.topics)
            return FetchSnapshot(
                ReplicaKey(message.replica_id, part.replica_directory_id),
                part.current_leader_epoch,
                SnapshotId(part.snapshot_id.end_offset, part.snapshot_id.epoch),
                part.position,
                message.max_bytes,
            )
        case add_raft_voter.AddRaftVoterRequest():
            added = Voter(message.voter_id, message.voter_directory_id, _named(message.listeners))
            return AddVoter(added, message.ack_when_committed, message.timeout_ms)
        case remove_raft_voter.RemoveRaftVoterRequest():
            return RemoveVoter(ReplicaKey(message.voter_id, message.voter_directory_id))
        case update_raft_voter.UpdateRaftVoterRequest():
            updated = Voter(message.voter_id, message.voter_directory_id, _named(message.listeners))
            supported = message.k_raft_version_feature
            versions = supported.min_supported_version, supported.max_supported_version
            return UpdateVoter(message.current_leader_epoch, updated, versions)
    raise MalformedMessage(f"{type(message).__name__} is not a message of the quorum")


def encode_result(request: Request, result: Result) -> Message:
    """The response to `request`. Errors of an epoch are in the partition, as in Kafka."""
    match request, result:
        case Vote(), VoteResult():
            voted = vote.VoteResponsePartitionData(
                error_code=result.error,
                leader_id=result.leader_id,
                leader_epoch=result.epoch,
                vote_granted=result.granted,
            )
            return vote.VoteResponse(
                topics=[vote.VoteResponseTopicData(topic_name=CLUSTER_METADATA_TOPIC, partitions=[voted])],
                node_endpoints=_leader_endpoint(vote.NodeEndpoint, result),
            )
        case BeginQuorumEpoch(), EpochResult():
            begun = begin_quorum_epoch.BeginQuorumEpochResponsePartitionData(
                error_code=result.error, leader_id=result.leader_id, leader_epoch=result.epoch
            )
            return begin_quorum_epoch.BeginQuorumEpochResponse(
                topics=[
                    begin_quorum_epoch.BeginQuorumEpochResponseTopicData(
                        topic_name=CLUSTER_METADATA_TOPIC, partitions=[begun]
                    )
                ],
                node_endpoints=_leader_endpoint(begin_quorum_epoch.NodeEndpoint, result),
            )
        case EndQuorumEpoch(), EpochResult():
            ended = end_quorum_epoch.EndQuorumEpochResponsePartitionData(
                error_code=result.error, leader_id=result.leader_id, leader_epoch=result.epoch
            )
            return end_quorum_epoch.EndQuorumEpochResponse(
                topics=[
                    end_quorum_epoch.EndQuorumEpochResponseTopicData(
                        topic_name=CLUSTER_METADATA_TOPIC, partitions=[ended]
                    )
                ],
                node_endpoints=_leader_endpoint(end_quorum_epoch.NodeEndpoint, result),
            )
        case Fetch(), FetchResult():
            return _encode_fetch_result(result)
        case FetchSnapshot(), FetchSnapshotResult():
            return _encode_snapshot_result(request, result)
        case AddVoter(), VoterChangeResult():
            return add_raft_voter.AddRaftVoterResponse(error_code=result.error, error_message=result.message)
        case RemoveVoter(), VoterChangeResult():
            return remove_raft_voter.RemoveRaftVoterResponse(error_code=result.error, error_message=result.message)
        case UpdateVoter(), VoterChangeResult():
            leader = update_raft_voter.CurrentLeader(leader_id=result.leader_id, leader_epoch=result.epoch)
            for endpoint in result.endpoints[:1]:
                leader.host, leader.port = endpoint.host, endpoint.port
            return update_raft_voter.UpdateRaftVoterResponse(error_code=result.error, current_leader=leader)
    raise AssertionError(f"{result} does not answer {request}")


def _encode_fetch_result(result: FetchResult) -> fetch.FetchResponse:
    data = fetch.PartitionData(
        error_code=result.error,
        high_watermark=result.high_watermark,
        current_leader=fetch.LeaderIdAndEpoch(leader_id=result.leader_id, leader_epoch=result.epoch),
        records=result.records,
    )
    if result.diverging is not None:
        data.diverging_epoch = fetch.EpochEndOffset(
            epoch=result.diverging.epoch, end_offset=result.diverging.end_offset
        )
    if result.snapshot is not None:
        data.snapshot_id = fetch.SnapshotId(end_offset=result.snapshot.end_offset, epoch=result.snapshot.epoch)
    return fetch.FetchResponse(
        responses=[
            fetch.FetchableTopicResponse(topic=CLUSTER_METADATA_TOPIC, topic_id=METADATA_TOPIC_ID, partitions=[data])
        ],
        node_endpoints=_leader_endpoint(fetch.NodeEndpoint, result),
    )


def _encode_snapshot_result(
    request: FetchSnapshot, result: FetchSnapshotResult
) -> fetch_snapshot.FetchSnapshotResponse:
    part = fetch_snapshot.FetchSnapshotResponsePartitionSnapshot(
        error_code=result.error,
        snapshot_id=fetch_snapshot.FetchSnapshotResponseSnapshotId(
            end_offset=request.snapshot.end_offset, epoch=request.snapshot.epoch
        ),
        current_leader=fetch_snapshot.LeaderIdAndEpoch(leader_id=result.leader_id, leader_epoch=result.epoch),
        size=result.size,
        position=result.position,
        unaligned_records=result.data,
    )
    return fetch_snapshot.FetchSnapshotResponse(
        topics=[fetch_snapshot.FetchSnapshotResponseTopicSnapshot(name=CLUSTER_METADATA_TOPIC, partitions=[part])],
        node_endpoints=_leader_endpoint(fetch_snapshot.NodeEndpoint, result),
    )


_NODES_ARE_NO_SUPER_USERS = (
    ": super.users must have the users that the nodes are for one another (User:ANONYMOUS without SASL and TLS)"
)


def decode_result(message: Message, listener_name: str) -> Result:
    """Raises MalformedMessage: the whole request was refused (another cluster), or another partition is answered."""
    code = getattr(message, "error_code", 0)
    is_change = isinstance(
        message,
        add_raft_voter.AddRaftVoterResponse
        | remove_raft_voter.RemoveRaftVoterResponse
        | update_raft_voter.UpdateRaftVoterResponse,
    )
    if code and not is_change:
        what_to_do = _NODES_ARE_NO_SUPER_USERS if code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED else ""
        raise MalformedMessage(f"{type(message).__name__} with {error_code(code).name}{what_to_do}")
    match message:
        case vote.VoteResponse():
            voted = _only(message.topics)
            endpoints = _endpoints_of(voted.leader_id, message.node_endpoints, listener_name)
            return VoteResult(
                error_code(voted.error_code), voted.leader_id, voted.leader_epoch, voted.vote_granted, endpoints
            )
        case begin_quorum_epoch.BeginQuorumEpochResponse():
            begun = _only(message.topics)
            endpoints = _endpoints_of(begun.leader_id, message.node_endpoints, listener_name)
            return EpochResult(error_code(begun.error_code), begun.leader_id, begun.leader_epoch, endpoints)
        case end_quorum_epoch.EndQuorumEpochResponse():
            ended = _only(message.topics)
            endpoints = _endpoints_of(ended.leader_id, message.node_endpoints, listener_name)
            return EpochResult(error_code(ended.error_code), ended.leader_id, ended.leader_epoch, endpoints)
        case fetch.FetchResponse():
            return _decode_fetch_result(message, listener_name)
        case fetch_snapshot.FetchSnapshotResponse():
            part = _only(message.topics)
            leader = part.current_leader
            return FetchSnapshotResult(
                error_code(part.error_code),
                leader.leader_id,
                leader.leader_epoch,
                part.size,
                part.position,
                _bytes(part.unaligned_records),
                _endpoints_of(leader.leader_id, message.node_endpoints, listener_name),
            )
        case add_raft_voter.AddRaftVoterResponse() | remove_raft_voter.RemoveRaftVoterResponse():
            return VoterChangeResult(error_code(message.error_code), message.error_message)
        case update_raft_voter.UpdateRaftVoterResponse():
            who = message.current_leader
            where = (VoterEndpoint(listener_name, who.host, who.port),) if who.host else ()
            return VoterChangeResult(error_code(message.error_code), None, who.leader_id, who.leader_epoch, where)
    raise MalformedMessage(f"{type(message).__name__} is not a message of the quorum")


def _decode_fetch_result(message: fetch.FetchResponse, listener_name: str) -> FetchResult:
    data = _only(message.responses)
    diverging, snapshot, leader = data.diverging_epoch, data.snapshot_id, data.current_leader
    return FetchResult(
        error_code(data.error_code),
        leader.leader_id,
        leader.leader_epoch,
        data.high_watermark,
        EpochEnd(diverging.epoch, diverging.end_offset) if diverging.epoch >= 0 else None,
        SnapshotId(snapshot.end_offset, snapshot.epoch) if min(snapshot.end_offset, snapshot.epoch) >= 0 else None,
        _bytes(data.records),
        _endpoints_of(leader.leader_id, message.node_endpoints, listener_name),
    )
