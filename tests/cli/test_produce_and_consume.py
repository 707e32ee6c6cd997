"""`kafkapy produce` and `kafkapy consume` against a broker."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys

import pytest

from kafkapy.client.partitioner import partition_for_key
from tests.cli.conftest import Kafkapy


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
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as consumer:
        assert consumer.stdout is not None
        for value in ("first", "second"):
            kafkapy("produce", topic, value)
            assert consumer.stdout.readline() == value + "\n"
        consumer.send_signal(2)
        out, err = consumer.communicate(timeout=10)
    assert (consumer.returncode, out, err) == (130, "", "")


def test_live_input_is_sent_line_by_line(kafkapy: Kafkapy, bootstrap: str, topic: str) -> None:
    kafkapy("topics", "create", topic)
    command = [sys.executable, "-m", "kafkapy", "produce", topic, "-b", bootstrap]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as producer:
        assert producer.stdin is not None
        for number in range(3):
            producer.stdin.write(f"{number}\n")
            producer.stdin.flush()
            assert kafkapy("consume", topic, "--offset", str(number) if number else "earliest", "-n", "1").lines == [
                str(number)
            ]
        _, err = producer.communicate(timeout=10)
    assert (producer.returncode, err) == (0, f"sent 3 records to {topic}\n")


def test_a_reader_that_leaves_early_is_no_error(kafkapy: Kafkapy, bootstrap: str, topic: str) -> None:
    kafkapy("produce", topic, stdin=b"some line of text\n" * 50_000)
    command = [sys.executable, "-m", "kafkapy", "consume", topic, "-b", bootstrap, "--from-beginning"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as consumer:
        assert consumer.stdout is not None
        assert consumer.stderr is not None
        consumer.stdout.read(100)
        consumer.stdout.close()
        assert consumer.wait(timeout=10) == 0
        assert consumer.stderr.read() == b""
