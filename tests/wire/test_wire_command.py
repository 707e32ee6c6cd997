"""`kafkapy wire` for who debugs a client."""

from __future__ import annotations

import argparse
import io
import json

import pytest

from kafkapy.cli import wire


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
        (["decode", "HeartbeatRequest", "--version", "0"], "are needed"),
        (["decode"], "are needed"),
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
