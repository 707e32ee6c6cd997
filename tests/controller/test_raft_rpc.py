"""What nodes of a quorum say, through Kafka's encoding and back."""

from __future__ import annotations

import pytest

from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.raft.epoch_history import EpochEnd
from kafkapy_controller.raft.messages import (
    AddVoter,
    BeginQuorumEpoch,
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
from kafkapy_controller.raft.rpc import decode_request, decode_result, encode_request, encode_result
from kafkapy_controller.voters import ReplicaKey, Voter, VoterEndpoint
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.vote import VoteRequest, VoteResponse
from kafkapy_wire.uuid import ONE_UUID, random_uuid

ME, OTHER = ReplicaKey(1, random_uuid()), ReplicaKey(2, random_uuid())
ENDPOINTS = (VoterEndpoint("CONTROLLER", "localhost", 9093),)
VOTER = Voter(3, random_uuid(), ENDPOINTS)

CONVERSATIONS: list[tuple[ApiKey, Request, Result]] = [
    (ApiKey.VOTE, Vote(5, ME, OTHER, 4, 100, True), VoteResult(ErrorCode.NONE, -1, 5, True)),
    (ApiKey.VOTE, Vote(5, ME, OTHER, 4, 100, False), VoteResult(ErrorCode.FENCED_LEADER_EPOCH, 2, 6, False, ENDPOINTS)),
    (
        ApiKey.BEGIN_QUORUM_EPOCH,
        BeginQuorumEpoch(1, 5, OTHER, ENDPOINTS),
        EpochResult(ErrorCode.INVALID_VOTER_KEY, 1, 5, ENDPOINTS),
    ),
    (
        ApiKey.END_QUORUM_EPOCH,
        EndQuorumEpoch(1, 5, (OTHER, ReplicaKey(3, random_uuid())), ENDPOINTS),
        EpochResult(ErrorCode.NONE, 1, 5, ENDPOINTS),
    ),
    (
        ApiKey.FETCH,
        Fetch(ME, 5, 100, 4, 90, 500),
        FetchResult(ErrorCode.NONE, 2, 5, 95, records=b"records", endpoints=ENDPOINTS),
    ),
    (ApiKey.FETCH, Fetch(ME, 5, 100, 4, 90, 500), FetchResult(ErrorCode.NONE, 2, 5, 95, diverging=EpochEnd(3, 80))),
    (ApiKey.FETCH, Fetch(ME, 5, 0, 0, 0, 0), FetchResult(ErrorCode.NONE, 2, 5, 95, snapshot=SnapshotId(80, 3))),
    (
        ApiKey.FETCH_SNAPSHOT,
        FetchSnapshot(ME, 5, SnapshotId(80, 3), 10),
        FetchSnapshotResult(ErrorCode.NONE, 2, 5, 1000, 10, b"part", ENDPOINTS),
    ),
    (ApiKey.ADD_RAFT_VOTER, AddVoter(VOTER, False, 1000), VoterChangeResult(ErrorCode.DUPLICATE_VOTER, "is there")),
    (ApiKey.REMOVE_RAFT_VOTER, RemoveVoter(OTHER), VoterChangeResult(ErrorCode.NONE)),
    (
        ApiKey.UPDATE_RAFT_VOTER,
        UpdateVoter(5, VOTER),
        VoterChangeResult(ErrorCode.NONE, None, 2, 5, ENDPOINTS),
    ),
]


@pytest.mark.parametrize(("key", "request_", "result"), CONVERSATIONS)
def test_requests_and_results_come_back_as_they_were(key: ApiKey, request_: Request, result: Result) -> None:
    version = API_VERSIONS[key].max_version
    message = encode_request(request_, "a-cluster")
    assert decode_request(decode(type(message), encode(message, version), version)) == request_
    response = encode_result(request_, result)
    assert decode_result(decode(type(response), encode(response, version), version), "CONTROLLER") == result


def test_a_fetch_of_an_older_version_has_no_directory_and_knows_no_high_watermark() -> None:
    message = encode_request(Fetch(ME, 5, 100, 4, 90, 500), "a-cluster")
    asked = decode_request(decode(FetchRequest, encode(message, 16), 16))
    assert isinstance(asked, Fetch)
    assert (asked.replica.node_id, asked.high_watermark) == (ME.node_id, -1)


@pytest.mark.parametrize("partitions", [0, 2])
def test_a_message_about_no_or_two_partitions_is_malformed(partitions: int) -> None:
    topic = FetchTopic(topic_id=ONE_UUID, partitions=[FetchPartition(partition=i) for i in range(partitions)])
    with pytest.raises(MalformedMessage, match="exactly one partition"):
        decode_request(FetchRequest(topics=[topic]))
    with pytest.raises(MalformedMessage, match="exactly one partition"):
        decode_request(VoteRequest(topics=[]))


def test_a_refusal_as_a_whole_is_no_result() -> None:
    with pytest.raises(MalformedMessage, match="INCONSISTENT_CLUSTER_ID"):
        decode_result(VoteResponse(error_code=ErrorCode.INCONSISTENT_CLUSTER_ID), "CONTROLLER")
    with pytest.raises(MalformedMessage, match=r"CLUSTER_AUTHORIZATION_FAILED: super.users must have the users"):
        decode_result(VoteResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED), "CONTROLLER")
