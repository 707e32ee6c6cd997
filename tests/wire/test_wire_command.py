"""`kafkapy wire` for who debugs a client."""

from __future__ import annotations

import argparse
import io
import json
import random
from typing import Any

import pytest

from kafkapy.cli import wire
from kafkapy.cli.wire_frames import RECORDS_MAX
from kafkapy_wire.api_keys import ApiKey, request_class, request_header_version, response_header_version
from kafkapy_wire.codec import encode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.fetch import FetchableTopicResponse, FetchRequest, FetchResponse, PartitionData
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader
from kafkapy_wire.records import Compression, NewRecord, build_batch
from kafkapy_wire.schema_index import SCHEMA_CLASSES


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    wire.add_arguments(parser)
    return wire.run(parser.parse_args(arguments))


HEARTBEAT = {"groupId": "g", "generationId": 3, "memberId": "m"}


@pytest.mark.parametrize("name", ["HeartbeatRequest", "messages/HeartbeatRequest"])
def test_decode_prints_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("decode", name, "--version", "0", "0001 67\n00000003 0001 6d") == 0
    assert json.loads(capsys.readouterr().out) == HEARTBEAT


def test_encode_prints_hex(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("encode", "HeartbeatRequest", "--version", "0", json.dumps(HEARTBEAT)) == 0
    assert capsys.readouterr().out == "0001670000000300016d\n"


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("000167 00000003 00016d\n"))
    assert run("decode", "HeartbeatRequest", "--version", "0", "-") == 0
    assert json.loads(capsys.readouterr().out) == HEARTBEAT


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["decode", "HartbeatRequest", "--version", "0", "00"], "did you mean HeartbeatRequest?"),
        (["decode", "HeartbeatRequest", "--version", "0", "0001"], "claims 1 bytes where there are 0"),
        (["decode", "HeartbeatRequest", "--version", "9", "00"], "has versions 0-4, not 9"),
        (["decode", "HeartbeatRequest", "--version", "0", "0x"], "not hexadecimal: 'x' at position 1"),
        (["decode", "HeartbeatRequest", "--version", "0", "00 0"], "a byte is two digits without a space between them"),
        (["decode", "HeartbeatRequest", "--version", "0"], "give MESSAGE, --version N and "),
        (["decode"], "give MESSAGE, --version N and "),
        (["encode", "HeartbeatRequest", "--version", "0", "{"], "not JSON"),
        (["encode", "HeartbeatRequest", "--version", "0", "{}"], "HeartbeatRequest.groupId is missing"),
        (["encode", "HeartbeatRequest", "--version", "0", "[" * 100_000], "not JSON"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_1(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert reason in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "line 2: not an object"),
        ('{"version": 0, "hex": ""}', '"schema" is missing'),
        ('{"schema": "HeartbeatRequest", "hex": ""}', '"version" is missing'),
        ('{"schema": "HeartbeatRequest", "version": true, "hex": ""}', '"version" is missing'),
        ('{"schema": "HeartbeatRequest", "version": 0, "json": {}}', '"hex" is missing'),
    ],
)
def test_a_bad_line_is_numbered(
    line: str, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"\n{line}\n"))
    assert run("decode", "--jsonl") == 1
    captured = capsys.readouterr()
    assert "line 2" in captured.err
    assert reason in captured.err


def frame(request: Message, version: int, *, key: ApiKey) -> bytes:
    header = RequestHeader(request_api_key=key, request_api_version=version, correlation_id=7, client_id="app")
    return encode(header, request_header_version(key, version)) + encode(request, version)


def answered(response: Message, version: int, *, key: ApiKey) -> bytes:
    return encode(ResponseHeader(correlation_id=7), response_header_version(key, version)) + encode(response, version)


def sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def test_a_request_is_found_out_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    data = frame(HeartbeatRequest(group_id="g", generation_id=3, member_id="m"), 4, key=ApiKey.HEARTBEAT)
    for given in (data.hex(), sized(data).hex(" "), sized(data).hex(":"), data.hex().upper()):
        assert run("decode", "--frame", given) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["message"], document["version"]) == ("HeartbeatRequest", 4)
        assert document["header"]["clientId"] == "app"
        assert document["body"] == {**HEARTBEAT, "groupInstanceId": None}
        assert "bytesThatFollow" not in document


def test_every_api_and_version_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    for key in ApiKey:
        for version in request_class(key).__schema__.valid_versions:
            try:
                data = frame(request_class(key)(), version, key=key)
            except ValueError:  # a request of this version must have something set
                continue
            assert run("decode", "--frame", data.hex()) == 0, (key, version)
            document = json.loads(capsys.readouterr().out)
            assert (document["message"], document["version"]) == (request_class(key).__name__, version)


def test_several_frames_as_they_stand_in_a_stream(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = sized(frame(HeartbeatRequest(), 0, key=ApiKey.HEARTBEAT)) + sized(frame(FetchRequest(), 4, key=ApiKey.FETCH))
    monkeypatch.setattr("sys.stdin", io.StringIO(data.hex() + "\n"))
    assert run("decode", "--frame", "-") == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith('  "message"')] == [
        '  "message": "HeartbeatRequest",',
        '  "message": "FetchRequest",',
    ]


def test_what_follows_a_request_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    data = frame(HeartbeatRequest(), 0, key=ApiKey.HEARTBEAT) + b"\1\2\3"
    assert run("decode", "--frame", data.hex()) == 0
    assert json.loads(capsys.readouterr().out)["bytesThatFollow"] == "010203"


BATCH = build_batch(
    [NewRecord(5, b"k", b"v", [("h", b"1")]), NewRecord(6, None, b"\xff")], compression=Compression.ZSTD, base_offset=7
)


def assert_is_the_batch(document: dict[str, Any]) -> None:
    assert (document["baseOffset"], document["count"], document["compresscodec"]) == (7, 2, "zstd")
    assert document["isvalid"] is True
    first, second = document["records"]
    assert (first["key"], first["payload"], first["headers"]) == ("k", "v", [["h", "1"]])
    assert (second["offset"], second["key"], second["payload"]) == (8, None, {"base64": "/w=="})


def test_record_batches_are_read_in_requests_and_responses(capsys: pytest.CaptureFixture[str]) -> None:
    produced = TopicProduceData(name="t", partition_data=[PartitionProduceData(index=0, records=BATCH)])
    data = frame(ProduceRequest(acks=1, timeout_ms=1, topic_data=[produced]), 9, key=ApiKey.PRODUCE)
    assert run("decode", "--frame", data.hex()) == 0
    (partition,) = json.loads(capsys.readouterr().out)["body"]["topicData"][0]["partitionData"]
    assert_is_the_batch(partition["records"][0])

    fetched = FetchableTopicResponse(topic="t", partitions=[PartitionData(records=BATCH + BATCH[:50])])
    response = answered(FetchResponse(responses=[fetched]), 12, key=ApiKey.FETCH)
    for api in ("Fetch:12", "1:12", "FETCH:12", "fetch:12"):
        assert run("decode", "--frame", "--response-to", api, sized(response).hex()) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["message"], document["header"]) == ("FetchResponse", {"correlationId": 7})
        whole, cut = document["body"]["responses"][0]["partitions"][0]["records"]
        assert_is_the_batch(whole)
        assert "50 bytes are left" in cut["problem"]

    assert run("decode", "--records", BATCH.hex()) == 0
    assert_is_the_batch(json.loads(capsys.readouterr().out))


def test_two_kilobytes_of_millions_of_records_are_shown_in_part(capsys: pytest.CaptureFixture[str]) -> None:
    records = build_batch([NewRecord(0, None, None)] * (RECORDS_MAX + 5), compression=Compression.ZSTD)
    assert run("decode", "--records", records.hex()) == 0
    shown = json.loads(capsys.readouterr().out)["records"]
    assert len(shown) == RECORDS_MAX + 1
    assert shown[-1] == {"problem": f"only {RECORDS_MAX} of {RECORDS_MAX + 5} records are shown"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--frame", "00"], "1 bytes are not a request"),
        (["--frame", "ffff 0000 00000001 ffff"], "there is no API key -1"),
        (["--frame", "0000 0063 00000001 ffff"], "Produce has versions"),
        (
            ["--frame", "00000040 000c 0004 00000001 ffff"],
            "are the length, 54 bytes are missing",
        ),
        (["--frame", "000c 0004 00000001 0001"], "HeartbeatRequest v4: "),
        (["--frame", "--response-to", "Fetch", "00000001"], "'Fetch' is not API:VERSION, such as Fetch:12"),
        (["--frame", "--response-to", "Fecth:12", "00000001"], "there is no API 'Fecth' (did you mean 'Fetch'?)"),
        (["--frame", "--response-to", "Fetch:99", "00000001"], "Fetch has versions"),
        (["--frame", "--response-to", "9999:1", "00000001"], "there is no API key 9999"),
        (["--response-to", "Fetch:12", "00"], "--response-to is for --frame"),
        (["--frame", "HeartbeatRequest", "00"], "no MESSAGE: it is found in the bytes"),
        (["--frame", "--version", "3", "00"], "--version and --jsonl are for a MESSAGE"),
        (["--frame"], "one HEX is needed"),
        (["--frame", "0g"], "not hexadecimal: 'g' at position 1"),
    ],
)
def test_a_frame_that_is_none_gets_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("decode", *arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert reason in captured.err
    assert captured.err.count("\n") == 1


def test_any_bytes_are_no_reason_for_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    seeded = random.Random(20_261_128)
    whole = frame(
        ProduceRequest(
            topic_data=[TopicProduceData(name="t", partition_data=[PartitionProduceData(index=0, records=BATCH)])]
        ),
        9,
        key=ApiKey.PRODUCE,
    )
    for _ in range(100):
        data = bytearray(whole)
        data[seeded.randrange(len(data))] = seeded.randrange(256)
        cut = bytes(data[: seeded.randrange(len(data) + 1)] if seeded.random() < 0.5 else data)
        for options in (["--frame"], ["--records"], ["--frame", "--response-to", "Produce:9"]):
            assert run("decode", *options, cut.hex()) in (0, 1)
    capsys.readouterr()


def test_messages_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "heartbeatre") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["MESSAGE", "KEY", "VERSIONS", "FLEXIBLE"]
    assert "messages/HeartbeatRequest" in [line.split()[0] for line in lines]
    row = next(line for line in lines if line.startswith("messages/HeartbeatRequest"))
    assert row.split()[1:] == ["12", "0-4", "4+"]
    assert run("list") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SCHEMA_CLASSES) + 1
    assert run("list", "nonsense") == 1
    assert capsys.readouterr().err == "kafkapy wire list: there is no message with 'nonsense' in its name\n"
