"""What a client may do by its ACLs, beside Apache Kafka 4.4.0: for each API, each operation missing in turn.

pytest compat_tests/differential/test_authorization.py -k metadata
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from compat_tests.apache_kafka import ApacheKafka, jar_directory
from compat_tests.broker import Broker
from compat_tests.differential.acl_requests import filters_take_what_they_say, wrong_acls_are_refused
from compat_tests.differential.authorization import SETTINGS, Allowed, AuthorizedPeer, comparable
from compat_tests.differential.authorization_cases import CASES
from compat_tests.differential.authorization_controller_cases import CONTROLLER_CASES
from compat_tests.differential.authorization_more_cases import MORE_CASES
from compat_tests.differential.authorization_principals import (
    acls_are_about_whom_they_name,
    groups_with_topics_that_may_not_be_described,
    regular_expressions_find_what_may_be_described,
    requests_between_nodes_at_a_broker,
)
from compat_tests.differential.authorization_requests import GROUP, OTHER_GROUP, SHARE_GROUP, A, B, Case, id_of
from compat_tests.differential.authorization_streams_cases import STREAMS_CASES
from compat_tests.differential.comparison import differences, report
from compat_tests.differential.peer import Peer, api_key_of, versions_of
from compat_tests.kafkapy_process import KafkapyProcess
from compat_tests.ports import free_port
from compat_tests.tools import need
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import UnsupportedVersion
from kafkapy_wire.messages.api_versions import ApiVersionsRequest
from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest
from kafkapy_wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
)
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest

BROKER_SETTINGS = {
    **SETTINGS,
    "log.retention.ms": "-1",
    "group.min.session.timeout.ms": "100",
    # The share group's member stays for as long as the tests take.
    "group.share.max.session.timeout.ms": "3600000",
    "group.share.session.timeout.ms": "3600000",
    "socket.receive.buffer.bytes": "102400",
    "socket.send.buffer.bytes": "102400",
    "group.streams.initial.rebalance.delay.ms": "0",
    "group.streams.assignment.interval.ms": "0",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}

ALL_CASES = CASES + MORE_CASES + STREAMS_CASES + CONTROLLER_CASES

ELSEWHERE = {
    ApiKey.API_VERSIONS: "everybody may ask for it",
    ApiKey.SASL_HANDSHAKE: "before there is a principal",
    ApiKey.SASL_AUTHENTICATE: "before there is a principal",
    ApiKey.GET_TELEMETRY_SUBSCRIPTIONS: "everybody may ask for it",
    ApiKey.PUSH_TELEMETRY: "everybody may ask for it",
    ApiKey.CREATE_DELEGATION_TOKEN: "for clients that have logged in only: test_delegation_tokens.py",
    ApiKey.RENEW_DELEGATION_TOKEN: "for clients that have logged in only: test_delegation_tokens.py",
    ApiKey.EXPIRE_DELEGATION_TOKEN: "for clients that have logged in only: test_delegation_tokens.py",
    ApiKey.DESCRIBE_DELEGATION_TOKEN: "for clients that have logged in only: test_delegation_tokens.py",
    ApiKey.INITIALIZE_SHARE_GROUP_STATE: "as ReadShareGroupState",
    ApiKey.WRITE_SHARE_GROUP_STATE: "as ReadShareGroupState",
    ApiKey.DELETE_SHARE_GROUP_STATE: "as ReadShareGroupState",
    ApiKey.READ_SHARE_GROUP_STATE_SUMMARY: "as ReadShareGroupState",
}
"""APIs without a case here."""


def prepared(name: str, broker: Broker, controller_port: int) -> AuthorizedPeer:
    """A broker with topics, groups and a transactional id, that nobody but the administrator may use."""
    peer = AuthorizedPeer(name, "127.0.0.1", broker.port, broker.data_dir)
    peer.controller_port = controller_port
    peer.normaliser.name_port(controller_port, "<controller's port>")
    peer.normaliser.name_text(peer.quietly(DescribeClusterRequest()).cluster_id, "<cluster>")
    for topic in (A, B, "auth-gone-1", "auth-gone-2"):
        peer.create_topic(topic)
    for key_type, key in ((0, GROUP), (1, "auth-producer")):
        find = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
        peer.until(find, lambda answer: answer.coordinators[0].error_code == 0, f"a coordinator of {key}")
    for group in (GROUP, OTHER_GROUP):
        commit = OffsetCommitRequest(
            group_id=group,
            topics=[
                OffsetCommitRequestTopic(
                    topic_id=id_of(peer, topic),
                    partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=5)],
                )
                for topic in (A, B)
            ],
        )
        peer.until(commit, lambda answer: not answer.topics[0].partitions[0].error_code, f"offsets of {group}")
    producer = InitProducerIdRequest(transactional_id="auth-producer", transaction_timeout_ms=60_000)
    peer.until(producer, lambda answer: answer.error_code == 0, "a producer id")
    join = ShareGroupHeartbeatRequest(
        group_id=SHARE_GROUP, member_id="share-member", member_epoch=0, subscribed_topic_names=[A, B]
    )
    peer.until(join, lambda answer: answer.error_code == 0, "a share group")
    described = DescribeShareGroupOffsetsRequest(
        groups=[DescribeShareGroupOffsetsRequestGroup(group_id=SHARE_GROUP, topics=None)]
    )
    peer.until(described, lambda answer: len(answer.groups[0].topics) == 2, "share partitions")
    peer.open_up()
    return peer


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AuthorizedPeer, AuthorizedPeer]]:
    need(jar_directory)
    port, controller_port = free_port(), free_port()
    listeners = {
        "process.roles": "broker,controller",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    with (
        KafkapyProcess(BROKER_SETTINGS | listeners, data_dir=tmp_path_factory.mktemp("kafkapy"), port=port) as ours,
        ApacheKafka(BROKER_SETTINGS, voters_in_log=True) as theirs,
        prepared("kafkapy", ours, controller_port) as kafkapy,
        prepared("apache", theirs, theirs.controller_port) as apache,
    ):
        yield kafkapy, apache


def sets_of(needs: tuple[Allowed, ...]) -> dict[str, tuple[Allowed, ...]]:
    """What the client is allowed, in turn."""
    sets: dict[str, tuple[Allowed, ...]] = {"nothing": (), "all": needs}
    if len(needs) > 1:
        for one in needs:
            sets[f"all but {one}"] = tuple(other for other in needs if other != one)
            sets[f"only {one}"] = (one,)
    return sets


def play(case: Case, peer: AuthorizedPeer) -> None:
    peer.transcript.clear()
    served = versions_of(api_key_of(case.request()))
    versions = case.versions or sorted({served[0], served[-1]})
    for label, allowed in sets_of(case.needs).items():
        peer.allow(*allowed)
        with peer.as_client(peer.controller_port if case.at_controller else None) as connection:
            for version in versions:
                request = case.make(version, peer)
                try:
                    encode(request, version)
                except UnsupportedVersion:
                    continue
                peer.ask(request, version, f"allowed {label}", connection)
    peer.transcript[:] = [replace(answer, plain=comparable(answer.plain)) for answer in peer.transcript]


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_each_operation_is_missed_in_turn(case: Case, peers: tuple[AuthorizedPeer, AuthorizedPeer]) -> None:
    ours, theirs = peers
    play(case, ours)
    play(case, theirs)
    assert ours.transcript
    found = list(differences(ours.transcript, theirs.transcript))
    if found:
        pytest.fail(report(found), pytrace=False)


@pytest.mark.parametrize(
    "ask",
    [
        acls_are_about_whom_they_name,
        regular_expressions_find_what_may_be_described,
        groups_with_topics_that_may_not_be_described,
        requests_between_nodes_at_a_broker,
    ],
)
def test_clients_are_told_the_same(
    ask: Callable[[AuthorizedPeer], None], peers: tuple[AuthorizedPeer, AuthorizedPeer]
) -> None:
    ours, theirs = peers
    for peer in peers:
        peer.transcript.clear()
        ask(peer)
        peer.transcript[:] = [replace(answer, plain=comparable(answer.plain)) for answer in peer.transcript]
    found = list(differences(ours.transcript, theirs.transcript))
    if found:
        pytest.fail(report(found), pytrace=False)


@pytest.mark.parametrize("ask", [wrong_acls_are_refused, filters_take_what_they_say])
def test_administrators_are_answered_the_same_about_acls(
    ask: Callable[[Peer], None], peers: tuple[AuthorizedPeer, AuthorizedPeer]
) -> None:
    ours, theirs = peers
    for peer in peers:
        peer.transcript.clear()
        ask(peer)
    found = list(differences(ours.transcript, theirs.transcript))
    if found:
        pytest.fail(report(found), pytrace=False)


def test_every_api_has_a_case(peers: tuple[AuthorizedPeer, AuthorizedPeer]) -> None:
    announced = {ApiKey(each.api_key) for each in peers[0].quietly(ApiVersionsRequest(), 0).api_keys}
    covered = {api_key_of(case.request()) for case in ALL_CASES}
    assert announced <= covered | ELSEWHERE.keys()
    assert not covered & ELSEWHERE.keys()
