"""What Kafka's tools make of their arguments and of lines, without a broker."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from compat_tests.ports import free_port
from kafkapy.client.errors import ClientError
from kafkapy.tools import TOOLS, main, tool_names
from kafkapy.tools.client_entities import java_double
from kafkapy.tools.configs import parse_added
from kafkapy.tools.console_consumer import record_format
from kafkapy.tools.console_producer import LineReader
from kafkapy.tools.own_broker import own_broker
from kafkapy.tools.tool_parser import names_matching, table
from kafkapy_wire.records import Record, TimestampType


def test_brackets_keep_the_commas_of_a_value() -> None:
    added = parse_added("a=1,b=[x,y],c=[A://h:1,B://h:2],d=")
    assert added == {"a": "1", "b": "x,y", "c": "A://h:1,B://h:2", "d": ""}


@pytest.mark.parametrize("text", ["a", "=1", "a=[x,y", "a=[x]y=1", "a=1,b"])
def test_what_is_no_list_of_settings_is_refused(text: str) -> None:
    with pytest.raises(ClientError):
        parse_added(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1024.0, "1024.0"),
        (12.5, "12.5"),
        (0.0, "0.0"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (10_485_760.0, "1.048576E7"),
        (-12_345_678.5, "-1.23456785E7"),
        (1e-3, "0.001"),
        (5e-4, "5.0E-4"),
        (0.000_123, "1.23E-4"),
        (1e21, "1.0E21"),
        (1.5e-7, "1.5E-7"),
    ],
)
def test_numbers_are_printed_as_java_prints_them(value: float, text: str) -> None:
    assert java_double(value) == text


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "localhost:9092"),
        ({"KAFKA_LISTENERS": "SECURE://:9096,HOST://:9093,BROKER://:9092"}, "localhost:9093"),
        ({"KAFKA_CFG_INTER_BROKER_LISTENER_NAME": "BROKER", "KAFKA_LISTENERS": "HOST://:1,BROKER://:2"}, "localhost:2"),
        ({"KAFKA_LISTENERS": "CONTROLLER://:9094,SECURE://:9096"}, None),
    ],
)
def test_the_broker_of_a_container_is_found_by_its_variables(environ: dict[str, str], address: str | None) -> None:
    protocols = {
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "SECURE:SASL_SSL,HOST:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"
    }
    assert own_broker({**protocols, **environ, "KAFKAPY_IMAGE": "1"}) == address
    assert own_broker({**protocols, **environ}) is None, "only in the image"


def made(line: str, **properties: str) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    named = {name.replace("_", "."): value for name, value in properties.items()}
    record, partition = LineReader(named).make(line.encode(), 3)
    assert partition is None
    return record.key, record.value, list(record.headers)


def test_lines_become_records_as_the_reader_properties_say() -> None:
    assert made("k\tv") == (None, b"k\tv", [])
    assert made("k\tv", parse_key="true") == (b"k", b"v", [])
    assert made("k:v:w", parse_key="TRUE", key_separator=":") == (b"k", b"v:w", [])
    assert made("a:1,b:2\tk\tv", parse_key="true", parse_headers="true") == (b"k", b"v", [("a", b"1"), ("b", b"2")])
    assert made("NULL\tNULL", parse_key="true", null_marker="NULL") == (None, None, [])
    assert made("no separator", parse_key="true", ignore_error="true") == (None, b"no separator", [])


def test_a_line_without_its_separator_ends_the_producer_with_kafkas_words() -> None:
    with pytest.raises(ClientError, match="No key separator found on line number 3: 'v'"):
        made("v", parse_key="true")
    with pytest.raises(ClientError, match="No headers delimiter found on line number 3"):
        made("v", parse_headers="true")


def printed(record: Record, **properties: str) -> bytes:
    named = {name.replace("_", "."): value for name, value in properties.items()}
    return record_format(named, None, None)(("t", 2), record, TimestampType.CREATE_TIME)


def test_records_are_printed_as_the_formatter_properties_say() -> None:
    record = Record(7, 1_700_000_000_000, b"k", b"v", (("h", b"1"), ("g", None)))
    assert printed(record) == b"v"
    every = {f"print_{what}": "true" for what in ("timestamp", "partition", "offset", "headers", "key", "value")}
    assert printed(record, **every) == b"CreateTime:1700000000000\tPartition:2\tOffset:7\th:1,g:null\tk\tv"
    assert printed(record, print_key="true", print_value="false", key_separator="=") == b"k"
    assert printed(Record(7, -1, None, None), print_key="true", null_literal="-", key_separator="=") == b"-=-"
    number = Record(0, 0, None, struct.pack(">q", -5))
    of_longs = record_format({}, None, "org.apache.kafka.common.serialization.LongDeserializer")
    assert of_longs(("t", 0), number, TimestampType.CREATE_TIME) == b"-5"
    with pytest.raises(ClientError, match="1 bytes where LongDeserializer"):
        record_format({}, None, "LongDeserializer")(("t", 0), Record(0, 0, None, b"x"), TimestampType.CREATE_TIME)
    with pytest.raises(ClientError, match="no deserializer Avro"):
        record_format({}, "Avro", None)


def test_include_lists_are_regular_expressions_with_commas() -> None:
    names = ["orders", "orders.dlq", "users"]
    assert names_matching("orders", names) == ["orders"]
    assert names_matching("'orders.*'", names) == ["orders", "orders.dlq"]
    assert names_matching("users, orders", names) == ["orders", "users"]
    with pytest.raises(ClientError, match="not a regular expression"):
        names_matching("(", names)


def test_a_table_is_as_javas_format_makes_it() -> None:
    assert table(["A", "B"], [3, 0], [["long", None]]) == "A   B\nlong -"


@pytest.mark.parametrize("arguments", [[], ["kafka-topicz"], ["kafka-topics"], ["kafka-topics", "--frobnicate"]])
def test_wrong_usage_has_kafkas_exit_code_and_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_kafkas_tools_of_groups_are_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Not that there is no such tool, with another one to try that is not provided either."""
    for kind in ("share", "streams"):
        assert main([f"kafka-{kind}-groups", "--list"]) == 1
        assert capsys.readouterr().err == f"kafka-{kind}-groups is not provided: use `kafkapy groups`\n"
    assert main(["kafka-console-share-consumer.sh", "--topic", "orders"]) == 1
    assert capsys.readouterr().err.endswith("use `kafkapy consume --share`\n")


@pytest.mark.parametrize("name", [name for name, module in TOOLS.items() if module == "not_provided"])
def test_a_tool_that_is_not_provided_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{name}.sh", "--list", "--bootstrap-server", "x:1"]) == 1
    assert capsys.readouterr().err.startswith(f"{name} is not provided: ")


def test_zookeeper_is_not_missed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/usr/bin/zookeeper-server-start", "zookeeper.properties"]) == 0
    assert capsys.readouterr().err == ""


def test_the_port_of_zookeeper_is_listened_on_for_who_waits_for_it(tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "zookeeper.properties"
    file.write_text(f"clientPort={port}\ndataDir=/tmp/zookeeper\n")
    command = [sys.executable, "-m", "kafkapy.tools", "zookeeper-server-start", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "nothing is done" in process.stdout.readline()
            with socket.create_connection(("127.0.0.1", port)) as connection:
                assert connection.recv(1) == b""
        finally:
            process.terminate()


def test_every_tool_has_its_names_and_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"kafka-topics", "kafka-topics.sh", "zookeeper-server-start.sh", "cub"} <= set(tool_names())
    for name in TOOLS:
        if TOOLS[name] != "not_provided":
            assert main([name, "--help"]) == 0
            assert capsys.readouterr().out.startswith(f"usage: {name}")
