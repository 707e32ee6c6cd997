"""`kafkapy groups` and `kafkapy consume` of consumer groups (KIP-848) and share groups (KIP-932), against a broker."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import Kafkapy
from tests.cli.ending import ending

PATIENCE_SECONDS = 20.0
IDLE = ("--idle-timeout", "1")


@pytest.fixture
def share_group(kafkapy: Kafkapy, group: str) -> str:
    """A share group that begins with the first records."""
    kafkapy("configs", "set", "--group", group, "share.auto.offset.reset=earliest")
    return group


def listed(kafkapy: Kafkapy, *filters: str) -> dict[str, tuple[str, str]]:
    entries = json.loads(kafkapy("groups", "list", "--json", *filters).out)
    return {entry["group"]: (entry["type"], entry["state"]) for entry in entries}


def test_a_consumer_group_goes_on_where_it_stopped(kafkapy: Kafkapy, topic: str, group: str) -> None:
    consume = ("consume", topic, "-g", group, "--protocol", "consumer", "--from-beginning")
    kafkapy("produce", topic, *"abc")
    assert kafkapy(*consume, "-n", "2").lines == ["a", "b"]
    assert kafkapy(*consume, "--exit-at-end").lines == ["c"]
    assert listed(kafkapy, "--type", "consumer")[group] == ("Consumer", "Empty")
    moved = kafkapy("groups", "reset-offsets", group, "--to-offset", "1", "--execute", "--json")
    assert json.loads(moved.out) == [{"topic": topic, "partition": 0, "from": 3, "to": 1}]
    assert kafkapy(*consume, "--exit-at-end").lines == ["b", "c"]
    forgotten = kafkapy("groups", "delete-offsets", group, "--topic", f"{topic}:0")
    assert forgotten.out == f"deleted offset of {topic}-0: 3\n"
    assert kafkapy(*consume, "--exit-at-end").lines == ["a", "b", "c"]
    assert kafkapy("groups", "delete", group).out == f"deleted group {group}\n"
    assert group not in listed(kafkapy)


def test_records_of_a_share_group_are_accepted_when_they_are_printed(
    kafkapy: Kafkapy, topic: str, share_group: str
) -> None:
    kafkapy("produce", topic, *"abcde")
    assert kafkapy("consume", topic, "-g", share_group, "--share", "-n", "2").lines == ["a", "b"]
    assert kafkapy("consume", topic, "-g", share_group, "--share", *IDLE).lines == ["c", "d", "e"]
    assert kafkapy("consume", topic, "-g", share_group, "--share", *IDLE).lines == []
    assert listed(kafkapy, "--type", "share", "--state", "empty")[share_group] == ("Share", "Empty")
    described = kafkapy("groups", "describe", share_group)
    assert described.lines[0].endswith("type Share  state Empty  assignor simple  coordinator 1  members 0  lag 0")
    assert described.lines[1].split() == ["TOPIC", "PARTITION", "START", "END", "LAG"]


def test_the_first_member_of_a_share_group_has_its_partitions_soon(
    kafkapy: Kafkapy, topic: str, share_group: str
) -> None:
    """Idle is a member that could be given records: not one that has no partitions yet."""
    kafkapy("produce", topic, *"ab")
    assert kafkapy("consume", topic, "-g", share_group, "--share", "--idle-timeout", "0.5").lines == ["a", "b"]
    other = kafkapy("consume", topic, "-g", share_group, "--exit-at-end")
    assert f"group {share_group!r} is of another type (`kafkapy groups list` says which)" in other.err


def test_offsets_of_a_share_group_are_moved_and_forgotten(kafkapy: Kafkapy, topic: str, share_group: str) -> None:
    kafkapy("produce", topic, *"abc")
    kafkapy("consume", topic, "-g", share_group, "--share", "-n", "3")
    shown = kafkapy("groups", "reset-offsets", share_group, "--to-offset", "1")
    assert shown.lines[-1] == "nothing is changed yet: add --execute"
    kafkapy("groups", "reset-offsets", share_group, "--to-offset", "1", "--execute")
    assert kafkapy("consume", topic, "-g", share_group, "--share", *IDLE).lines == ["b", "c"]
    refused = kafkapy("groups", "delete-offsets", share_group, "--topic", f"{topic}:0")
    assert refused.err == (
        f"kafkapy groups delete-offsets: {topic}:0: a share group forgets whole topics; write --topic {topic}\n"
    )
    forgotten = kafkapy("groups", "delete-offsets", share_group, "--topic", topic)
    assert forgotten.out.startswith(f"deleted offset of {topic}-0: ")
    assert kafkapy("consume", topic, "-g", share_group, "--share", "-n", "3").lines == ["a", "b", "c"]


def test_members_of_a_share_group_read_one_partition_together(
    kafkapy: Kafkapy, bootstrap: str, topic: str, share_group: str
) -> None:
    """What Ctrl-C leaves unprinted goes to the other member, and what was printed to nobody."""
    kafkapy("topics", "create", topic)
    command = [sys.executable, "-m", "kafkapy", "consume", topic, "-g", share_group, "--share", "-b", bootstrap]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as one:
        assert one.stdout is not None
        kafkapy("produce", topic, "a")
        assert one.stdout.readline() == "a\n"
        described = kafkapy("groups", "describe", share_group, "--members")
        assert described.lines[0] == f"group {share_group}  members 1"
        assert described.lines[1].split() == ["MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS"]
        assert described.lines[2].endswith(f"{topic}:0")
        assert len(described.lines) == 3
        busy = kafkapy("groups", "reset-offsets", share_group, "--to-earliest", "--execute")
        assert "stop its consumers first" in busy.err
        one.send_signal(2)
        assert one.wait(timeout=60) == 130
    kafkapy("produce", topic, "b")
    assert kafkapy("consume", topic, "-g", share_group, "--share", "-n", "1").lines == ["b"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while listed(kafkapy)[share_group] != ("Share", "Empty"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--share"], "--share is for a group: name it with --group"),
        (["--protocol", "consumer"], "--protocol is for a group: name it with --group"),
        (["--share", "-g", "g", "-e"], "--exit-at-end and --share exclude each other"),
        (["--share", "-g", "g", "--from-beginning"], "kafkapy configs set --group g share.auto.offset.reset=earliest"),
        (["--share", "-g", "g", "--isolation-level", "read_committed"], "share.isolation.level=read_committed"),
        (["--share", "-g", "g", "-p", "0"], "the group decides who reads what"),
    ],
)
def test_what_does_not_go_together_is_said(kafkapy: Kafkapy, topic: str, arguments: list[str], reason: str) -> None:
    kafkapy("produce", topic, "a")
    result = kafkapy("consume", topic, *arguments)
    assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
    assert reason in result.err
