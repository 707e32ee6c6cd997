"""What settings of a cluster change: the quorum's timeouts, the sessions of brokers, elections by the clock."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from kafkapy.apis import incremental_alter_configs
from kafkapy.clock import ManualClock
from kafkapy.cluster import Cluster, members_of
from kafkapy.errors import StartupError
from kafkapy.metadata.broker_lifecycle import BrokerLifecycle
from kafkapy.metadata.membership import quorum_of
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy.node import Node
from kafkapy.peers import PeerUnavailable
from kafkapy.peers.peer import Peer
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.features import SUPPORTED_FEATURES
from kafkapy_controller.image import BrokerImage, MetadataImage
from kafkapy_controller.quorum_state import QuorumState
from kafkapy_controller.raft.epoch_history import EpochHistory
from kafkapy_controller.raft.messages import BeginQuorumEpoch, EndQuorumEpoch, Fetch
from kafkapy_controller.raft.quorum import Asked, Failed, Quorum, Start, Tick
from kafkapy_controller.raft.roles import Follower, Unattached
from kafkapy_controller.registration import NodeRegistration
from kafkapy_controller.voters import MembershipHistory, ReplicaKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from kafkapy_wire.messages.broker_registration import BrokerRegistrationResponse
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafkapy_wire.uuid import Uuid
from tests.apis.topic_lab import Lab, lab
from tests.metadata.test_broker_control import alter_by, assigned, beat, heartbeat, join, leaders, pass_time, running
from tests.shell.running_node import TOPIC, trio_test

OWN = Uuid(bytes(range(16)))
VOTERS = {"listeners": "PLAINTEXT://a:1,CONTROLLER://a:2", "controller.quorum.voters": "1@a:2,2@b:2,3@c:2,4@d:2,5@e:2"}

# -- the quorum


def voter(**given: str) -> Quorum:
    """Node 1 of five voters, started at 0."""
    settings = Settings({**VOTERS, **{name.replace("_", "."): value for name, value in given.items()}})
    membership = MembershipHistory(quorum_of(settings, OWN))
    epochs = EpochHistory([], end_offset=0)
    quorum = Quorum(
        ReplicaKey(1, OWN), QuorumState(), membership, epochs, timeouts=settings.node.raft_timeouts, random=Random(1)
    )
    quorum.step(Start(), 0)
    return quorum


def follower(**given: str) -> Quorum:
    """The same, which follows node 2 from 0 on."""
    quorum = voter(**given)
    leader = BeginQuorumEpoch(2, 1, quorum.me, quorum.membership.voters[1].endpoints)
    quorum.step(Asked("reply", leader), 0)
    assert isinstance(quorum.role, Follower)
    return quorum


def test_a_voter_without_a_leader_waits_for_an_election_timeout() -> None:
    quorum = voter(controller_quorum_election_timeout_ms="50")
    assert isinstance(quorum.role, Unattached)
    assert 50 <= quorum.role.election_deadline_ms < 100


def test_a_follower_gives_its_leader_up_after_the_fetch_timeout() -> None:
    quorum = follower(controller_quorum_fetch_timeout_ms="70")
    assert isinstance(quorum.role, Follower)
    assert quorum.role.fetch_deadline_ms == 70


def test_a_fetch_that_fails_is_repeated_after_the_retry_backoff() -> None:
    quorum = voter(controller_quorum_retry_backoff_ms="33")
    leader = BeginQuorumEpoch(2, 1, quorum.me, quorum.membership.voters[1].endpoints)
    (send,) = quorum.step(Asked("reply", leader), 0).sends
    assert isinstance(send.request, Fetch)
    quorum.step(Failed(2, send.request), 2)
    assert quorum.step(Tick(), 34).sends == ()
    assert len(quorum.step(Tick(), 35).sends) == 1


def test_later_successors_of_a_leader_wait_at_most_the_election_backoff() -> None:
    """By their place in its list: twice as long as the one before, and no longer than this."""
    quorum = follower(controller_quorum_retry_backoff_ms="500", controller_quorum_election_backoff_max_ms="40")
    successors = tuple(ReplicaKey(one.node_id, one.directory_id) for one in reversed(quorum.membership.voters))
    quorum.step(Asked("reply", EndQuorumEpoch(2, 1, successors, quorum.membership.voters[1].endpoints)), 0)
    assert isinstance(quorum.role, Follower)
    assert 40 <= quorum.role.fetch_deadline_ms < 80


@trio_test
async def test_other_controllers_have_the_request_timeout_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: set[float] = set()
    asked = trio.Event()

    async def ask(_: Peer, request: Message, *, timeout_ms: float, version: int | None = None) -> Message:
        timeouts.add(timeout_ms)
        asked.set()
        raise PeerUnavailable("nobody is there")

    monkeypatch.setattr(Peer, "ask", ask)
    given = {
        "listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
        "controller.quorum.voters": "1@127.0.0.1:1,2@127.0.0.1:2",
        "controller.quorum.request.timeout.ms": "777",
        "controller.quorum.election.timeout.ms": "10",
    }
    node = Node(Settings(given), tmp_path, durable=False, cluster_id="a-cluster")

    async def serve() -> None:
        async with node.started():
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await asked.wait()
        nursery.cancel_scope.cancel()
    assert timeouts == {777}


# -- the sessions of brokers, and elections by the clock


def test_a_broker_is_fenced_when_its_session_is_over(tmp_path: Path) -> None:
    with lab(tmp_path, {"broker.session.timeout.ms": "2000"}) as node:
        join(node, 2)

        async def play() -> None:
            async with running(node) as clock:
                await node.controller.brokers.heartbeat(heartbeat(node, 2))
                await pass_time(clock, 2_000)
                assert not node.image.brokers[2].fenced
                await pass_time(clock, 1)
                assert node.image.brokers[2].fenced

        trio.run(play)


@pytest.mark.parametrize(("enabled", "leads"), [("true", {2}), ("false", {3})])
def test_preferred_leaders_come_back_at_the_interval_if_that_is_wanted(
    tmp_path: Path, enabled: str, leads: set[int]
) -> None:
    given = {"auto.leader.rebalance.enable": enabled, "leader.imbalance.check.interval.seconds": "5"}
    with lab(tmp_path, given) as node:
        join(node, 2, 3)
        node.create(assigned("wide", [2, 3]))
        beat(node, 2, want_fence=True)
        beat(node, 2)
        alter_by(node, 3)
        assert leaders(node.image, "wide") == {3}

        async def play() -> None:
            async with running(node) as clock:
                for broker_id in (2, 3):
                    await node.controller.brokers.heartbeat(heartbeat(node, broker_id))
                await pass_time(clock, 4_000)
                assert leaders(node.image, "wide") == {3}
                await pass_time(clock, 1_500)
                assert leaders(node.image, "wide") == leads

        trio.run(play)


@pytest.mark.parametrize(("interval_ms", "written"), [(2_000, 3), (0, 0)])
def test_an_idle_controller_writes_a_record_each_interval(tmp_path: Path, interval_ms: int, written: int) -> None:
    given = {"metadata.max.idle.interval.ms": str(interval_ms), "broker.session.timeout.ms": "60000"}
    with lab(tmp_path, given) as node:
        join(node, 2)

        async def play() -> None:
            async with running(node) as clock:
                before = node.image
                await pass_time(clock, 2_000)
                assert node.image.offset == before.offset, "the registrations were new"
                for _ in range(3):
                    await pass_time(clock, 2_000)
                assert node.image.offset == before.offset + written
                assert node.image._replace(offset=0) == before._replace(offset=0)
                await node.controller.brokers.heartbeat(heartbeat(node, 2, want_fence=True))
                await pass_time(clock, 2_000)
                assert node.image.offset == before.offset + written + 1, "it was not idle"

        trio.run(play)


def leaderless(node: Lab) -> None:
    """A topic `u` whose only replica in sync, 2, is gone; 3 is there."""
    join(node, 2, 3)
    node.create(assigned("u", [2, 3]))
    beat(node, 3, want_fence=True)
    beat(node, 3)
    beat(node, 2, want_fence=True)


@pytest.mark.parametrize(("enabled", "leads"), [("true", {3}), ("false", {-1})])
def test_a_replica_that_is_not_in_sync_leads_only_if_that_is_wanted(
    tmp_path: Path, enabled: str, leads: set[int]
) -> None:
    with lab(tmp_path, {"unclean.leader.election.enable": enabled}) as node:
        leaderless(node)
        assert leaders(node.image, "u") == leads


def test_partitions_without_a_leader_are_looked_at_each_interval(tmp_path: Path) -> None:
    with lab(tmp_path, {"unclean.leader.election.interval.ms": "4000"}) as node:
        leaderless(node)

        async def look() -> None:
            async with running(node):  # an active controller looks at once
                assert leaders(node.image, "u") == {-1}

        trio.run(look)
        config = AlterableConfig(name="unclean.leader.election.enable", config_operation=0, value="true")
        resource = AlterConfigsResource(resource_type=TOPIC, resource_name="u", configs=[config])
        altered = node.call(incremental_alter_configs, IncrementalAlterConfigsRequest(resources=[resource]), 1)
        assert [one.error_code for one in altered.responses] == [ErrorCode.NONE]
        assert leaders(node.image, "u") == {-1}

        async def play() -> None:
            async with running(node) as clock:
                await node.controller.brokers.heartbeat(heartbeat(node, 3))
                await pass_time(clock, 3_900)
                assert leaders(node.image, "u") == {-1}
                await pass_time(clock, 200)
                assert leaders(node.image, "u") == {3}

        trio.run(play)


# -- a broker and its controller


class Channel:
    """Answers as a test says, and notes when it was asked."""

    def __init__(self, clock: ManualClock, answer: Callable[[Message], Message]) -> None:
        self._clock = clock
        self._answer = answer
        self.times_ms: list[float] = []

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        self.times_ms.append(self._clock.monotonic_ms())
        return self._answer(request)


def lifecycle(
    clock: ManualClock, publisher: MetadataPublisher, answer: Callable[[Message], Message], **given: str
) -> tuple[BrokerLifecycle, Channel]:
    channel: Any = Channel(clock, answer)
    registration = NodeRegistration(
        node_id=1, incarnation_id=OWN, endpoints=[], features=SUPPORTED_FEATURES, rack=None, log_dirs=[OWN]
    )
    settings = CurrentSettings(Settings({name.replace("_", "."): value for name, value in given.items()}))
    return BrokerLifecycle(registration, "a-cluster", channel, publisher, settings, clock), channel


@asynccontextmanager
async def ticking() -> AsyncIterator[ManualClock]:
    clock = ManualClock(frozen=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.run)
        yield clock
        nursery.cancel_scope.cancel()


def test_heartbeats_that_are_refused_cost_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """As long as it is for the same reason."""
    caplog.set_level(logging.INFO, "kafkapy.broker")
    codes = [ErrorCode.CLUSTER_AUTHORIZATION_FAILED] * 5 + [ErrorCode.NONE] + [ErrorCode.UNKNOWN_SERVER_ERROR] * 5

    def refused(_: Message) -> Message:
        return BrokerHeartbeatResponse(error_code=codes.pop(0) if codes else ErrorCode.NONE)

    async def play() -> None:
        async with ticking() as clock, trio.open_nursery() as nursery:
            broker, _ = lifecycle(clock, MetadataPublisher(), refused)
            nursery.start_soon(broker.run)
            while codes:
                await pass_time(clock, 100)
            nursery.cancel_scope.cancel()
        lines = [record.getMessage() for record in caplog.records if "refuses heartbeats" in record.getMessage()]
        assert len(lines) == 2
        assert "super.users" in lines[0]
        assert "UNKNOWN_SERVER_ERROR" in lines[1]

    trio.run(play)


def test_an_id_that_lives_elsewhere_is_waited_for_for_a_time() -> None:
    """The session of the last run may have to end first; when it is another node's, it does not."""

    def registered_already(_: Message) -> Message:
        return BrokerRegistrationResponse(error_code=ErrorCode.DUPLICATE_BROKER_REGISTRATION)

    async def play() -> None:
        async with ticking() as clock, trio.open_nursery() as nursery:
            given = {"initial_broker_registration_timeout_ms": "3000"}
            broker, channel = lifecycle(clock, MetadataPublisher(), registered_already, **given)
            refused: list[str] = []

            async def register() -> None:
                with pytest.raises(StartupError) as caught:
                    await broker.register()
                refused.append(str(caught.value))

            nursery.start_soon(register)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(30):
                await pass_time(clock, 100)
            assert refused == []
            await pass_time(clock, 100)
            assert refused
            assert "DUPLICATE_BROKER_REGISTRATION" in refused[0]
            assert channel.times_ms[-1] - channel.times_ms[0] == 3_100

    trio.run(play)


def test_a_broker_asks_to_be_unfenced_when_its_logs_are_recovered() -> None:
    """Before, it could not serve what it would be made leader of."""
    wanted: list[bool] = []

    def heard(request: Message) -> Message:
        assert isinstance(request, BrokerHeartbeatRequest)
        wanted.append(request.want_fence)
        return BrokerHeartbeatResponse(is_fenced=request.want_fence)

    async def play() -> None:
        async with ticking() as clock, trio.open_nursery() as nursery:
            broker, _ = lifecycle(clock, MetadataPublisher(), heard)
            nursery.start_soon(broker.run)
            await trio.testing.wait_all_tasks_blocked()
            assert set(wanted) == {True}
            broker.ready()
            await trio.testing.wait_all_tasks_blocked()
            assert wanted[-1] is False
            nursery.cancel_scope.cancel()

    trio.run(play)


def test_an_unfenced_broker_sends_a_heartbeat_each_interval() -> None:
    def heard(request: Message) -> Message:
        assert isinstance(request, BrokerHeartbeatRequest)
        return BrokerHeartbeatResponse(is_fenced=False)

    async def play() -> None:
        async with ticking() as clock, trio.open_nursery() as nursery:
            publisher = MetadataPublisher()
            broker, channel = lifecycle(clock, publisher, heard, broker_heartbeat_interval_ms="700")
            broker.registered(5)
            registered = BrokerImage(1, 5, OWN, {}, {}, None, fenced=False)
            publisher.publish(MetadataImage(offset=5, brokers={1: registered}), MetadataDelta(MetadataImage()))
            nursery.start_soon(broker.run)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(30):
                await pass_time(clock, 100)
            begun = channel.times_ms[0]
            assert [time - begun for time in channel.times_ms] == [0, 700, 1_400, 2_100, 2_800]
            nursery.cancel_scope.cancel()

    trio.run(play)


@pytest.mark.parametrize(("enabled", "leads"), [("true", False), ("false", True)])
def test_a_broker_that_stops_hands_over_what_it_leads_unless_it_should_not(
    tmp_path: Path, enabled: str, leads: bool
) -> None:
    @trio_test
    async def play() -> None:
        settings = {"controlled.shutdown.enable": enabled}
        async with Cluster(tmp_path, members_of(3), settings=settings, durable=False, kept=False).started() as cluster:
            active = await active_controller(cluster)
            controller = active.parts.controller
            stopped = next(node_id for node_id in cluster.nodes if node_id != active.node_id)
            request = CreateTopicsRequest(
                topics=[CreatableTopic(name="t", num_partitions=6, replication_factor=2)], timeout_ms=5_000
            )
            response = await controller.create_topics(request)
            assert [one.error_code for one in response.topics] == [ErrorCode.NONE]
            assert stopped in leaders(active.parts.metadata.image, "t")
            await cluster.stop(stopped)
            assert (stopped in leaders(active.parts.metadata.image, "t")) is leads

    play()


async def active_controller(cluster: Cluster) -> Node:
    while True:
        for node in cluster.nodes.values():
            if node.parts.controller.leader_id == node.node_id:
                return node
        await trio.sleep(0.01)
