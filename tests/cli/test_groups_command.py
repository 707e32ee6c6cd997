"""`kafkapy groups`, and `kafkapy consume --group`, against a broker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from kafkapy.cli.group_views import OffsetLine, group_as_json, print_group, print_members, print_state
from kafkapy.client.group_description import GroupDescription, GroupMember
from kafkapy.client.streams_groups import StreamsGroupDescription, StreamsMember
from tests.cli.conftest import Kafkapy
from tests.cli.ending import ending

REBALANCE_SECONDS = 20.0

Document = dict[str, Any]


def consume(kafkapy: Kafkapy, topic: str, group: str) -> list[str]:
    return kafkapy("consume", topic, "--group", group, "--from-beginning", "--exit-at-end").lines


def test_a_group_goes_on_where_it_stopped(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a", "b", "c")
    assert kafkapy("consume", topic, "-g", group, "--from-beginning", "-n", "2").lines == ["a", "b"]
    assert consume(kafkapy, topic, group) == ["c"]
    assert consume(kafkapy, topic, group) == []
    kafkapy("produce", topic, "d")
    assert consume(kafkapy, topic, group) == ["d"]


def test_a_new_group_begins_at_the_end_unless_told(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a")
    assert kafkapy("consume", topic, "--group", group, "--exit-at-end").lines == []


def test_describing_a_group_shows_lag(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, *"abcde")
    kafkapy("consume", topic, "--group", group, "--from-beginning", "-n", "2")
    described = kafkapy("groups", "describe", group)
    assert described.lines == [
        f"group {group}  type Classic  state Empty  assignor -  coordinator 1  members 0  lag 3",
        f"{'TOPIC':<{len(topic)}}  PARTITION  COMMITTED  END  LAG  MEMBER  CLIENT  HOST",
        f"{topic}          0          2    5    3       -       -     -",
    ]
    (document,) = json.loads(kafkapy("groups", "describe", group, "--json").out)
    assert document["offsets"] == [
        {"topic": topic, "partition": 0, "committed": 2, "end": 5, "lag": 3, "member_id": None}
    ]
    assert group in [line.split()[0] for line in kafkapy("groups", "list").lines]
    listed = {entry["group"]: entry for entry in json.loads(kafkapy("groups", "list", "--json").out)}
    assert listed[group] == {"group": group, "type": "Classic", "state": "Empty", "protocol_type": "consumer"}


def test_a_lag_does_not_hide_records_of_which_nothing_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    member = GroupMember("m-1", None, "shop", "127.0.0.1", (("orders", 0), ("orders", 1), ("orders", 2)))
    group = GroupDescription("g", "Classic", "Stable", "range", 1, (member,))
    lines = [
        OffsetLine(("orders", 0), 3, (0, 3), member),
        OffsetLine(("orders", 1), None, (0, 1), member),
        OffsetLine(("orders", 2), None, (5, 5), member),
    ]
    print_group(group, lines)
    head = capsys.readouterr().out.splitlines()[0]
    assert head.endswith("members 1  lag 0 (and nothing is committed for 1 partition)")


STREAMS_GROUP = StreamsGroupDescription(
    group_id="g",
    group_type="Streams",
    state="Stable",
    assignor="",
    coordinator_id=1,
    members=(
        StreamsMember(
            member_id="m-1",
            group_instance_id=None,
            client_id="shop",
            host="/127.0.0.1",
            partitions=(("orders", 0), ("orders", 1)),
            process_id="p-1",
            member_epoch=4,
            active=(("0", (0, 1)), ("1", (0,))),
            standby=(("1", (1,)),),
            warmup=(),
        ),
    ),
    group_epoch=5,
    assignment_epoch=4,
    topology_epoch=0,
    input_topics=("orders",),
    internal_topics=("g-sums-changelog",),
)


def test_tasks_of_a_streams_group(capsys: pytest.CaptureFixture[str]) -> None:
    print_group(STREAMS_GROUP, [OffsetLine(("orders", 0), 3, (0, 4), STREAMS_GROUP.members[0])])
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "group g  type Streams  state Stable  assignor -  coordinator 1  members 1  lag 1"
    assert [line.split() for line in shown[3:]] == [
        ["tasks:"],
        ["MEMBER", "INSTANCE", "CLIENT", "HOST", "PROCESS", "EPOCH", "ACTIVE", "STANDBY", "WARM-UP"],
        ["m-1", "-", "shop", "/127.0.0.1", "p-1", "4", "0:0,1", "1:0", "1:1", "-"],
    ]
    print_members(STREAMS_GROUP)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [line.split() for line in shown[4:]]
    print_state(STREAMS_GROUP)
    assert capsys.readouterr().out.endswith("  group epoch 5  assignment epoch 4  topology epoch 0\n")


def test_a_streams_group_as_json() -> None:
    document = group_as_json(STREAMS_GROUP, [])
    assert (document["topology_epoch"], document["input_topics"]) == (0, ("orders",))
    (member,) = json.loads(json.dumps(document))["members"]
    assert member["standby_tasks"] == [{"subtopology": "1", "partition": 1}]
    assert member["process_id"] == "p-1"


def test_views_of_a_group(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a", "b")
    kafkapy("consume", topic, "--group", group, "--from-beginning", "-n", "1")
    head = f"group {group}  type Classic  state Empty  assignor -  coordinator 1  members 0"
    assert kafkapy("groups", "describe", group, "--state").lines == [head]
    assert kafkapy("groups", "describe", group, "--members").lines == [f"group {group}  members 0"]
    offsets = kafkapy("groups", "describe", group, "--offsets").lines
    assert offsets[0] == f"group {group}  lag 1"
    assert offsets[2].split() == [topic, "0", "1", "2", "1"]


def test_only_groups_of_a_type_and_state_are_listed(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a")
    consume(kafkapy, topic, group)

    def listed(*arguments: str) -> bool:
        return group in [line.split()[0] for line in kafkapy("groups", "list", *arguments).lines]

    assert listed("--type", "Classic")
    assert listed("--type", "streams,classic", "--state", "empty")
    assert not listed("--type", "streams")
    assert not listed("--state", "Stable")


def test_deleting_offsets_of_a_topic(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a")
    consume(kafkapy, topic, group)
    deleted = kafkapy("groups", "delete-offsets", group, "--topic", topic)
    assert deleted.lines == [f"deleted offset of {topic}-0: 1"]
    again = kafkapy("groups", "delete-offsets", group, "--topic", topic)
    assert (again.exit_code, again.out) == (1, "")
    assert f"group {group!r} has no offsets of {topic}" in again.err


def test_only_streams_groups_have_internal_topics(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a")
    consume(kafkapy, topic, group)
    for command in (["delete", group], ["reset-offsets", group, "--to-earliest", "--execute"]):
        refused = kafkapy("groups", *command, "--delete-internal-topics")
        assert (refused.exit_code, refused.out) == (1, "")
        assert "only streams groups have internal topics" in refused.err
    (document,) = json.loads(kafkapy("groups", "describe", group, "--json").out)
    assert [line["committed"] for line in document["offsets"]] == [1]


def test_offsets_of_a_deleted_topic_do_not_hide_the_others(kafkapy: Kafkapy, topic: str, group: str) -> None:
    for name in (topic, f"{topic}-gone"):
        kafkapy("produce", name, "a")
        consume(kafkapy, name, group)
    kafkapy("topics", "delete", f"{topic}-gone")
    (document,) = json.loads(kafkapy("groups", "describe", group, "--json").out)
    kept = {"topic": topic, "partition": 0, "committed": 1, "end": 1, "lag": 0, "member_id": None}
    assert kept in document["offsets"]


def test_a_group_that_is_not_there(kafkapy: Kafkapy, group: str) -> None:
    for command in ("describe", "delete"):
        result = kafkapy("groups", command, group)
        assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
        assert f"group {group!r}" in result.err


def test_deleting_a_group_forgets_its_offsets(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a")
    consume(kafkapy, topic, group)
    assert kafkapy("groups", "delete", group).out == f"deleted group {group}\n"
    assert consume(kafkapy, topic, group) == ["a"]


@pytest.mark.parametrize(
    ("where", "target"),
    [
        (["--to-earliest"], 0),
        (["--to-latest"], 5),
        (["--to-offset", "3"], 3),
        (["--to-offset", "99"], 5),
        (["--shift-by", "-1"], 3),
        (["--shift-by", "-99"], 0),
        (["--to-datetime", "2000-01-01T00:00:00"], 0),
        (["--to-datetime", "2200-01-01T00:00:00+01:00"], 5),
    ],
)
def test_moving_offsets(kafkapy: Kafkapy, topic: str, group: str, where: list[str], target: int) -> None:
    kafkapy("produce", topic, *"abcde")
    kafkapy("consume", topic, "--group", group, "--from-beginning", "-n", "4")
    shown = kafkapy("groups", "reset-offsets", group, *where)
    assert shown.lines[1:] == [f"{topic}          0     4   {target}", "nothing is changed yet: add --execute"]
    moved = kafkapy("groups", "reset-offsets", group, "--topic", topic, *where, "--execute", "--json")
    assert json.loads(moved.out) == [{"topic": topic, "partition": 0, "from": 4, "to": target}]
    assert consume(kafkapy, topic, group) == list("abcde")[target:]


def test_moving_some_partitions(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("topics", "create", topic, "-p", "3")
    arguments = ["groups", "reset-offsets", group, "--topic", f"{topic}:0,2", "--to-offset", "0", "--execute", "--json"]
    assert [entry["partition"] for entry in json.loads(kafkapy(*arguments).out)] == [0, 2]


def test_offsets_that_cannot_be_moved(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a")
    for arguments, reason in (
        (["--to-earliest"], f"group {group!r} has no offsets yet: say which with --topic"),
        (["--topic", f"{topic}:7", "--to-earliest"], f"topic {topic!r} has no partition '7': they are numbered 0 to 0"),
        (["--topic", topic, "--shift-by", "1"], f"partition {topic}-0 has no committed offset to shift"),
        (["--topic", topic, "--to-datetime", "soon"], "'soon' is not a time like 2026-01-31T14:00:00"),
    ):
        result = kafkapy("groups", "reset-offsets", group, *arguments)
        assert (result.exit_code, result.err) == (1, f"kafkapy groups reset-offsets: {reason}\n")


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_two_members_share_partitions_and_hand_them_over(
    kafkapy: Kafkapy, bootstrap: str, topic: str, group: str, protocol: str
) -> None:
    """The second member takes half; when it leaves by Ctrl-C the first reads everything again, nothing twice."""
    kafkapy("topics", "create", topic, "-p", "2")
    command = [sys.executable, "-m", "kafkapy", "consume", topic, "-g", group, "-b", bootstrap, "--from-beginning"]
    command += ["--protocol", protocol]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as first:
        assert first.stdout is not None
        try:
            kafkapy("produce", topic, "a0", "-p", "0")
            assert first.stdout.readline() == "a0\n"
            busy = kafkapy("groups", "reset-offsets", group, "--to-earliest", "--execute")
            assert "stop its consumers first" in busy.err
            with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as second:
                assert second.stdout is not None
                try:
                    owners = wait_for_owners(kafkapy, group, 2)
                    assert sorted(len(partitions) for partitions in owners) == [1, 1]
                    kafkapy("produce", topic, "b0", "-p", "0")
                    kafkapy("produce", topic, "b1", "-p", "1")
                    assert {first.stdout.readline(), second.stdout.readline()} == {"b0\n", "b1\n"}
                    wait_for(kafkapy, group, is_all_committed)
                finally:
                    second.send_signal(2)
                assert second.wait(timeout=60) == 130
            assert [len(partitions) for partitions in wait_for_owners(kafkapy, group, 1)] == [2]
            kafkapy("produce", topic, "c0", "-p", "0")
            assert first.stdout.readline() == "c0\n"
            kafkapy("produce", topic, "c1", "-p", "1")
            assert first.stdout.readline() == "c1\n"
            wait_for(kafkapy, group, is_all_committed)
        finally:
            first.send_signal(2)
        assert first.wait(timeout=60) == 130
    (document,) = json.loads(kafkapy("groups", "describe", group, "--json").out)
    assert (document["state"], [line["committed"] for line in document["offsets"]]) == ("Empty", [3, 2])


def is_all_committed(document: Document) -> bool:
    """Every second, while records come."""
    return all(line["lag"] == 0 for line in document["offsets"])


def wait_for_owners(kafkapy: Kafkapy, group: str, member_count: int) -> list[list[object]]:
    """Each member's partitions, once the group is stable with so many members."""

    def is_settled(document: Document) -> bool:
        members = document["members"]
        return (
            document["state"] == "Stable"
            and len(members) == member_count
            and all(member["partitions"] for member in members)
        )

    return [member["partitions"] for member in wait_for(kafkapy, group, is_settled)["members"]]


def wait_for(kafkapy: Kafkapy, group: str, is_reached: Callable[[Document], bool]) -> Document:
    """The description of the group, once it is as wanted."""
    deadline = time.monotonic() + REBALANCE_SECONDS
    while time.monotonic() < deadline:
        document: Document
        (document,) = json.loads(kafkapy("groups", "describe", group, "--json").out)
        if is_reached(document):
            return document
        time.sleep(0.02)
    pytest.fail(f"never came about: {document}")


def test_all_groups_are_described_where_none_is_named(kafkapy: Kafkapy, topic: str, group: str) -> None:
    kafkapy("produce", topic, "a")
    for name in (f"{group}-1", f"{group}-2"):
        kafkapy("consume", topic, "--group", name, "--from-beginning", "--exit-at-end")
    described = json.loads(kafkapy("groups", "describe", "--json").out)
    assert {f"{group}-1", f"{group}-2"} <= {document["group"] for document in described}
    text = kafkapy("groups", "describe").out
    assert f"group {group}-1  type Classic  state Empty" in text
    assert f"group {group}-2  type Classic  state Empty" in text
