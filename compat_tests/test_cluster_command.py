"""`kafkapy cluster` against a running broker: ours, and Apache Kafka with `--broker=apache`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from compat_tests.broker import Broker
from compat_tests.command_line import ClusterCommand


@pytest.fixture
def kafkapy(broker: Broker) -> ClusterCommand:
    return ClusterCommand(broker.bootstrap)


def test_a_cluster_of_one_is_described(broker: Broker, kafkapy: ClusterCommand, new_name: Callable[..., str]) -> None:
    kafkapy("create", new_name(), "--partitions", "2", command="topics")
    seen = json.loads(kafkapy("describe", "--json"))
    controllers = seen["controllers"]
    assert controllers["leader"] == 1
    assert controllers["epoch"] >= 1
    assert controllers["high_watermark"] > 0
    assert [(one["id"], one["lag"]) for one in controllers["voters"]] == [(1, 0)]
    assert controllers["observers"] == []
    (node,) = seen["brokers"]
    assert (node["id"], node["port"], node["fenced"]) == (1, broker.port, False)
    assert seen["partitions"]["count"] >= 2
    assert [seen["partitions"][problem] for problem in ("offline", "under_replicated")] == [[], []]
    shown = kafkapy("describe")
    assert shown.startswith(
        f"cluster {seen['cluster_id']}\ncontroller 1  epoch {controllers['epoch']}  high watermark "
    )
    assert f":{broker.port}\n" in shown


def test_below_min_insync_replicas_is_a_problem(kafkapy: ClusterCommand, new_name: Callable[..., str]) -> None:
    topic = new_name()
    kafkapy("create", topic, "--partitions", "1", "--config", "min.insync.replicas=2", command="topics")
    problems = json.loads(kafkapy("describe", "--json"))["partitions"]
    assert {"topic": topic, "partition": 0, "leader": 1, "replicas": [1], "isr": [1], "min_isr": 2} in problems[
        "under_min_isr"
    ]
    assert f"{topic}-0" in kafkapy("describe")
    kafkapy("delete", topic, command="topics")


def test_replicas_that_are_where_they_should_be_stay(
    kafkapy: ClusterCommand, new_name: Callable[..., str], tmp_path: Path
) -> None:
    topic = new_name()
    kafkapy("create", topic, "--partitions", "2", command="topics")
    plan = tmp_path / "plan.json"
    plan.write_text(kafkapy("reassign", "--topic", topic, "--to", "1", "--generate"))
    entries = [{"topic": topic, "partition": index, "replicas": [1]} for index in range(2)]
    assert json.loads(plan.read_text()) == {"version": 1, "partitions": entries}
    assert kafkapy("reassign", str(plan), "--execute") == "all partitions are where they should be\n"
    states = json.loads(kafkapy("reassign", str(plan), "--verify", "--json"))
    assert [one["state"] for one in states] == ["done", "done"]
    assert kafkapy("reassign", "--list") == kafkapy("reassign", "--cancel", "--topic", topic) == "no partition moves\n"

    plan.write_text(json.dumps({"version": 1, "partitions": [{**entries[0], "replicas": [1, 9]}]}))
    refused = kafkapy("reassign", str(plan), "--execute", code=1)
    assert f"partition {topic}-0: " in refused
    assert "(INVALID_REPLICA_ASSIGNMENT)" in refused
    throttled = kafkapy("reassign", str(plan), "--execute", "--throttle", "5000", code=1)
    assert "(INVALID_REPLICA_ASSIGNMENT)" in throttled
    for whose in (["--topic", topic], ["--broker", "1"]):
        assert "throttled" not in kafkapy("describe", *whose, command="configs")
    assert "there is no broker 9" in kafkapy("reassign", "--topic", topic, "--to", "1,9", code=1)


def test_elections_that_nobody_needs(kafkapy: ClusterCommand, new_name: Callable[..., str]) -> None:
    topic = new_name()
    kafkapy("create", topic, "--partitions", "2", command="topics")
    assert kafkapy("elect-leaders", "--topic", topic) == "2 partitions needed no election\n"
    assert kafkapy("elect-leaders", "--topic", f"{topic}:1", "--unclean") == "1 partition needed no election\n"
    assert "has no partition '7'" in kafkapy("elect-leaders", "--topic", f"{topic}:7", code=1)


def test_nodes_that_are_not_there(kafkapy: ClusterCommand) -> None:
    assert "(BROKER_ID_NOT_REGISTERED)" in kafkapy("unregister", "9", code=1)
    assert "node 9 is no voter: the voters are 1" in kafkapy("voters", "remove", "9", code=1)
    assert "node 9 does not follow the controllers yet" in kafkapy("voters", "add", "9@localhost:9093", code=1)
