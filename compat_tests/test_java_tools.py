"""The command-line tools of Apache Kafka 4.4.0: topics, settings, records in and out, groups, offsets, the cluster.

Each start of a JVM costs more than a second: few tests, each a longer story.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import (
    CONFIGS,
    CONSOLE_CONSUMER,
    CONSOLE_PRODUCER,
    CONSUMER_GROUPS,
    TOPICS,
    VERIFIABLE_CONSUMER,
    VERIFIABLE_PRODUCER,
    java_command,
    java_tool,
    java_tools,
)
from compat_tests.broker import Broker
from compat_tests.client_program import LinesOf
from compat_tests.deadlines import PATIENCE_SECONDS, eventually

GET_OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
BROKER_API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
CLUSTER = "org.apache.kafka.tools.ClusterTool"
QUORUM = "org.apache.kafka.tools.MetadataQuorumCommand"
LEADER_ELECTION = "org.apache.kafka.tools.LeaderElectionCommand"
REASSIGN = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
FEATURES = "org.apache.kafka.tools.FeatureCommand"

pytestmark = pytest.mark.usefixtures("java")


@pytest.fixture
def tool(broker: Broker) -> Callable[..., str]:
    """Run a tool against the broker: what it printed."""

    def run(main_class: str, *arguments: str, stdin: str | None = None, exit_code: int = 0) -> str:
        result = java_tool(main_class, *arguments, "--bootstrap-server", broker.bootstrap, stdin=stdin)
        assert result.returncode == exit_code, result.stdout + result.stderr
        return result.stdout

    return run


def rows(printed: str) -> list[dict[str, str]]:
    """The table in what a tool printed, by the names in its head; no cell of it may hold a blank."""
    lines = [line.split() for line in printed.splitlines() if line.strip()]
    start = next(n for n, line in enumerate(lines) if line[0] in {"GROUP", "TOPIC"})
    return [dict(zip(lines[start], line, strict=False)) for line in lines[start + 1 :]]


def test_topics_and_their_settings(tool: Callable[..., str], new_name: Callable[..., str]) -> None:
    topic = new_name()
    about_topic = ("--topic", topic)
    created = tool(TOPICS, "--create", *about_topic, "--partitions", "2", "--config", "retention.ms=60000")
    assert f"Created topic {topic}." in created
    assert f"Topic '{topic}' already exists." in tool(TOPICS, "--create", *about_topic, exit_code=1)
    tool(TOPICS, "--alter", *about_topic, "--partitions", "4")
    tool(CONFIGS, "--alter", *about_topic, "--add-config", "max.message.bytes=2000000,cleanup.policy=[compact,delete]")
    settings = tool(CONFIGS, "--describe", *about_topic)
    assert "cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=" in settings
    assert "DEFAULT_CONFIG:message.max.bytes=1048588}" in settings

    head, *partitions = tool(TOPICS, "--describe", *about_topic).splitlines()
    assert "PartitionCount: 4\tReplicationFactor: 1" in head
    for setting in ("cleanup.policy=compact,delete", "retention.ms=60000", "max.message.bytes=2000000"):
        assert setting in head
    assert re.findall(r"Partition: (\d+)\tLeader: (\d+)\tReplicas: \2\tIsr: \2\t", "\n".join(partitions)) == [
        (str(n), "1") for n in range(4)
    ]
    tool(TOPICS, "--delete", *about_topic)
    # Apache Kafka answers before its broker has replayed the deletion.
    eventually(lambda: topic not in tool(TOPICS, "--list").splitlines(), "the topic is gone")


def test_console_producer_and_consumer_agree(tool: Callable[..., str], new_name: Callable[..., str]) -> None:
    """Keys, headers, tombstones and unicode in compressed batches, to a topic that the first of them makes."""
    topic = new_name()
    lines = [
        "color:blue,träce:é\tkey\tvalue",
        "a:b\tclé\tGrüße, 世界 🦊",
        "a:b\tdeleted\tNULL",
        *(f"n:{n}\tk{n}\t{'long ' * 200}{n}" for n in range(50)),
    ]
    tool(
        CONSOLE_PRODUCER,
        *("--topic", topic, "--compression-codec", "zstd"),
        *("--reader-property", "parse.headers=true", "--reader-property", "parse.key=true"),
        *("--reader-property", "null.marker=NULL"),
        stdin="\n".join(lines) + "\n",
    )
    shown = tool(
        CONSOLE_CONSUMER,
        *("--topic", topic, "--from-beginning", "--max-messages", str(len(lines)), "--timeout-ms", "20000"),
        *("--formatter-property", "print.key=true", "--formatter-property", "print.headers=true"),
        *("--formatter-property", "null.literal=NULL"),
    )
    assert shown.splitlines() == lines


def test_a_large_fetch_min_bytes_is_not_waited_for_while_there_are_records(
    tool: Callable[..., str], new_name: Callable[..., str]
) -> None:
    """As much as one fetch may bring: whole batches never fill it, and what is left over counts. A wait takes 20 s."""
    topic, count = new_name(), 10_500
    tool(CONSOLE_PRODUCER, "--topic", topic, stdin=f"{'x' * 999}\n" * (count + 1_500))
    shown = tool(
        CONSOLE_CONSUMER,
        *("--topic", topic, "--from-beginning", "--max-messages", str(count), "--timeout-ms", "50000"),
        *("--command-property", f"fetch.min.bytes={1 << 20}", "--command-property", "fetch.max.wait.ms=20000"),
    )
    assert len(shown.splitlines()) == count


def test_groups_are_described_reset_and_deleted(
    broker: Broker, tool: Callable[..., str], new_name: Callable[..., str], tmp_path: Path
) -> None:
    topic, group = new_name(), new_name("group")
    printed = tool(VERIFIABLE_PRODUCER, "--topic", topic, "--max-messages", "500", "--value-prefix", "7")
    produced = [json.loads(line) for line in printed.splitlines()]
    assert (produced[-1]["name"], produced[-1]["sent"], produced[-1]["acked"]) == ("tool_data", 500, 500)
    assert [line["offset"] for line in produced if line["name"] == "producer_send_success"] == list(range(500))

    consumer = java_command(
        *(VERIFIABLE_CONSUMER, "--bootstrap-server", broker.bootstrap, "--topic", topic),
        *("--group-id", group, "--reset-policy", "earliest", "--verbose"),
    )
    with LinesOf(consumer, tmp_path / "consumer") as member:

        def committed() -> list[dict[str, Any]]:
            return [line for line in member.lines() if line["name"] == "offsets_committed"]

        eventually(lambda: committed() and committed()[-1]["offsets"][0]["offset"] == 500, "500 is committed")
        assert [line["value"] for line in member.lines() if line["name"] == "record_data"] == [
            f"7.{n}" for n in range(500)
        ]
        (row,) = rows(tool(CONSUMER_GROUPS, "--describe", "--group", group, "--members", "--verbose"))
        assert (row["GROUP"], row["HOST"], row["#PARTITIONS"]) == (group, "/127.0.0.1", "1")
        assert row["CURRENT-ASSIGNMENT"] == f"{topic}:0"
        (row,) = rows(tool(CONSUMER_GROUPS, "--describe", "--group", group))
        assert (row["CURRENT-OFFSET"], row["LOG-END-OFFSET"], row["LAG"]) == ("500", "500", "0")
        member.process.terminate()
        member.process.wait(PATIENCE_SECONDS)

    assert re.search(r" Empty +0\n", tool(CONSUMER_GROUPS, "--describe", "--group", group, "--state"))
    (row,) = rows(
        tool(CONSUMER_GROUPS, "--reset-offsets", "--to-offset", "200", "--group", group, "--topic", topic, "--execute")
    )
    assert row == {"GROUP": group, "TOPIC": topic, "PARTITION": "0", "NEW-OFFSET": "200"}
    described = tool(CONSUMER_GROUPS, "--describe", "--all-groups")
    assert ("200", "500", "300") in [
        (row["CURRENT-OFFSET"], row["LOG-END-OFFSET"], row["LAG"]) for row in rows(described) if row["GROUP"] == group
    ]
    deleted = tool(CONSUMER_GROUPS, "--delete-offsets", "--group", group, "--topic", topic)
    assert rows(deleted) == [{"TOPIC": topic, "PARTITION": "0", "STATUS": "Successful"}]
    assert f"('{group}') was successful" in tool(CONSUMER_GROUPS, "--delete", "--group", group)
    assert group not in tool(CONSUMER_GROUPS, "--list").splitlines()


def test_offsets_records_and_directories(
    broker: Broker, tool: Callable[..., str], new_name: Callable[..., str], tmp_path: Path
) -> None:
    topic = new_name()
    tool(CONSOLE_PRODUCER, "--topic", topic, stdin="".join(f"{n}\n" for n in range(10)))

    def offset(time: str) -> int:
        name, partition, found = (
            tool(GET_OFFSETS, "--topic-partitions", f"{topic}:0", "--time", time).strip().split(":")
        )
        assert (name, partition) == (topic, "0")
        return int(found)

    assert offset("latest") == 10
    cut = tmp_path / "cut.json"
    cut.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 4}]}))
    assert f"partition: {topic}-0\tlow_watermark: 4" in tool(DELETE_RECORDS, "--offset-json-file", str(cut))
    assert offset("earliest") == 4
    shown = tool(CONSOLE_CONSUMER, "--topic", topic, "--from-beginning", "--max-messages", "6")
    assert shown.split() == [str(n) for n in range(4, 10)]

    directories = json.loads(tool(LOG_DIRS, "--describe", "--topic-list", topic).splitlines()[-1])
    (directory,) = directories["brokers"][0]["logDirs"]
    assert directory["logDir"] == str(broker.data_dir)
    (partition,) = directory["partitions"]
    assert partition | {"size": 0} == {"partition": f"{topic}-0", "size": 0, "offsetLag": 0, "isFuture": False}
    assert partition["size"] > 0


def test_what_administrators_of_a_cluster_ask(broker: Broker, new_name: Callable[..., str], tmp_path: Path) -> None:
    """Its versions and nodes, the quorum, leaders, reassignments, feature levels, brokers that are gone: on one node
    little of it is to be done."""
    topic = new_name()
    at = ("--bootstrap-server", broker.bootstrap)
    where = [{"topic": topic, "partition": index} for index in range(2)]
    moves, stays, topics = tmp_path / "moves.json", tmp_path / "stays.json", tmp_path / "topics.json"
    moves.write_text(json.dumps({"version": 1, "partitions": [{**one, "replicas": [9]} for one in where]}))
    stays.write_text(json.dumps({"version": 1, "partitions": [{**one, "replicas": [1]} for one in where]}))
    topics.write_text(json.dumps({"version": 1, "topics": [{"topic": topic}]}))
    calls = {
        "versions": (BROKER_API_VERSIONS, *at),
        "cluster id": (CLUSTER, "cluster-id", *at),
        "endpoints": (CLUSTER, "list-endpoints", *at),
        "topic": (TOPICS, *at, "--create", "--topic", topic, "--partitions", "2"),
        "quorum": (QUORUM, *at, "describe", "--status"),
        "controllers": (QUORUM, *at, "describe", "--replication"),
        "all leaders": (LEADER_ELECTION, *at, "--election-type", "preferred", "--all-topic-partitions"),
        "led": (LEADER_ELECTION, *at, "--election-type", "unclean", "--topic", topic, "--partition", "1"),
        "no partition": (LEADER_ELECTION, *at, "--election-type", "preferred", "--topic", topic, "--partition", "7"),
        "reassignments": (REASSIGN, *at, "--list"),
        "plan": (REASSIGN, *at, "--generate", "--topics-to-move-json-file", str(topics), "--broker-list", "1"),
        "move": (REASSIGN, *at, "--execute", "--reassignment-json-file", str(stays)),
        "moved": (REASSIGN, *at, "--verify", "--reassignment-json-file", str(stays)),
        "move away": (REASSIGN, *at, "--execute", "--reassignment-json-file", str(moves)),
        "features": (FEATURES, *at, "describe"),
        "same level": (FEATURES, *at, "upgrade", "--feature", "group.version=1"),
        "too low a level": (FEATURES, *at, "downgrade", "--feature", "metadata.version=7"),
        "no broker": (CLUSTER, "unregister", *at, "--id", "9"),
    }
    results = dict(zip(calls, java_tools(*calls.values()), strict=True))
    refused = ("no partition", "move away", "too low a level", "no broker")
    assert [what for what, (code, _) in results.items() if code != int(what in refused)] == [], results
    printed = {what: text for what, (_, text) in results.items()}

    versions = printed["versions"]
    assert re.match(rf"(127\.0\.0\.1|localhost):{broker.port} \(id: 1 rack: null isFenced: false\) -> \(", versions)
    usable = dict(re.findall(r"(\w+)\(\d+\): \d+(?: to (?:\d+))? \[usable: (\d+)\]", versions))
    known = {
        "Produce": "13",
        "Fetch": "18",
        "Metadata": "13",
        "ApiVersions": "5",
        "JoinGroup": "9",
        "ElectLeaders": "2",
    }
    assert usable | known == usable
    assert re.fullmatch(r"Cluster ID: [\w-]{22}\s+", printed["cluster id"])
    endpoint = printed["endpoints"].strip().splitlines()[-1].split()
    assert (endpoint[0], endpoint[2], endpoint[4], endpoint[5]) == ("1", str(broker.port), "unfenced", "broker")

    status = dict(re.findall(r"^(\w+): +(.*)$", printed["quorum"], re.MULTILINE))
    assert (status["LeaderId"], status["MaxFollowerLag"], status["CurrentObservers"]) == ("1", "0", "[]")
    assert int(status["HighWatermark"]) > 0
    assert '"id": 1' in status["CurrentVoters"]
    leader = re.findall(r"^1\s+\S+\s+\d+\s+0\s+\d+\s+\d+\s+Leader\s*$", printed["controllers"], re.MULTILINE)
    assert len(leader) == 1
    assert "Valid replica already elected for partitions" in printed["led"]
    assert "No such partition" in printed["no partition"]
    assert "No partition reassignments found." in printed["reassignments"]
    assert f'"topic":"{topic}","partition":0,"replicas":[1]' in printed["plan"]
    assert "Successfully started partition reassignments" in printed["move"]
    assert f"Reassignment of partition {topic}-0 is completed." in printed["moved"]
    assert re.search(r"Feature: metadata.version\s+SupportedMinVersion: 3.3-IV3", printed["features"])
    assert "group.version was upgraded to 1." in printed["same level"]
    assert "Could not downgrade metadata.version to 7." in printed["too low a level"]
