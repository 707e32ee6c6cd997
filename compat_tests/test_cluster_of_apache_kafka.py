"""Three nodes of Apache Kafka that `kafkapy format` has made a quorum of, and `kafkapy cluster` beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import CLUSTER_ID, ApacheKafka
from compat_tests.command_line import ClusterCommand
from compat_tests.deadlines import eventually
from compat_tests.ports import free_port

pytestmark = pytest.mark.usefixtures("java")

DIRECTORIES = {1: "3Db5QLSqSZieL3rJBUUegA", 2: "Kz0l_VXNQTmFZfDmVVOgSw", 3: "MvDxzVmcRsaTz33bUuRU6A"}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, ApacheKafka]]:
    """Brokers and controllers 1 to 3, whose voters are in the metadata log."""
    ports = {node_id: free_port() for node_id in DIRECTORIES}
    voters = ",".join(f"{one}@127.0.0.1:{ports[one]}:{directory}" for one, directory in DIRECTORIES.items())
    nodes: dict[int, ApacheKafka] = {}
    with ExitStack() as closing:
        for node_id in DIRECTORIES:
            port = free_port()
            data_dir = tmp_path_factory.mktemp("nodes") / str(node_id)
            settings = {
                "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{ports[node_id]}",
                "controller.quorum.voters": "",
                "controller.quorum.bootstrap.servers": ",".join(f"127.0.0.1:{one}" for one in ports.values()),
                "broker.rack": f"rack{node_id % 2}",
                "broker.session.timeout.ms": "3000",
                "broker.heartbeat.interval.ms": "500",
            }
            nodes[node_id] = ApacheKafka(settings, port=port, data_dir=data_dir, node_id=node_id)
            closing.callback(nodes[node_id].close)
            closing.callback(nodes[node_id].stop, kill=True)  # in order the last one would wait for a quorum
            _format(nodes[node_id], voters)
        # Each waits for a majority. A process ends with the thread that has started it: the threads stay until the end.
        starting = closing.enter_context(ThreadPoolExecutor())
        list(starting.map(ApacheKafka.start, nodes.values()))
        yield nodes


def _format(node: ApacheKafka, voters: str) -> None:
    file = node.data_dir.with_suffix(".properties")
    file.write_text("".join(f"{name}={value}\n" for name, value in node.settings.items()))
    command = [sys.executable, "-m", "kafkapy", "format", "-t", CLUSTER_ID, "-I", voters, "-c", str(file)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr


def described(kafkapy: ClusterCommand) -> Any:
    return json.loads(kafkapy("describe", "--json"))


def test_kafkapy_cluster_on_three_nodes(nodes: dict[int, ApacheKafka], tmp_path: Path) -> None:
    kafkapy = ClusterCommand(nodes[1].bootstrap)
    seen = described(kafkapy)
    assert seen["cluster_id"] == CLUSTER_ID
    voters = seen["controllers"]["voters"]
    assert {one["id"]: one["directory_id"] for one in voters} == DIRECTORIES
    assert [one["lag"] is not None for one in voters] == [True] * 3
    assert [(one["id"], one["rack"], one["fenced"]) for one in seen["brokers"]] == [
        (1, "rack1", False),
        (2, "rack0", False),
        (3, "rack1", False),
    ]

    # More replicas, and away from a broker again.
    kafkapy("create", "t", "--partitions", "4", "-r", "2", command="topics")
    plan = tmp_path / "plan.json"
    plan.write_text(kafkapy("reassign", "--topic", "t", "--to", "1,2,3", "-r", "3", "--generate"))
    assert kafkapy("reassign", str(plan), "--execute", "--wait", "30") == "moved 4 partitions\n"
    assert {one["state"] for one in json.loads(kafkapy("reassign", str(plan), "--verify", "--json"))} == {"done"}
    assert kafkapy("reassign", "--list") == "no partition moves\n"

    # A broker that is gone is fenced, its partitions are under-replicated, and those it led first cannot have it back.
    nodes[3].stop(kill=True)
    eventually(lambda: described(kafkapy)["brokers"][2]["fenced"], "broker 3 is fenced")
    seen = described(kafkapy)
    assert [one["partition"] for one in seen["partitions"]["under_replicated"]] == [0, 1, 2, 3]
    assert seen["partitions"]["offline"] == seen["partitions"]["under_min_isr"] == []
    assert "fenced" in kafkapy("describe")
    assert "(PREFERRED_LEADER_NOT_AVAILABLE)" in kafkapy("elect-leaders", code=1)
    assert "broker 3 is fenced" in kafkapy("reassign", "--topic", "t", "--to", "3", "-r", "1", code=1)
    moved = kafkapy("reassign", "--topic", "t", "--to", "1,2", "-r", "2", "--execute", "--wait", "30")
    assert moved == "moved 4 partitions\n"
    assert described(kafkapy)["partitions"]["under_replicated"] == []

    assert kafkapy("unregister", "3") == "unregistered broker 3\n"
    assert kafkapy("voters", "remove", "3") == f"node 3 votes no more (directory id {DIRECTORIES[3]})\n"
    seen = described(kafkapy)
    assert [one["id"] for one in seen["controllers"]["voters"]] == [1, 2]
    assert [one["id"] for one in seen["brokers"]] == [1, 2]

    # It comes back, follows, and votes again.
    nodes[3].start()
    eventually(lambda: described(kafkapy)["controllers"]["observers"], "node 3 follows the controllers")
    address = nodes[3].settings["listeners"].rpartition("//")[2]
    assert kafkapy("voters", "add", f"3@{address}") == f"node 3 votes (directory id {DIRECTORIES[3]})\n"
    assert [one["id"] for one in described(kafkapy)["controllers"]["voters"]] == [1, 2, 3]


def test_a_controllers_listener_answers_too(nodes: dict[int, ApacheKafka]) -> None:
    """Whichever of them is asked: what only the leader knows is asked of the leader."""
    for node in nodes.values():
        kafkapy = ClusterCommand(node.settings["listeners"].rpartition("//")[2])
        seen = described(kafkapy)
        assert [one["id"] for one in seen["controllers"]["voters"]] == [1, 2, 3]
        assert "partitions" not in seen
        assert "CONTROLLER  ADDRESS" in kafkapy("describe")
