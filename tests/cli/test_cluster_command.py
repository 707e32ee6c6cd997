"""`kafkapy cluster` and its verbs: on one node, and on three that a fake plays."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages import describe_quorum
from kafkapy_wire.messages.add_raft_voter import AddRaftVoterRequest
from kafkapy_wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest
from kafkapy_wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from kafkapy_wire.messages.list_partition_reassignments import OngoingPartitionReassignment
from kafkapy_wire.messages.remove_raft_voter import RemoveRaftVoterRequest
from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest
from kafkapy_wire.uuid import parse_uuid, uuid_text
from tests.cli.conftest import START_SECONDS, Kafkapy, Result
from tests.cli.ending import ending
from tests.cli.fake_broker import FakeBroker
from tests.cli.fake_cluster import DIRECTORIES, OFFLINE, SHORT, WHOLE, FakeCluster, Three


@pytest.fixture
def three(run: Kafkapy) -> Iterator[Three]:
    cluster = FakeCluster()
    with FakeBroker(cluster.answer) as server:
        cluster.port = server.port
        yield Three(run, cluster, server)


# -- describe


def test_describe_shows_controllers_brokers_and_partitions_with_a_problem(three: Three) -> None:
    result = three("describe")
    assert (result.exit_code, result.err) == (0, "")
    one, two, three_, four = (uuid_text(each) for each in DIRECTORIES[1:5])
    assert result.lines == [
        "cluster the-cluster",
        "controller 2  epoch 7  high watermark 99",
        "",
        "NODE  ROLE      LAG  CAUGHT UP  DIRECTORY               ENDPOINTS",
        f"   1  voter       0  0.4 s ago  {one}  -",
        f"   2  leader      0  0.0 s ago  {two}  host2:9093",
        f"   3  voter       -  -          {three_}  -",
        f"   4  observer   12  2.5 s ago  {four}  -",
        "",
        "BROKER  STATE   RACK   ADDRESS",
        "     1  alive   rack1  host1:9092",
        "     2  alive   rack2  host2:9092",
        "     3  fenced  -      host3:9092",
        "",
        "3 partitions: 1 offline, 1 below min.insync.replicas, 2 under-replicated",
        "PARTITION  LEADER  REPLICAS  ISR  PROBLEM",
        "orders-0        -  1,2,3     3    offline, below min.insync.replicas 2, under-replicated",
        "orders-1        1  1,2,3     1,2  under-replicated",
    ]


def test_describe_as_json(three: Three) -> None:
    document = json.loads(three("describe", "--json").out)
    assert document["cluster_id"] == "the-cluster"
    controllers = document["controllers"]
    assert (controllers["leader"], controllers["epoch"], controllers["high_watermark"]) == (2, 7, 99)
    assert [(one["id"], one["lag"]) for one in controllers["voters"]] == [(1, 0), (2, 0), (3, None)]
    assert [(one["id"], one["lag"], one["directory_id"]) for one in controllers["observers"]] == [
        (4, 12, uuid_text(DIRECTORIES[4]))
    ]
    assert controllers["voters"][1]["endpoints"] == [{"name": "CONTROLLER", "host": "host2", "port": 9093}]
    assert [(one["id"], one["fenced"], one["rack"]) for one in document["brokers"]] == [
        (1, False, "rack1"),
        (2, False, "rack2"),
        (3, True, None),
    ]
    partitions = document["partitions"]
    assert partitions["count"] == 3
    assert [one["partition"] for one in partitions["offline"]] == [OFFLINE]
    assert [one["partition"] for one in partitions["under_min_isr"]] == [OFFLINE]
    assert [(one["partition"], one["isr"]) for one in partitions["under_replicated"]] == [
        (OFFLINE, [3]),
        (SHORT, [1, 2]),
    ]


def test_without_a_leader_of_the_controllers_the_brokers_are_described(three: Three) -> None:
    three.cluster.refused[describe_quorum.DescribeQuorumRequest] = ErrorCode.NOT_LEADER_OR_FOLLOWER
    result = three("describe", timeout=1)
    assert result.exit_code == 1
    assert result.lines[:5] == [
        "cluster the-cluster",
        "controller unknown",
        "",
        "BROKER  STATE   RACK   ADDRESS",
        "     1  alive   rack1  host1:9092",
    ]
    assert result.err.startswith("kafkapy cluster describe: the controllers have no leader that answers: ")
    document = json.loads(three("describe", "--json", timeout=1).out)
    assert document["controllers"] is None
    assert len(document["brokers"]) == 3


def test_one_node_describes_itself(kafkapy: Kafkapy, topic: str) -> None:
    assert kafkapy("topics", "create", topic).exit_code == 0
    document = json.loads(kafkapy("cluster", "describe", "--json").out)
    assert [(one["id"], one["lag"]) for one in document["controllers"]["voters"]] == [(1, 0)]
    assert [(one["id"], one["fenced"]) for one in document["brokers"]] == [(1, False)]
    assert document["partitions"]["count"] >= 1
    assert kafkapy("cluster", "describe").lines[0] == f"cluster {document['cluster_id']}"


# -- reassign


def test_replicas_are_spread_over_the_brokers_that_are_named(three: Three) -> None:
    result = three("reassign", "--topic", "orders", "--to", "1,2", "-r", "2")
    assert result.exit_code == 0
    assert result.lines == [
        "PARTITION  REPLICAS  TO",
        "orders-0   1,2,3     2,1",
        "orders-1   1,2,3     1,2",
        "orders-2   1,2,3     1,2",
        "3 partitions would move: --execute does it",
    ]
    assert three.asked(AlterPartitionReassignmentsRequest) == []
    generated = three("reassign", "--topic", "orders:1", "--to", "2", "-r", "1", "--generate")
    assert json.loads(generated.out) == {
        "version": 1,
        "partitions": [{"topic": "orders", "partition": 1, "replicas": [2]}],
    }
    shown = json.loads(three("reassign", "-", "--json", stdin=generated.out.encode()).out)
    assert shown["proposed"] == json.loads(generated.out)
    assert shown["current"]["partitions"] == [{"topic": "orders", "partition": 1, "replicas": [1, 2, 3]}]


def test_a_plan_is_executed_and_verified(three: Three, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    entries = [{"topic": "orders", "partition": index, "replicas": [1, 2]} for index in (SHORT, WHOLE)]
    plan.write_text(json.dumps({"version": 1, "partitions": entries}))
    result = three("reassign", str(plan), "--execute")
    assert result.exit_code == 0
    assert result.out == "moving 2 partitions: `kafkapy cluster reassign --list` shows what is under way\n"
    (request,) = three.asked(AlterPartitionReassignmentsRequest)
    assert isinstance(request, AlterPartitionReassignmentsRequest)
    asked = [(one.partition_index, one.replicas) for one in request.topics[0].partitions]
    assert asked == [(SHORT, [1, 2]), (WHOLE, [1, 2])]

    three.cluster.moving[SHORT] = OngoingPartitionReassignment(
        partition_index=SHORT, replicas=[1, 2, 3], removing_replicas=[3]
    )
    verified = three("reassign", str(plan), "--verify")
    assert verified.exit_code == 1
    assert verified.lines == [
        "PARTITION  STATE      REPLICAS  PLAN",
        "orders-1   moving     1,2,3     1,2",
        "orders-2   elsewhere  1,2,3     1,2",
    ]
    assert three("reassign", "--list").lines == [
        "PARTITION  REPLICAS  ADDING  REMOVING",
        "orders-1   1,2,3          -  3",
    ]
    assert three("reassign", "--cancel").out == "cancelled the move of partition orders-1\n"
    cancelled = three.asked(AlterPartitionReassignmentsRequest)[-1]
    assert isinstance(cancelled, AlterPartitionReassignmentsRequest)
    assert [(one.partition_index, one.replicas) for one in cancelled.topics[0].partitions] == [(SHORT, None)]

    still = three("reassign", str(plan), "--execute", "--wait", "0.01")
    assert still.exit_code == 1
    assert "not all partitions have moved within 0.01 s; they go on moving" in still.err
    three.cluster.moving.clear()
    assert three("reassign", str(plan), "--execute", "--wait", "5").out == "moved 2 partitions\n"
    assert three("reassign", "--list").out == three("reassign", "--cancel").out == "no partition moves\n"


def plan_of(path: Path, **replicas: list[int]) -> str:
    entries = [{"topic": "orders", "partition": int(name[1:]), "replicas": ids} for name, ids in replicas.items()]
    path.write_text(json.dumps({"version": 1, "partitions": entries}))
    return str(path)


RATES = {"leader.replication.throttled.rate": "5000", "follower.replication.throttled.rate": "5000"}


def test_a_throttle_is_for_those_who_send_and_for_those_who_get(three: Three, tmp_path: Path) -> None:
    """As with kafka-reassign-partitions: what moves already is throttled, too. Broker 3 is down."""
    plan = plan_of(tmp_path / "plan", p1=[2, 7], p2=[1, 2])
    three.cluster.moving[OFFLINE] = OngoingPartitionReassignment(
        partition_index=OFFLINE, replicas=[1, 2, 3, 8], adding_replicas=[8]
    )
    result = three("reassign", plan, "--execute", "--throttle", "5000")
    assert result.exit_code == 0
    assert result.lines[1] == (
        "the throttle holds until `kafkapy cluster reassign --verify` finds that nothing moves any more"
    )
    assert three.cluster.throttles == {
        (2, "orders"): {
            "leader.replication.throttled.replicas": "0:1,0:2,0:3,1:1,1:2,1:3",
            "follower.replication.throttled.replicas": "0:8,1:7",
        },
        (4, "1"): RATES,
        (4, "2"): RATES,
    }
    asked = [type(request) for request in three.asked(Message)]
    assert asked.index(IncrementalAlterConfigsRequest) < asked.index(AlterPartitionReassignmentsRequest)


@pytest.mark.parametrize(
    "verb",
    [["--verify"], ["plan", "--verify"], ["--cancel", "--topic", "orders"], ["plan", "--execute", "--wait", "5"]],
)
def test_the_verb_that_finishes_takes_the_throttles_away(three: Three, tmp_path: Path, verb: list[str]) -> None:
    is_executed = "--execute" in verb
    plan = plan_of(tmp_path / "plan", p1=[1, 2] if is_executed else [1, 2, 3])
    argv = ["reassign", *(plan if word == "plan" else word for word in verb)]
    moving = OngoingPartitionReassignment(partition_index=SHORT, replicas=[1, 2, 3], removing_replicas=[3])

    def begin() -> dict[tuple[int, str], dict[str, str]]:
        three.cluster.settings = {
            (2, "orders"): {"leader.replication.throttled.replicas": "1:1", "retention.ms": "7"},
            (4, "1"): {**RATES, "log.cleaner.threads": "2"},
            (4, "2"): dict(RATES),
        }
        return {resource: dict(settings) for resource, settings in three.cluster.settings.items()}

    before = begin()
    three.cluster.moving[SHORT] = moving
    three(*argv[:-1], "0.01") if is_executed else three(*argv)
    assert three.cluster.throttles == before
    three.cluster.moving.clear()
    assert three(*argv, "--preserve-throttles").exit_code == 0
    assert three.cluster.throttles == before
    result = three(*argv)
    assert result.lines[-1] == "took away the throttles of 1 topic and of all brokers"
    assert three.cluster.throttles == {(2, "orders"): {"retention.ms": "7"}, (4, "1"): {"log.cleaner.threads": "2"}}
    assert "throttles" not in three(*argv).out


def test_a_throttle_that_is_refused_moves_nothing(three: Three, tmp_path: Path) -> None:
    three.cluster.refused[IncrementalAlterConfigsRequest] = ErrorCode.INVALID_CONFIG
    plan = plan_of(tmp_path / "plan", p1=[1, 7])
    result = three("reassign", plan, "--execute", "--throttle", "5")
    assert (result.exit_code, result.out) == (1, "")
    assert "INVALID_CONFIG" in result.err
    assert three.asked(AlterPartitionReassignmentsRequest) == []


def test_moves_that_are_refused_are_told_one_by_one(three: Three) -> None:
    three.cluster.refused[AlterPartitionReassignmentsRequest] = ErrorCode.INVALID_REPLICA_ASSIGNMENT
    result = three("reassign", "--topic", "orders:1", "--to", "1,2", "-r", "2", "--execute")
    assert (result.exit_code, result.out) == (1, "")
    assert result.err == (
        "kafkapy cluster reassign: partition orders-1: invalid replica assignment (INVALID_REPLICA_ASSIGNMENT)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "9"], "there is no broker 9 in the cluster: there is 1,2,3"),
        (["--to", "1,3"], "broker 3 is fenced, so that nothing can move there: start it, or leave it out"),
        (["--to", "1,2"], "partition orders-0 should have 3 replicas, and --to names 2 brokers: name more, or add"),
        ([], "name the brokers with --to, as in --to 1,2,3, or a plan"),
        (["--to", "1", "plan.json"], "a plan says all: leave out --to"),
        (["--to", "1", "--throttle", "5"], "--throttle goes with --execute"),
        (["no-such-file"], "cannot read no-such-file: No such file or directory"),
        (["--to", "1", "--wait", "5"], "--wait goes with --execute or --verify"),
        (["--to", "1", "--topic", "orders:8"], "topic 'orders' has no partition '8'"),
    ],
)
def test_what_cannot_be_moved_is_said_in_one_line(three: Three, arguments: list[str], says: str) -> None:
    result = three("reassign", *arguments)
    assert (result.exit_code, result.out) == (1, "")
    assert result.err.startswith(f"kafkapy cluster reassign: {says}")
    assert result.err.count("\n") == 1


# -- elections, nodes and voters


def test_elections_are_told_and_those_that_failed_count(three: Three) -> None:
    result = three("elect-leaders")
    assert result.exit_code == 1
    assert result.lines == ["partition orders-1 has another leader", "1 partition needed no election"]
    assert result.err == (
        "kafkapy cluster elect-leaders: partition orders-0: none of its replicas is there "
        "(ELIGIBLE_LEADERS_NOT_AVAILABLE)\n"
    )
    document = json.loads(three("elect-leaders", "--topic", "orders:0,1", "--unclean", "--json").out)
    assert document["elected"] == [{"topic": "orders", "partition": SHORT}]
    assert document["not_needed"] == 1
    everywhere, named = three.asked(ElectLeadersRequest)
    assert isinstance(everywhere, ElectLeadersRequest)
    assert isinstance(named, ElectLeadersRequest)
    assert (everywhere.election_type, everywhere.topic_partitions) == (0, None)
    assert named.election_type == 1
    assert [(one.topic, one.partitions) for one in named.topic_partitions or ()] == [("orders", [0, 1])]
    assert "--unclean needs --topic" in three("elect-leaders", "--unclean").err


def test_nodes_are_unregistered(three: Three) -> None:
    assert three("unregister", "3").out == "unregistered broker 3\n"
    assert three("unregister", "3", "--controller").out == "unregistered controller 3\n"
    three.cluster.refused[UnregisterBrokerRequest] = ErrorCode.BROKER_ID_NOT_REGISTERED
    result = three("unregister", "9")
    assert result.exit_code == 1
    assert result.err == "kafkapy cluster unregister: broker 9: is not registered (BROKER_ID_NOT_REGISTERED)\n"


def test_an_observer_becomes_a_voter_with_the_directory_that_it_follows_with(three: Three) -> None:
    told = uuid_text(DIRECTORIES[4])
    assert three("voters", "add", "4@host4:9093").out == f"node 4 votes (directory id {told})\n"
    assert three("voters", "add", f"5@[::1]:9093:{told}").exit_code == 0
    observed, named = three.asked(AddRaftVoterRequest)
    assert isinstance(observed, AddRaftVoterRequest)
    assert isinstance(named, AddRaftVoterRequest)
    assert (observed.voter_id, observed.voter_directory_id) == (4, DIRECTORIES[4])
    assert [(one.name, one.host, one.port) for one in observed.listeners] == [("CONTROLLER", "host4", 9093)]
    assert (named.voter_id, named.voter_directory_id) == (5, parse_uuid(told))
    assert named.listeners[0].host == "::1"


def test_a_voter_is_removed_with_the_directory_that_it_votes_with(three: Three) -> None:
    told = uuid_text(DIRECTORIES[3])
    assert three("voters", "remove", "3").out == f"node 3 votes no more (directory id {told})\n"
    assert three("voters", "remove", f"9:{told}").exit_code == 0
    asked = three.asked(RemoveRaftVoterRequest)
    assert [(one.voter_id, one.voter_directory_id) for one in asked if isinstance(one, RemoveRaftVoterRequest)] == [
        (3, DIRECTORIES[3]),
        (9, DIRECTORIES[3]),
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "4"], "'4' is not ID@HOST:PORT or ID@HOST:PORT:DIRECTORY_ID"),
        (["add", "4@host"], "'4@host' is not ID@HOST:PORT"),
        (["add", "4@host:0"], "'4@host:0' is not ID@HOST:PORT"),
        (["add", "4@host:9093:xx"], "'xx' is not the id of a directory"),
        (["add", "1@host:9093"], "node 1 is a voter already"),
        (
            ["add", "9@host:9093"],
            "node 9 does not follow the controllers yet (voters: 1, 2, 3; observers: 4): start",
        ),
        (["remove", "x"], "'x' is not ID or ID:DIRECTORY_ID"),
        (["remove", "4"], "node 4 is no voter: the voters are 1, 2, 3"),
    ],
)
def test_voters_that_cannot_be_changed(three: Three, arguments: list[str], says: str) -> None:
    result = three("voters", *arguments)
    assert (result.exit_code, result.out) == (1, "")
    assert result.err.startswith(f"kafkapy cluster voters: {says}")
    assert result.err.count("\n") == 1


def test_a_change_that_was_made_before_its_answer_was_lost_is_done(run: Kafkapy) -> None:
    cluster = FakeCluster()
    lost: list[Message] = []

    def answer(request: Message) -> Message | None:
        if isinstance(request, UnregisterBrokerRequest) and not lost:
            lost.append(request)
            cluster.refused[UnregisterBrokerRequest] = ErrorCode.BROKER_ID_NOT_REGISTERED
            return None
        return cluster.answer(request)

    with FakeBroker(answer) as server:
        result = run("cluster", "unregister", "3", "-b", f"127.0.0.1:{server.port}", "--timeout", "5")
    assert (result.exit_code, result.out) == (0, "unregistered broker 3\n")


def test_a_verb_is_needed(run: Kafkapy) -> None:
    result = run("cluster")
    assert result.exit_code == 2
    assert result.err.startswith(
        "kafkapy cluster: `kafkapy cluster --nodes 3` starts one; for one that runs: describe, "
    )


# -- three nodes of kafkapy


def test_three_nodes_in_one_process(run: Kafkapy) -> None:
    """Moves are done by brokers that fetch from one another, and each verb goes by way of any of them."""
    command = [
        sys.executable,
        "-m",
        "kafkapy",
        "cluster",
        "--nodes",
        "3",
        "--ephemeral",
        "--port",
        "0",
        "--racks",
        "a,b",
    ]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        assert process.stdout is not None
        bootstrap = process.stdout.readline().removeprefix("bootstrap: ").strip()
        watchdog.cancel()
        addresses = bootstrap.split(",")
        assert len(addresses) == 3

        def kafkapy(*argv: str, at: int = 0) -> Result:
            return run(*argv, "-b", addresses[at])

        assert kafkapy("topics", "create", "t", "-p", "4", "-r", "2", at=2).exit_code == 0
        for at in range(3):
            seen = json.loads(kafkapy("cluster", "describe", "--json", at=at).out)
            assert [one["id"] for one in seen["controllers"]["voters"]] == [1, 2, 3]
            assert [(one["id"], one["rack"], one["fenced"]) for one in seen["brokers"]] == [
                (1, "a", False),
                (2, "b", False),
                (3, "a", False),
            ]
            assert (seen["partitions"]["count"], seen["partitions"]["under_replicated"]) == (4, [])
        moved = kafkapy(
            *("cluster", "reassign", "--topic", "t", "--to", "1,2,3", "-r", "3"),
            *("--execute", "--wait", "20", "--throttle", "10000000"),
            at=1,
        )
        assert moved.exit_code == 0
        assert moved.lines == ["moved 4 partitions", "took away the throttles of 1 topic and of all brokers"]
        for resource in (["--topic", "t"], ["--broker", "1"], ["--broker", "3"]):
            described = kafkapy("configs", "describe", *resource)
            assert (described.exit_code, "throttled" in described.out) == (0, False)
        away = kafkapy("cluster", "reassign", "--to", "1,2", "-r", "2", "--execute", "--wait", "20")
        assert (away.exit_code, away.out) == (0, "moved 4 partitions\n")
        described = json.loads(kafkapy("topics", "describe", "t", "--json", at=1).out)
        assert [sorted(one["replicas"]) for one in described[0]["partitions"]] == [[1, 2]] * 4
        assert kafkapy("cluster", "elect-leaders").exit_code == 0
        static = kafkapy("cluster", "voters", "remove", "3")
        assert (static.exit_code, static.out) == (1, "")
        assert "stand in controller.quorum.voters (kraft.version 0)" in static.err
        process.terminate()
