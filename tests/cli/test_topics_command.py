"""`kafkapy topics` against a broker."""

from __future__ import annotations

import json

import pytest

from compat_tests.ports import refusing_port
from kafkapy_wire.message import Message
from kafkapy_wire.messages import list_offsets, metadata
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from tests.cli.conftest import Kafkapy
from tests.cli.fake_broker import FakeBroker


def test_a_topics_life(kafkapy: Kafkapy, topic: str) -> None:
    created = kafkapy("topics", "create", topic, "--partitions", "3", "--config", "retention.ms=1000")
    assert (created.exit_code, created.out) == (0, f"created topic {topic} (partitions 3, replication factor 1)\n")
    assert topic in kafkapy("topics", "list").lines

    described = kafkapy("topics", "describe", topic)
    assert described.lines[0].startswith(f"topic {topic}  id ")
    assert described.lines[0].endswith("  partitions 3  replication factor 1")
    assert described.lines[1:] == [
        "  retention.ms=1000",
        "PARTITION  LEADER  REPLICAS  ISR  START  END",
        "        0       1  1         1        0    0",
        "        1       1  1         1        0    0",
        "        2       1  1         1        0    0",
    ]

    assert kafkapy("topics", "alter", topic, "--partitions", "5").out == f"topic {topic} has 5 partitions\n"
    (document,) = json.loads(kafkapy("topics", "describe", topic, "--json").out)
    assert [partition["partition"] for partition in document["partitions"]] == [0, 1, 2, 3, 4]
    assert document["partitions"][0]["high_watermark"] == 0
    assert document["configs"] == {"retention.ms": "1000"}

    assert kafkapy("topics", "delete", topic).out == f"deleted topic {topic}\n"
    assert topic not in kafkapy("topics", "list").lines


def test_several_topics_at_once(kafkapy: Kafkapy, topic: str) -> None:
    names = [f"{topic}-{letter}" for letter in "abc"]
    assert len(kafkapy("topics", "create", *names).lines) == 3
    found = {t["name"]: t for t in json.loads(kafkapy("topics", "list", "--json").out)}
    assert found[names[0]] == {"name": names[0], "partitions": 1, "replication_factor": 1, "internal": False}
    assert set(names) <= set(kafkapy("topics", "list").lines)
    described = [line for line in kafkapy("topics", "describe", *reversed(names)).lines if line.startswith("topic ")]
    assert [line.split()[1] for line in described] == names[::-1]
    assert kafkapy("topics", "delete", *names).exit_code == 0


def test_what_is_there_is_not_made_twice(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic)
    again = kafkapy("topics", "create", topic)
    assert (again.exit_code, again.out) == (1, "")
    assert again.err == (
        f"kafkapy topics create: topic {topic!r}: Topic {topic!r} already exists. (TOPIC_ALREADY_EXISTS)\n"
    )
    tolerant = kafkapy("topics", "create", topic, "--if-not-exists")
    assert (tolerant.exit_code, tolerant.out) == (0, f"topic {topic} exists already\n")


def test_what_is_not_there(kafkapy: Kafkapy, topic: str) -> None:
    for command in (["describe", topic], ["delete", topic], ["alter", topic, "-p", "2"]):
        result = kafkapy("topics", *command)
        assert result.exit_code == 1
        assert result.err == f"kafkapy topics {command[0]}: topic {topic!r} does not exist\n"
    tolerant = kafkapy("topics", "delete", topic, "--if-exists")
    assert (tolerant.exit_code, tolerant.out) == (0, f"topic {topic} does not exist\n")


def test_refusals_are_one_line_with_kafkas_reason(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic, "-p", "3")
    for arguments, reason in (
        (["create", "bad name"], "INVALID_TOPIC_EXCEPTION"),
        (["create", f"{topic}-2", "-r", "3"], "INVALID_REPLICATION_FACTOR"),
        (["create", f"{topic}-2", "-c", "nonsense=1"], "INVALID_CONFIG"),
        (["create", f"{topic}-2", "-c", "nonsense"], "'nonsense' is not NAME=VALUE"),
        (["alter", topic, "-p", "2"], "INVALID_PARTITIONS"),
    ):
        result = kafkapy("topics", *arguments)
        assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
        assert reason in result.err


def test_kafkas_own_topics_are_listed_when_asked_for(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("topics", "create", topic)
    kafkapy("consume", topic, "--group", group, "--exit-at-end")
    assert "__consumer_offsets" not in kafkapy("topics", "list").lines
    assert "__consumer_offsets" in kafkapy("topics", "list", "--internal").lines


def test_options_stand_before_or_after_the_subcommand(run: Kafkapy, bootstrap: str, topic: str) -> None:
    assert run("topics", "-b", bootstrap, "create", topic).exit_code == 0
    assert topic in run("topics", "--timeout", "5", "list", "--bootstrap-server", bootstrap).lines


def test_the_oldest_records_are_deleted(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic, "-p", "2")
    for number in range(4):
        line = json.dumps({"value": str(number), "timestamp": 1_795_000_000_000 + number})
        kafkapy("produce", topic, "--json", line, "-p", "0")
    kafkapy("produce", topic, "other", "-p", "1")
    done = kafkapy("topics", "delete-records", f"{topic}:0", "--before-offset", "1")
    assert (done.exit_code, done.out) == (0, f"partition {topic}-0 begins at offset 1\n")
    assert kafkapy("consume", topic, "-p", "0", "--from-beginning", "-e").lines == ["1", "2", "3"]
    done = kafkapy("topics", "delete-records", f"{topic}:0", "--before-datetime", "1795000000003")
    assert done.out == f"partition {topic}-0 begins at offset 3\n"
    done = kafkapy("topics", "delete-records", topic, "--all")
    assert done.lines == [f"partition {topic}-0 begins at offset 4", f"partition {topic}-1 begins at offset 1"]
    assert kafkapy("consume", topic, "--from-beginning", "-e").lines == []


def test_records_that_cannot_be_deleted(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("produce", topic, "a")
    for arguments, reason in (
        ([topic, "--before-offset", "2"], f"partition {topic}-0 has the offsets 0 to 1, not 2"),
        ([f"{topic}:7", "--all"], f"topic {topic!r} has no partition '7': they are numbered 0 to 0"),
        ([f"{topic}:{'9' * 5_000}", "--all"], "has no partition"),
        ([f"{topic}-nope", "--all"], "does not exist"),
        ([topic, "--before-datetime", "soon"], "'soon' is not a time like 2026-01-31T14:00:00"),
    ):
        result = kafkapy("topics", "delete-records", *arguments)
        assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
        assert reason in result.err
    for wrong in ([topic], [topic, "--all", "--before-offset", "1"], [topic, "--before-offset", "-1"]):
        assert kafkapy("topics", "delete-records", *wrong).exit_code == 2


class LosingLeader:
    """Broker 1 leads partition 0, and broker 2 is dead and leads partition 1, until `next_leader` is elected."""

    def __init__(self, next_leader: int, dead_port: int) -> None:
        self.ports = {1: 0, 2: dead_port}
        self.next_leader = next_leader
        self.asked_metadata = 0

    def answer(self, request: Message) -> Message:
        match request:
            case metadata.MetadataRequest():
                self.asked_metadata += 1
                return self._metadata(self.next_leader if self.asked_metadata > 3 else 2)
            case DescribeConfigsRequest():
                result = DescribeConfigsResult(resource_type=2, resource_name="orders", configs=[])
                return DescribeConfigsResponse(results=[result])
            case list_offsets.ListOffsetsRequest():
                return self._ends(request)
        raise AssertionError(request)

    def _metadata(self, leader: int) -> metadata.MetadataResponse:
        return metadata.MetadataResponse(
            brokers=[
                metadata.MetadataResponseBroker(node_id=one, host="127.0.0.1", port=port)
                for one, port in self.ports.items()
            ],
            topics=[
                metadata.MetadataResponseTopic(
                    name="orders",
                    partitions=[
                        metadata.MetadataResponsePartition(
                            partition_index=index, leader_id=leads, replica_nodes=[1, 2], isr_nodes=[1, 2]
                        )
                        for index, leads in ((0, 1), (1, leader))
                    ],
                )
            ],
        )

    def _ends(self, request: list_offsets.ListOffsetsRequest) -> Message:
        (topic,) = request.topics
        answers = [
            list_offsets.ListOffsetsPartitionResponse(
                partition_index=asked.partition_index, offset=3 if asked.timestamp == -2 else 9
            )
            for asked in topic.partitions
        ]
        return list_offsets.ListOffsetsResponse(
            topics=[list_offsets.ListOffsetsTopicResponse(name="orders", partitions=answers)]
        )


@pytest.mark.parametrize(("next_leader", "ends"), [(2, [None, None]), (-1, [None, None]), (1, [3, 9])])
def test_what_is_known_of_a_topic_is_shown_while_a_leader_is_dead(
    run: Kafkapy, next_leader: int, ends: list[int | None]
) -> None:
    with refusing_port() as dead_port, FakeBroker(lambda asked: cluster.answer(asked)) as broker:
        cluster = LosingLeader(next_leader, dead_port)
        cluster.ports[1] = broker.port
        result = run("topics", "describe", "orders", "--json", "-b", f"127.0.0.1:{broker.port}", "--timeout", "2")
    assert result.exit_code == 0
    shown = [(one["log_start_offset"], one["high_watermark"]) for one in json.loads(result.out)[0]["partitions"]]
    assert shown == [(3, 9), tuple(ends)]
    unknown = "where the partitions that broker 2 leads begin and end is unknown"
    assert (unknown in result.err) == (next_leader == 2)
