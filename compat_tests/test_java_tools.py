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
)
from compat_tests.broker import Broker
from compat_tests.client_program import LinesOf
from compat_tests.deadlines import PATIENCE_SECONDS, eventually

GET_OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
BROKER_API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
CLUSTER = "org.apache.kafka.tools.ClusterTool"

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


def test_the_cluster_is_described(tool: Callable[..., str], broker: Broker) -> None:
    versions = tool(BROKER_API_VERSIONS)
    assert re.match(rf"(127\.0\.0\.1|localhost):{broker.port} \(id: 1 rack: null isFenced: false\) -> \(", versions)
    usable = dict(re.findall(r"(\w+)\(\d+\): \d+(?: to (?:\d+))? \[usable: (\d+)\]", versions))
    assert usable | {"Produce": "13", "Fetch": "18", "Metadata": "13", "ApiVersions": "5", "JoinGroup": "9"} == usable
    assert re.fullmatch(r"Cluster ID: [\w-]{22}\n", tool(CLUSTER, "cluster-id"))
    endpoint = tool(CLUSTER, "list-endpoints").splitlines()[-1].split()
    assert (endpoint[0], endpoint[2], endpoint[4], endpoint[5]) == ("1", str(broker.port), "unfenced", "broker")
