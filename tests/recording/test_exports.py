"""Recordings as files: JSON lines that can be read back, and captures that Wireshark opens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from kafkapy.context import Client as Peer
from kafkapy.recording import Exchange, Outcome, Recording, exchange_as_json, records
from kafkapy.recording.exchange import Origin
from kafkapy.recording.pcapng import write_pcapng
from kafkapy.recording.session import InvalidSession, read_json_lines, write_json_lines
from kafkapy.recording.tap import KEPT_BYTES_MAX
from kafkapy_wire.compression import Compression
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.uuid import uuid_text
from tests.shell.running_node import Client, batch, connect, fetch_request, produce_request, running_node

ASKED = ApiVersionsRequest(client_software_name="a-library", client_software_version="1.2")
SECONDS_MAX = 60


def record(directory: Path, session: Callable[[Client, Client], Awaitable[None]]) -> Recording:
    """What two clients of a node do."""
    recording = Recording()

    async def run() -> None:
        with trio.fail_after(SECONDS_MAX):
            async with running_node(directory) as node, connect(node) as client, connect(node) as other:
                recording.attach(node.dispatcher, node.node_id, node.broker.metadata)
                await session(client, other)

    trio.run(run)
    return recording


async def of_two_clients(client: Client, other: Client) -> None:
    client.client_id, other.client_id = "größe", None
    await client.ask(ASKED, ApiVersionsResponse, 3)
    await other.ask(ASKED, ApiVersionsResponse, 0)
    await client.create_topic("orders")
    await client.produce("orders", b"one", b"\xff\0", timestamp=5)
    await other.send(produce_request("orders", batch([None]), acks=0), 9, answered=False)
    await other.ask(HeartbeatRequest(group_id="g", member_id="m"), HeartbeatResponse, 3)
    await client.ask(fetch_request({"orders": {0: 0}}), FetchResponse, 11)
    await client.ask(MetadataRequest(topics=[]), MetadataResponse, 9)


async def in_versions_that_wireshark_knows(client: Client, other: Client) -> None:
    client.client_id, other.client_id = "größe", None
    await client.ask(ASKED, ApiVersionsResponse, 3)
    await other.ask(ASKED, ApiVersionsResponse, 0)
    topic = CreatableTopic(name="orders", num_partitions=1, replication_factor=1)
    await client.ask(CreateTopicsRequest(topics=[topic]), CreateTopicsResponse, 4)
    await client.produce_batch("orders", batch([b"one"]), version=8)
    await other.send(produce_request("orders", batch([None]), acks=0), 8, answered=False)
    await other.ask(HeartbeatRequest(group_id="g", member_id="m"), HeartbeatResponse, 3)
    await client.ask(fetch_request({"orders": {0: 0}}), FetchResponse, 11)
    await client.ask(MetadataRequest(topics=[]), MetadataResponse, 9)


def test_an_exchange_as_json(tmp_path: Path) -> None:
    recording = record(tmp_path, of_two_clients)
    produced = exchange_as_json(recording.select("Produce")[0])
    assert json.loads(json.dumps(produced)) == produced
    assert produced["api"] == "Produce"
    assert produced["clientId"] == "größe"
    assert produced["topics"] == ["orders"]
    assert produced["outcome"] == "answered"
    assert "requestFrame" not in produced
    request: Any = produced["request"]
    (one,) = request["topicData"][0]["partitionData"][0]["records"]
    assert one["compression"] == "none"
    assert one["records"] == [
        {"offset": 0, "timestamp": 5, "key": None, "value": "one", "headers": []},
        {"offset": 1, "timestamp": 5, "key": None, "value": {"base64": "/wA="}, "headers": []},
    ]
    fetched: Any = exchange_as_json(recording.last("Fetch"))["response"]
    batches = fetched["responses"][0]["partitions"][0]["records"]
    assert [each["value"] for one in batches for each in one["records"]] == ["one", {"base64": "/wA="}, None]


def test_records_that_grow_too_large_stay_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "DECOMPRESSED_BYTES_MAX", 2_000)
    small = build_batch([NewRecord(1, None, bytes(500))], compression=Compression.GZIP)
    large = build_batch([NewRecord(1, None, bytes(1_900))], compression=Compression.GZIP)
    assert len(records.batches_as_json(small + small)) == len(records.batches_as_json(large)) + 1 == 2
    with pytest.raises(MalformedMessage):
        records.batches_as_json(small + large)


def test_json_lines_are_read_back(tmp_path: Path) -> None:
    recording = record(tmp_path, of_two_clients)
    file = tmp_path / "session.jsonl"
    assert recording.write_json_lines(file) == 8
    exchanges = read_json_lines(file)
    assert [each.request_frame for each in exchanges] == [each.request_frame for each in recording]
    assert [each.response_frame for each in exchanges] == [each.response_frame for each in recording]
    assert [str(each) for each in exchanges] == [str(each) for each in recording]
    again = tmp_path / "again.jsonl"
    write_json_lines(exchanges, again)
    for line, other in zip(again.read_text().splitlines(), file.read_text().splitlines(), strict=True):
        first, second = json.loads(line), json.loads(other)
        for name in ("timeMs", "durationMs"):  # as exact as a number of JSON is
            assert first.pop(name) == pytest.approx(second.pop(name), rel=0, abs=0.01)
        assert first == second
    assert recording.write_json_lines(str(file), "Produce", topic="orders") == 2
    assert len(read_json_lines(str(file))) == 2


def changed(**values: object) -> Callable[[dict[str, object]], object]:
    return lambda line: line | values


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _line: [], "line 2: an object is expected"),
        (changed(connection="1"), "line 2: connection is not of the kind int"),
        (changed(connection=True), "line 2: connection is not of the kind int"),
        (changed(requestFrame="&"), "line 2: requestFrame is no base64"),
        (changed(requestFrame=""), "line 2: requestFrame has no header"),
        (changed(outcome="lost"), "line 2: 'lost' is not a valid Outcome"),
        (changed(timeMs=1e300), "line 2: timeMs is out of range"),
        (changed(connection=99, peer="nowhere"), "line 2: peer is no host:port"),
        (lambda line: {name: value for name, value in line.items() if name != "node"}, "line 2: node is missing"),
    ],
)
def test_a_file_that_is_no_session_is_refused(
    change: Callable[[dict[str, object]], object], reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "session.jsonl"
    heartbeat = HeartbeatRequest(group_id="g")
    exchange = Exchange((1, 5, 6, Origin(1, uuid_text), Peer("P", "::1", 4, "::1"), *_frames(heartbeat), ""))
    write_json_lines([exchange, exchange], file)
    first, second = file.read_text().splitlines()
    file.write_text(f"{first}\n{json.dumps(change(json.loads(second)))}\n")
    with pytest.raises(InvalidSession, match=f"is no recorded session: {reason}"):
        read_json_lines(file)


def test_a_file_of_another_kind_is_no_session(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    for content, reason in ((b"\xff\xfe", "no text in UTF-8"), (b"[" * 100_000, "line 1"), (b"x\n", "line 1")):
        file.write_bytes(content)
        with pytest.raises(InvalidSession, match=reason):
            read_json_lines(file)


def _frames(request: HeartbeatRequest) -> tuple[bytes, int, bytes, int, Outcome]:
    frame = Client.frame(Client(None), request)[4:]  # type: ignore[arg-type]  # it sends nothing
    return frame, len(frame), b"", 0, Outcome.NOT_ANSWERED


# -- captures


def tshark() -> str:
    found = shutil.which("tshark")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("tshark not found: captures are tested in CI", pytrace=False)
        pytest.skip("tshark not found")
    return found


ODD = "tcp.analysis.flags || _ws.malformed"
"""Packets of which Wireshark says that others are missing, came twice or are not valid."""
ANSWERS = "kafka.request_frame"


def dissected(capture: Path, *fields: str, only: str = "kafka") -> list[list[str]]:
    """The fields of the packets that the display filter `only` lets through; several of a packet have commas."""
    command = [tshark(), "-n", "-r", str(capture), "-Y", only, "-T", "fields"]
    command += [part for field in fields for part in ("-e", field)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert result.returncode == 0, result.stderr
    return [line.split("\t") for line in result.stdout.splitlines()]


def test_wireshark_reads_a_capture(tmp_path: Path) -> None:
    recording = record(tmp_path, in_versions_that_wireshark_knows)
    capture = tmp_path / "session.pcapng"
    packets = recording.write_pcapng(str(capture))
    assert len(dissected(capture, "frame.number", only="tcp")) == packets
    assert dissected(capture, "frame.number", only=ODD) == []
    requests = dissected(
        capture, "kafka.request_key", "kafka.correlation_id", "kafka.client_id", only="kafka.request_key"
    )
    expected = [[str(each.api_key), str(each.correlation_id), each.client_id or "[ Null ]"] for each in recording]
    assert requests == expected
    answers = dissected(capture, "kafka.correlation_id", only=ANSWERS)
    assert answers == [[str(each.correlation_id)] for each in recording if each.response is not None]
    assert dissected(capture, "kafka.topic_name", only="kafka.request_key == 0")[0] == ["orders"]
    streams = dissected(capture, "tcp.stream", only="kafka.request_key")
    assert [int(stream) for (stream,) in streams] == [
        0 if each.connection == recording.select()[0].connection else 1 for each in recording
    ]


def test_wireshark_checks_the_sums(tmp_path: Path) -> None:
    recording = record(tmp_path, in_versions_that_wireshark_knows)
    capture = tmp_path / "session.pcapng"
    recording.write_pcapng(capture)
    command = [tshark(), "-n", "-r", str(capture), "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    command += ["-T", "fields", "-e", "tcp.checksum.status", "-e", "ip.checksum.status"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert set(result.stdout.splitlines()) == {"1\t1"}, "good"


def test_long_messages_and_addresses_of_all_kinds_are_captured(tmp_path: Path) -> None:
    origin = Origin(1, uuid_text)
    size = KEPT_BYTES_MAX + 1
    frame, answer = _frames(HeartbeatRequest(group_id="g"))[0], b"\0\0\0\1" + bytes(100_000)
    hosts = [("127.0.0.1", "127.0.0.1"), ("fe80::1%eth0", "10.0.0.1"), ("client.example", "127.0.0.1")]
    exchanges = []
    for number, (peer, local) in enumerate(hosts):
        client = Peer("PLAINTEXT", peer, 9092 if number else 65_535, local)
        exchanges.append(
            Exchange((number, 5, 9, origin, client, frame, len(frame), answer, len(answer) + 4, Outcome.ANSWERED, ""))
        )
        exchanges.append(Exchange((number + 10, 10, 20, origin, client, frame, size, b"", 0, Outcome.WAITING, "")))
    capture = tmp_path / "session.pcapng"
    write_pcapng(exchanges, capture)
    ends = dissected(capture, "ip.src", "ipv6.src", "tcp.srcport", only="tcp.flags.syn == 1 && tcp.flags.ack == 0")
    assert [source for source in ends if source[0]] == [["127.0.0.1", "", "65535"], ["127.0.0.1", "", "9093"]]
    assert [source for source in ends if source[1]] == [["", "fe80::1", "9093"]]
    assert dissected(capture, "frame.number", only="tcp.analysis.flags") == []
    assert len(dissected(capture, "frame.number", only=ANSWERS)) == len(hosts)
