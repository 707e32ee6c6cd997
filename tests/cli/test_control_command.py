"""`kafkapy control`: the control API from a shell."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from kafkapy.cli import main
from kafkapy.control.operations import OPERATIONS
from kafkapy.testing import Kafka

OTHER_ANSWERS = (
    b"nonsense\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n<html>",
    b'HTTP/1.0 500 Oh\r\n\r\n["x"]',
    b"",
    b"HTTP/1.0 200 OK\r\n\r\n[]",
)


@pytest.fixture(scope="module")
def one_kafka() -> Iterator[Kafka]:
    with Kafka(control=True) as kafka:
        yield kafka


@pytest.fixture
def kafka(one_kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kafka]:
    one_kafka.reset()
    monkeypatch.setenv("KAFKAPY_CONTROL", one_kafka.control_url)
    yield one_kafka
    assert one_kafka.take_bugs() == []


def ran(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What is printed; the one line of an error if another exit code is expected."""
    assert main(["control", *words]) == code
    output, errors = capsys.readouterr()
    if code == 0:
        assert errors == ""
        return output
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("kafkapy control: ")
    return errors.removeprefix("kafkapy control: ").rstrip("\n")


def test_operations_are_performed(kafka: Kafka, capsys: pytest.CaptureFixture[str]) -> None:
    ran(capsys, "create_topic", "name=orders", "partitions=2")
    assert ran(capsys, "topics") == "orders\n"
    assert json.loads(ran(capsys, "topics", "--json")) == ["orders"]
    stored = ran(capsys, "produce", "topic=orders", 'records={"value": "a", "partition": 1}', "--json")
    assert json.loads(stored) == [{"topic": "orders", "partition": 1, "offset": 0}]
    told = ran(capsys, "records", "topic=orders", "partition=1").splitlines()
    assert told[0].split()[:4] == ["TOPIC", "PARTITION", "OFFSET", "TIMESTAMP_MS"]
    assert len(told) == 2
    before = json.loads(ran(capsys, "freeze_time", "--json"))
    assert f"now_ms: {before['now_ms'] + 5_000}\n" in ran(capsys, "advance_time", "milliseconds=5000")
    assert ran(capsys, "reset") == "done\n"
    assert kafka.topics() == []


def test_lists_are_given_by_name_again_and_again(kafka: Kafka, capsys: pytest.CaptureFixture[str]) -> None:
    rules = ['rules={"api": "Produce", "disconnect": "before"}', 'rules={"api": "Fetch", "delay_ms": 5}']
    ran(capsys, "add_faults", *rules)
    assert [fault.rule["api"] for fault in kafka.faults.all()] == ["Produce", "Fetch"]
    ran(capsys, "clear_faults")
    ran(capsys, "add_faults", 'rules=[{"api": "Produce", "disconnect": "before"}]')
    assert len(kafka.faults.all()) == 1


def test_operations_are_listed_and_described(kafka: Kafka, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(json.loads(ran(capsys, "--json"))) == set(OPERATIONS)
    assert {line.split()[0] for line in ran(capsys).splitlines()[1:]} == set(OPERATIONS)
    told = ran(capsys, "records", "--help")
    assert told.startswith("usage: kafkapy control records topic=VALUE [partition=VALUE]")
    assert "read_committed or read_uncommitted" in told
    fields = "list of ({value, [key], [headers], [timestamp_ms], [partition]} or text or {base64})"
    assert fields in ran(capsys, "produce", "--help")
    assert "{NAME: {PARTITION: whole number}}" in ran(capsys, "commit_offsets", "--help")
    for name in OPERATIONS:
        assert ran(capsys, name, "--help").startswith(f"usage: kafkapy control {name}")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["topix"], 2, "there is no operation 'topix' (did you mean 'topic'?); `kafkapy control` lists them"),
        (["records", "topik=t"], 2, "records takes no 'topik' (did you mean 'topic'?)"),
        (["records", "orders"], 2, "'orders' is not NAME=VALUE"),
        (["records", "topic=a", "topic=b"], 2, "topic is given twice"),
        (["records", "topic=a", "partition=one"], 2, "partition is a whole number, not 'one'"),
        (["records", "topic=a", "control=yes"], 2, "control is true or false, not 'yes'"),
        (["records"], 1, "topic: 'records' needs it"),
        (["records", "topic=none"], 1, "there is no topic 'none'"),
        (["records", "topic=a", "isolation=read_commited"], 1, "did you mean 'read_committed'?"),
        (["add_faults", 'rules={"api": "Produse", "disconnect": "before"}'], 1, "(did you mean 'Produce'?)"),
        (["add_faults", "rules={"], 2, "rules is no JSON"),
        (["topics", "--url", "nowhere"], 2, "--url: 'nowhere' is no address"),
    ],
)
def test_errors_are_one_line(
    kafka: Kafka, capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
) -> None:
    assert told in ran(capsys, *words, code=code)


def test_a_port_where_nothing_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert ran(capsys, "topics", "--url", str(port), code=1).startswith(
        f"nothing listens at http://127.0.0.1:{port}: start kafkapy with --control"
    )


def test_an_answer_of_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    for answer in OTHER_ANSWERS:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve(answer: bytes = answer, server: socket.socket = server) -> None:
                asked, _ = server.accept()
                with asked:
                    asked.recv(65_536)
                    asked.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            told = ran(capsys, "topics", "--url", str(server.getsockname()[1]), code=1)
            thread.join()
        assert "control API" in told or "does not answer" in told
