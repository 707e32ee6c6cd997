"""Recorded requests by HTTP and from a shell as files: a session that can be sent again, a capture for Wireshark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kafkapy.cli import main
from kafkapy.recording.session import read_json_lines
from kafkapy.testing import Kafka

SECTION_HEADER = b"\x0a\x0d\x0d\x0a"


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with Kafka(control=True) as kafka:
        server = ("-b", kafka.bootstrap_servers)
        assert main(["topics", "create", "orders", *server]) == 0
        assert main(["produce", "orders", "1 tea", *server]) == 0
        yield kafka
        assert kafka.take_bugs() == []


def answered(kafka: Kafka, path: str, accept: str) -> tuple[int, str, bytes]:
    """Status, type and body."""
    connection = HTTPConnection(urlsplit(kafka.control_url).netloc, timeout=30)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def test_who_accepts_a_file_gets_one(kafka: Kafka, tmp_path: Path) -> None:
    status, kind, lines = answered(kafka, "/v1/recorded?api=Produce", "text/html, application/jsonl;q=0.9")
    assert (status, kind) == (200, "application/jsonl")
    (tmp_path / "session.jsonl").write_bytes(lines)
    [exchange] = read_json_lines(tmp_path / "session.jsonl")
    assert (exchange.api, *exchange.topics) == ("Produce", "orders")
    status, kind, capture = answered(kafka, "/v1/recorded", "application/x-pcapng")
    assert (status, kind) == (200, "application/x-pcapng")
    assert kafka.recorded().write_pcapng(tmp_path / "same.pcapng")
    assert capture == (tmp_path / "same.pcapng").read_bytes()
    assert capture.startswith(SECTION_HEADER)
    for accept in ("application/json", "*/*", "image/png"):
        status, kind, body = answered(kafka, "/v1/recorded?api=Produce", accept)
        assert (status, kind, len(json.loads(body)["exchanges"])) == (200, "application/json", 1)
    status, kind, body = answered(kafka, "/v1/recorded?api=Produse", "application/jsonl")
    assert (status, kind, json.loads(body)["error"]["nearest"]) == (400, "application/json", "Produce")


def test_files_are_written_from_a_shell(
    kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKAPY_CONTROL", kafka.control_url)
    session, capture = tmp_path / "session.jsonl", tmp_path / "requests.pcapng"
    assert main(["control", "recorded", str(session), "api=Produce"]) == 0
    assert [exchange.api for exchange in read_json_lines(session)] == ["Produce"]
    assert main(["control", "recorded", str(capture)]) == 0
    assert capture.read_bytes().startswith(SECTION_HEADER)
    assert main(["replay", str(session), "-b", kafka.bootstrap_servers]) == 0
    capsys.readouterr()

    def refused(*words: str) -> str:
        assert main(["control", "recorded", *words]) in (1, 2)
        output, errors = capsys.readouterr()
        assert (output, errors.count("\n")) == ("", 1)
        return errors

    assert "ends in none of .jsonl, .ndjson, .pcapng, so its format is not known" in refused(str(tmp_path / "a.txt"))
    assert "Produse" in refused(str(tmp_path / "b.jsonl"), "api=Produse")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["requests.pcapng", "session.jsonl"]
