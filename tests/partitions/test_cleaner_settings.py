"""What the broker's settings of the log cleaner do in a running node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.node import Node
from kafkapy_log.checkpoint_files import CLEANER_CHECKPOINT, TopicPartition, parse_offset_checkpoint
from kafkapy_wire.records import NewRecord, build_batch
from tests.shell.running_node import TOPIC, Client, connect, running_node, trio_test

HOUR_MS = 3_600_000
PATIENT = {"connections.max.idle.ms": str(1_000 * HOUR_MS), "log.cleaner.backoff.ms": str(HOUR_MS)}
KEYS = "abcdeabcde"


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await trio.lowlevel.checkpoint()


async def make_dirty(node: Node, client: Client, topic: str, *, segment_bytes: int, value: bytes) -> None:
    """A compacted topic with every key twice, that is not due yet."""
    segments = str(segment_bytes)
    await client.create_topic(topic, cleanup_policy="compact", internal_segment_bytes=segments)
    await client.alter_config(TOPIC, topic, "min.cleanable.dirty.ratio", "1")
    for key in KEYS:
        answer = await client.produce_batch(topic, build_batch([NewRecord(node.clock.now_ms(), key.encode(), value)]))
        assert answer.error_code == 0, answer


async def make_due(client: Client, topic: str) -> None:
    await client.alter_config(TOPIC, topic, "min.cleanable.dirty.ratio", "0.01")


def cleaned_to(directory: Path, topic: str) -> int:
    file = directory / CLEANER_CHECKPOINT
    return parse_offset_checkpoint(file.read_bytes()).get(TopicPartition(topic, 0), 0) if file.exists() else 0


@pytest.mark.parametrize(
    ("given", "is_done_at_once"),
    [
        ({"log.cleaner.dedupe.buffer.size": "134217728", "log.cleaner.io.buffer.load.factor": "0.9"}, True),
        ({"log.cleaner.dedupe.buffer.size": "1"}, False),
        ({"log.cleaner.io.buffer.load.factor": "0"}, False),
    ],
)
def test_keys_that_do_not_fit_are_left_for_the_next_cleaning(
    given: dict[str, str], is_done_at_once: bool, tmp_path: Path
) -> None:
    """log.cleaner.dedupe.buffer.size, of which log.cleaner.io.buffer.load.factor may be used."""

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, {**PATIENT, **given}) as node, connect(node) as client:
            await make_dirty(node, client, "table", segment_bytes=300, value=b"v" * 200)
            await make_due(client, "table")
            await until(lambda: cleaned_to(tmp_path, "table") == len(KEYS) - 1)
            assert (node.log_cleaning.statistics().cleanings == 1) is is_done_at_once

    run()


@trio_test
async def test_the_cleaner_looks_again_after_its_backoff(tmp_path: Path) -> None:
    """log.cleaner.backoff.ms"""
    async with running_node(tmp_path, PATIENT) as node, connect(node) as client:
        await client.create_topic("table", cleanup_policy="compact", internal_segment_bytes="300")
        await trio.testing.wait_all_tasks_blocked()  # it has looked: there was nothing to clean
        for key in KEYS:
            record = NewRecord(node.clock.now_ms(), key.encode(), b"v" * 200)
            answer = await client.produce_batch("table", build_batch([record]))
            assert answer.error_code == 0, answer
        node.clock.advance(HOUR_MS // 2)
        await trio.testing.wait_all_tasks_blocked()
        assert node.log_cleaning.statistics().cleanings == 0
        node.clock.advance(HOUR_MS)
        await until(lambda: node.log_cleaning.statistics().cleanings == 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_so_many_logs_are_cleaned_at_a_time_as_there_are_threads(threads: int, tmp_path: Path) -> None:
    """log.cleaner.threads; log.cleaner.io.max.bytes.per.second keeps them all at work."""

    @trio_test
    async def run() -> None:
        given = {**PATIENT, "log.cleaner.threads": str(threads), "log.cleaner.io.max.bytes.per.second": "10"}
        async with running_node(tmp_path, given) as node, connect(node) as client:
            for topic in ("one", "two"):
                await make_dirty(node, client, topic, segment_bytes=100_000, value=b"v" * 30_000)
            for topic in ("one", "two"):
                await make_due(client, topic)
            await until(lambda: len(node.log_cleaning.statistics().under_way) == threads)
            await trio.testing.wait_all_tasks_blocked()
            assert len(node.log_cleaning.statistics().under_way) == threads

    run()
