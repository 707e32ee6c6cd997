"""`kafkapy produce` and `kafkapy consume` against a broker."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from kafkapy_wire.partitioner import partition_for_key
from tests.cli.conftest import Kafkapy, Result
from tests.cli.ending import ending
from tests.cli.slowness import without_slowness


def test_records_from_arguments(kafkapy: Kafkapy, topic: str) -> None:
    one = kafkapy("produce", topic, "größe")
    assert (one.exit_code, one.out, one.err) == (0, "", f"sent 1 record to {topic} (partition 0, offset 0)\n")
    assert kafkapy("produce", topic, "b", "c").err == f"sent 2 records to {topic}\n"
    assert kafkapy("produce", topic, "d", "--quiet").err == ""
    assert kafkapy("consume", topic, "--from-beginning", "--exit-at-end").lines == ["größe", "b", "c", "d"]


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_lines_from_standard_input(kafkapy: Kafkapy, topic: str, compression: str, acks: str) -> None:
    kafkapy("topics", "create", topic)
    lines = b"".join(b"line %d\n" % number for number in range(50_000)) + b"\xff last, with no end"
    produced = kafkapy("produce", topic, "--compression", compression, "--acks", acks, stdin=lines)
    assert (produced.exit_code, produced.err) == (0, f"sent 50001 records to {topic}\n")
    command = ("consume", topic, "--from-beginning", "--max-messages", "50001", "--json")
    values = [json.loads(line)["value"] for line in kafkapy(*command).lines]
    assert values[:2] == ["line 0", "line 1"]
    assert values[49_999] == "line 49999"
    assert base64.b64decode(values[50_000]["base64"]) == b"\xff last, with no end"


def test_keys_headers_and_nulls(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic, "-p", "4")
    stdin = b"apple=red=ish\nplum=NULL\r\nNULL=x\n"
    options = ("-K", "=", "--null-marker", "NULL", "-H", "trace=1", "-H", "empty=", "-H", "none=NULL")
    assert kafkapy("produce", topic, *options, stdin=stdin).exit_code == 0
    printed = kafkapy("consume", topic, "--from-beginning", "-e", "--json").lines
    records = {record["value"]: record for record in map(json.loads, printed)}
    assert {record["key"] for record in records.values()} == {"apple", "plum", None}
    assert records["red=ish"]["key"] == "apple"
    assert records["red=ish"]["headers"] == [["trace", "1"], ["empty", ""], ["none", None]]
    assert records["red=ish"]["timestamp_type"] == "CREATE_TIME"
    assert records[None]["partition"] == partition_for_key(b"plum", 4)


def test_one_key_for_all_and_a_partition(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic, "-p", "3")
    assert kafkapy("produce", topic, "a", "b", "--key", "k").exit_code == 0
    assert kafkapy("produce", topic, "c", "--partition", "2").exit_code == 0
    out = kafkapy("consume", topic, "--from-beginning", "-e", "--print-key", "--separator", "=").lines
    assert sorted(out) == ["k=a", "k=b", "null=c"]
    only_2 = kafkapy("consume", topic, "--from-beginning", "-e", "--partition", "2").lines
    assert "c" in only_2
    assert set(only_2) <= {"a", "b", "c"}


def test_what_is_printed_of_a_record(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("produce", topic, "v", "-k", "k", "-H", "a=1", "-H", "b=2")
    kafkapy("produce", topic, "w")
    everything = ("--print-timestamp", "--print-partition", "--print-offset", "--print-headers", "--print-key")
    first, second = kafkapy("consume", topic, "--from-beginning", "-e", *everything).lines
    assert first.startswith("CreateTime:")
    assert first.split("\t")[1:] == ["Partition:0", "Offset:0", "a:1,b:2", "k", "v"]
    assert second.split("\t")[1:] == ["Partition:0", "Offset:1", "NO_HEADERS", "null", "w"]


def test_log_append_time_is_named(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic, "-c", "message.timestamp.type=LogAppendTime")
    kafkapy("produce", topic, "v")
    assert kafkapy("consume", topic, "--from-beginning", "-e", "--print-timestamp").out.startswith("LogAppendTime:")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--from-beginning"], ["0", "1", "2", "3", "4"]),
        (["--offset", "earliest"], ["0", "1", "2", "3", "4"]),
        (["--offset", "3"], ["3", "4"]),
        (["--offset", "5"], []),
        (["--offset", "-2"], ["3", "4"]),
        (["--offset", "-99"], ["0", "1", "2", "3", "4"]),
        (["--offset", "latest"], []),
        (["--from-beginning", "-n", "2"], ["0", "1"]),
        ([], []),
    ],
)
def test_where_reading_begins(kafkapy: Kafkapy, topic: str, options: list[str], expected: list[str]) -> None:
    kafkapy("produce", topic, *map(str, range(5)))
    result = kafkapy("consume", topic, "--exit-at-end", *options)
    assert (result.exit_code, result.lines) == (0, expected)


def test_offsets_that_are_not_there(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("produce", topic, "a")
    for options, reason in (
        (["--offset", "7"], f"partition {topic}-0 has the offsets 0 to 1, not 7"),
        (["--offset", "soon"], "--offset 'soon' is not a number, `earliest` or `latest`"),
        (["--partition", "3"], f"topic {topic!r} has no partition 3: they are numbered 0 to 0"),
    ):
        assert kafkapy("consume", topic, *options).err == f"kafkapy consume: {reason}\n"


def test_a_topic_that_is_not_there(kafkapy: Kafkapy, topic: str) -> None:
    result = kafkapy("consume", topic)
    assert (result.exit_code, result.out) == (1, "")
    assert result.err == (
        f"kafkapy consume: topic {topic!r} does not exist: make it with `kafkapy topics create {topic}`\n"
    )


def test_too_few_records_are_an_error_for_who_counts_them(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("produce", topic, "a")
    result = kafkapy("consume", topic, "--from-beginning", "-n", "2", "--idle-timeout", "0.2")
    assert (result.exit_code, result.lines) == (1, ["a"])
    assert result.err == "kafkapy consume: only 1 of 2 records came\n"
    assert kafkapy("consume", topic, "--idle-timeout", "0.2").exit_code == 0


def test_a_record_without_its_separator(kafkapy: Kafkapy, topic: str) -> None:
    result = kafkapy("produce", topic, "-K", ":", stdin=b"a:1\nb:2\nc\n")
    assert result.exit_code == 1
    assert result.err == "kafkapy produce: record 3 has no key separator ':' in it\n"


def test_a_topic_that_takes_less_than_our_batches(kafkapy: Kafkapy, topic: str) -> None:
    """Batches are halved until they fit; a record that does not is refused with what to do."""
    kafkapy("topics", "create", topic, "-c", "max.message.bytes=1000")
    lines = b"".join(b"%d\n" % number for number in range(2000))
    assert kafkapy("produce", topic, stdin=lines).exit_code == 0
    assert kafkapy("consume", topic, "--from-beginning", "-e").out.encode() == lines
    result = kafkapy("produce", topic, "x" * 2000)
    assert result.exit_code == 1
    assert "a record of 2000 bytes is larger than the topic takes" in result.err
    assert "max.message.bytes=N" in result.err


def test_a_line_longer_than_one_read(kafkapy: Kafkapy, topic: str) -> None:
    line = os.urandom(450_000).hex()
    assert kafkapy("produce", topic, stdin=line.encode() + b"\nshort\n").exit_code == 0
    assert kafkapy("consume", topic, "--from-beginning", "-e").lines == [line, "short"]


def test_following_prints_what_comes_and_ctrl_c_ends_it(kafkapy: Kafkapy, bootstrap: str, topic: str) -> None:
    kafkapy("topics", "create", topic)
    command = [sys.executable, "-m", "kafkapy", "consume", topic, "-b", bootstrap, "--from-beginning"]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) as consumer:
        assert consumer.stdout is not None
        for value in ("first", "second"):
            kafkapy("produce", topic, value)
            assert consumer.stdout.readline() == value + "\n"
        consumer.send_signal(2)
        out, err = consumer.communicate(timeout=60)
    assert (consumer.returncode, out, err) == (130, "", "")


def test_live_input_is_sent_line_by_line(kafkapy: Kafkapy, bootstrap: str, topic: str) -> None:
    kafkapy("topics", "create", topic)
    command = [sys.executable, "-m", "kafkapy", "produce", topic, "-b", bootstrap]
    with ending(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) as producer:
        assert producer.stdin is not None
        for number in range(3):
            producer.stdin.write(f"{number}\n")
            producer.stdin.flush()
            assert kafkapy("consume", topic, "--offset", str(number) if number else "earliest", "-n", "1").lines == [
                str(number)
            ]
        _, err = producer.communicate(timeout=60)
    assert (producer.returncode, without_slowness(err)) == (0, f"sent 3 records to {topic}\n")


def test_a_reader_that_leaves_early_is_no_error(kafkapy: Kafkapy, bootstrap: str, topic: str) -> None:
    kafkapy("produce", topic, stdin=b"some line of text\n" * 50_000)
    command = [sys.executable, "-m", "kafkapy", "consume", topic, "-b", bootstrap, "--from-beginning"]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)) as consumer:
        assert consumer.stdout is not None
        assert consumer.stderr is not None
        consumer.stdout.read(100)
        consumer.stdout.close()
        assert consumer.wait(timeout=60) == 0
        assert consumer.stderr.read() == b""


def test_several_topics_and_those_that_match(kafkapy: Kafkapy, topic: str) -> None:
    for name, value in ((f"{topic}-a", "1"), (f"{topic}-b", "2"), (f"{topic}-c.d", "3")):
        kafkapy("produce", name, value)
    read = ("--from-beginning", "-e", "--print-topic", "--separator", "=")
    both = kafkapy("consume", f"{topic}-a", f"{topic}-b", *read)
    assert sorted(both.lines) == [f"Topic:{topic}-a=1", f"Topic:{topic}-b=2"]
    matching = kafkapy("consume", "--include", f"{topic}-[bc].*", *read)
    assert sorted(matching.lines) == [f"Topic:{topic}-b=2", f"Topic:{topic}-c.d=3"]
    assert kafkapy("consume", "--include", f"{topic}-", *read).out == "", "the whole name must match"
    for arguments, reason in (
        ([], "name one or more topics, or give a pattern with --include"),
        ([topic, "--include", "x"], "TOPIC and --include exclude each other"),
        (["--include", "no-such-topic.*", "--exit-at-end"], "no topic matches the pattern 'no-such-topic.*'"),
        (["a/b", "--exit-at-end"], "a name has 1 to 249 of the characters "),
        (["--include", "("], "--include '(' is not a regular expression: "),
        ([f"{topic}-a", f"{topic}-b", "-p", "0"], "--partition is for one topic"),
        ([f"{topic}-a", f"{topic}-z"], f"topic '{topic}-z' does not exist"),
    ):
        result = kafkapy("consume", *arguments)
        assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
        assert reason in result.err


@pytest.mark.parametrize("in_group", [False, True], ids=["alone", "in a group"])
def test_a_topic_that_comes_later_is_read_from_its_start(
    kafkapy: Kafkapy, bootstrap: str, topic: str, group: str, in_group: bool
) -> None:
    """And one that goes is no reason to end."""
    kafkapy("produce", f"{topic}-a", "first")
    command = [sys.executable, "-c", FAST_LOOKS, "consume", "--include", f"{topic}-.*", "-b", bootstrap]
    command += ["--from-beginning", *(["--group", group] if in_group else [])]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) as consumer:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "first\n"
        kafkapy("produce", f"{topic}-b", "second")
        assert consumer.stdout.readline() == "second\n"
        kafkapy("topics", "delete", f"{topic}-a")
        kafkapy("produce", f"{topic}-c", "third")
        assert consumer.stdout.readline() == "third\n"
        consumer.send_signal(signal.SIGINT)
        out, err = consumer.communicate(timeout=60)
    assert (consumer.returncode, out, err) == (130, "", "")


FAST_LOOKS = """
import sys
from kafkapy.cli import main, subscription
subscription.LOOK_SECONDS = 0.05
sys.exit(main())
"""


def test_from_a_time(kafkapy: Kafkapy, topic: str, group: str) -> None:
    start = 1_795_000_000_000
    lines = [{"value": str(number), "timestamp": start + number * 1_000} for number in range(4)]
    kafkapy("produce", topic, "--json", stdin="".join(json.dumps(line) + "\n" for line in lines).encode())
    text = datetime.fromtimestamp(start / 1_000 + 2, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for options in (
        ["--from-datetime", str(start + 1_001)],
        ["--from-datetime", text],
        ["--from-datetime", f"{text}+00:00", "--group", group],
    ):
        assert kafkapy("consume", topic, "-e", *options).lines == ["2", "3"]
    assert kafkapy("consume", topic, "-e", "--from-datetime", str(start + 9_000)).lines == []
    assert kafkapy("consume", topic, "-e", "--from-datetime", text, "--group", group).lines == [], "it has committed"
    for wrong in ("soon", "2026-13-01", "9" * 30, "9" * 5_000):
        result = kafkapy("consume", topic, "--from-datetime", wrong)
        assert (result.exit_code, result.err.count("\n")) == (1, 1)
    assert kafkapy("consume", topic, "--from-datetime", text, "--from-beginning").exit_code == 2


def test_what_consume_prints_as_json_is_what_produce_reads(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic, f"{topic}-copy", f"{topic}-same", "-p", "3")
    kafkapy("produce", topic, "größe", "-k", "k", "-H", "a=1", "-H", "none=NULL", "--null-marker", "NULL")
    kafkapy("produce", topic, "-p", "2", stdin=b"\xff\n")
    kafkapy("produce", topic, "NULL", "--null-marker", "NULL", "-k", "tombstone")
    read = ("--from-beginning", "-e", "--json")
    original = kafkapy("consume", topic, *read)
    for copy, options in ((f"{topic}-copy", []), (f"{topic}-same", ["--keep-partition"])):
        assert (
            kafkapy("produce", copy, "--json", *options, stdin=original.out.encode()).err
            == f"sent 3 records to {copy}\n"
        )
        assert contents(kafkapy("consume", copy, *read)) == contents(original)
    same = kafkapy("consume", f"{topic}-same", *read)
    assert sorted(json.loads(line)["partition"] for line in same.lines) == sorted(
        json.loads(line)["partition"] for line in original.lines
    )


def contents(result: Result) -> list[str]:
    """Of printed records what is not their place."""
    records = [json.loads(line) for line in result.lines]
    return sorted(
        json.dumps([record["key"], record["value"], record["headers"], record["timestamp"]]) for record in records
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x", "record 1: not JSON: "),
        ("[" * 100_000, "record 1: not JSON: "),
        ("[]", 'record 1: not a JSON object like {"key": "k", "value": "v"}'),
        ('{"valeu": "v"}', "record 1: there is no field 'valeu' (did you mean 'value'?)"),
        ('{"value": 7}', 'record 1: value is not a string, null or {"base64": "..."}'),
        ('{"value": {"base64": "?"}}', "record 1: value is not base64"),
        (r'{"key": "\ud800"}', "record 1: key has half of a surrogate pair"),
        ('{"headers": {"a": "1"}}', 'record 1: headers are not a list like [["name", "value"]]'),
        ('{"headers": [["a"]]}', 'record 1: a header is not a pair like ["name", "value"]'),
        ('{"timestamp": 1e3}', "record 1: timestamp is not a number from "),
        ('{"timestamp": 9223372036854775808}', "record 1: timestamp is not a number from "),
        ('{"partition": -1}', "record 1: partition is not a number from "),
        ('{"partition": 9}', "has no partition 9: they are numbered 0 to 0"),
    ],
)
def test_a_line_that_is_no_record(kafkapy: Kafkapy, topic: str, line: str, reason: str) -> None:
    kafkapy("topics", "create", topic, "-p", "1")
    result = kafkapy("produce", topic, "--json", "--keep-partition", stdin=line.encode() + b"\n")
    assert (result.exit_code, result.err.count("\n")) == (1, 1)
    assert reason in result.err


def test_options_that_the_lines_say_themselves(kafkapy: Kafkapy, topic: str) -> None:
    for options, reason in (
        (["-k", "k"], "--key and --json exclude each other"),
        (["-K", ":"], "--key-separator and --json exclude each other"),
        (["-H", "a=1"], "--header and --json exclude each other"),
        (["--keep-partition", "-p", "0"], "--keep-partition and --partition exclude each other"),
    ):
        result = kafkapy("produce", topic, "--json", *options, stdin=b"{}\n")
        assert (result.exit_code, result.err.count("\n")) == (1, 1)
        assert reason in result.err


def test_options_that_go_with_others_are_not_passed_over(kafkapy: Kafkapy, topic: str) -> None:
    for options, reason in (
        (["--keep-partition"], "--keep-partition is for --json"),
        (["-k", "k", "-K", ":"], "--key and --key-separator exclude each other"),
    ):
        result = kafkapy("produce", topic, *options, "a:b")
        assert (result.exit_code, result.err.count("\n")) == (1, 1)
        assert reason in result.err


def test_a_dash_is_standard_input(kafkapy: Kafkapy, topic: str) -> None:
    assert kafkapy("produce", topic, "-", stdin=b"a\nb\n").err == f"sent 2 records to {topic}\n"
    assert kafkapy("consume", topic, "--from-beginning", "-e").lines == ["a", "b"]
