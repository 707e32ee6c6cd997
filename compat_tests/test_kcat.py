"""kcat: codecs, headers, tombstones, large messages, groups, seeking, metadata."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat_tests.broker import Broker
from compat_tests.deadlines import PATIENCE_SECONDS, eventually

MESSAGE_BYTES_MAX = 1_048_588  # max.message.bytes by default: a whole batch, its header included


@pytest.fixture
def run(kcat: str, broker: Broker) -> Callable[..., str]:
    """Run kcat against the broker: its standard output."""

    def kcat_run(*arguments: str, stdin: str = "", exit_code: int = 0) -> str:
        result = subprocess.run(
            [kcat, "-b", broker.bootstrap, *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_SECONDS,
        )
        assert result.returncode == exit_code, f"{arguments}: {result.returncode}\n{result.stderr}"
        return result.stdout if exit_code == 0 else result.stderr

    return kcat_run


@pytest.fixture
def read(run: Callable[..., str]) -> Callable[..., list[dict[str, Any]]]:
    """What a topic holds, from `-o START` on."""

    def kcat_read(topic: str, start: str = "beginning", *arguments: str) -> list[dict[str, Any]]:
        printed = run("-C", "-t", topic, "-o", start, "-e", "-J", *arguments)
        return [json.loads(line) for line in printed.splitlines()]

    return kcat_read


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_carries_keys_headers_and_tombstones(
    codec: str, run: Callable[..., str], read: Callable[..., list[dict[str, Any]]], new_name: Callable[..., str]
) -> None:
    topic = new_name()
    values = ["Grüße, 世界 🦊", "", *(f"{n} " * 100 for n in range(500))]
    lines = "".join(f"clé {n}|{value}\n" for n, value in enumerate(values))
    run("-P", "-t", topic, "-K", "|", "-Z", "-z", codec, "-H", "träce=é", "-H", "empty=", stdin=lines)
    records = read(topic, "beginning", "-X", "check.crcs=true")
    # -Z: an empty value is none.
    assert [record["payload"] for record in records] == [value or None for value in values]
    assert [record["key"] for record in records] == [f"clé {n}" for n in range(len(values))]
    assert {tuple(record["headers"]) for record in records} == {("träce", "é", "empty", "")}
    assert [record["offset"] for record in records] == list(range(len(values)))


def test_a_message_may_be_as_large_as_the_topic_allows_and_no_larger(
    run: Callable[..., str], read: Callable[..., list[dict[str, Any]]], new_name: Callable[..., str], tmp_path: Path
) -> None:
    topic = new_name()
    file = tmp_path / "large"
    for size, exit_code in ((MESSAGE_BYTES_MAX - 100, 0), (MESSAGE_BYTES_MAX, 1)):
        file.write_text("x" * size)
        printed = run("-P", "-t", topic, "-X", "message.max.bytes=10000000", str(file), exit_code=exit_code)
        assert exit_code == 0 or "Message size too large" in printed
    assert [len(record["payload"]) for record in read(topic)] == [MESSAGE_BYTES_MAX - 100]


def test_reading_starts_from_an_offset_the_end_or_a_time(
    run: Callable[..., str], read: Callable[..., list[dict[str, Any]]], new_name: Callable[..., str]
) -> None:
    topic = new_name()
    run("-P", "-t", topic, stdin="".join(f"early {n}\n" for n in range(5)))
    last_ms = read(topic)[-1]["ts"]
    # Timestamps are kcat's clock: the next record has to get a later one.
    eventually(lambda: time.time_ns() // 1_000_000 > last_ms, "the next millisecond")
    run("-P", "-t", topic, stdin="".join(f"late {n}\n" for n in range(5)))

    def values(start: str, *arguments: str) -> list[str]:
        return [record["payload"] for record in read(topic, start, *arguments)]

    late = [f"late {n}" for n in range(5)]
    assert values(f"s@{last_ms + 1}") == late
    assert values("7") == late[2:]
    assert values("-2") == late[3:]
    assert values("beginning", "-c", "1") == ["early 0"]
    assert run("-Q", "-t", f"{topic}:0:{last_ms + 1}").strip() == f"{topic} [0] offset 5"
    assert run("-Q", "-t", f"{topic}:0:-1").strip() == f"{topic} [0] offset 10"


def test_a_group_resumes_where_it_committed(
    run: Callable[..., str], broker: Broker, new_name: Callable[..., str]
) -> None:
    topic, group = new_name(), new_name("group")
    run("-P", "-t", topic, stdin="".join(f"{n}\n" for n in range(10)))
    as_member = ("-X", "auto.offset.reset=earliest", "-G", group, topic)
    assert run("-c", "4", *as_member).split() == ["0", "1", "2", "3"]
    assert run("-e", *as_member).split() == [str(n) for n in range(4, 10)]


def test_metadata_names_the_broker_and_the_topics(
    run: Callable[..., str], broker: Broker, new_name: Callable[..., str]
) -> None:
    topic = new_name()
    run("-P", "-t", topic, stdin="one\n")
    metadata = json.loads(run("-L", "-J"))
    (node,) = metadata["brokers"]
    assert node["name"].endswith(f":{broker.port}")
    assert metadata["controllerid"] == node["id"]
    (listed,) = [listed for listed in metadata["topics"] if listed["topic"] == topic]
    replica = [{"id": node["id"]}]
    assert listed["partitions"] == [{"partition": 0, "leader": node["id"], "replicas": replica, "isrs": replica}]
