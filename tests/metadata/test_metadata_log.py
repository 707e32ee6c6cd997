"""The metadata log's high watermark: never falls, never passes the log's end, and every answer lies below it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import trio

from kafkapy_controller import MetadataImage
from kafkapy_log import Flush
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_topics import CreateTopicsRequest
from tests.apis.topic_lab import Lab, lab, topic


async def create(node: Lab, name: str) -> int:
    """Returns where the log ended before the decision, which the answer lies above."""
    end_offset = node.metadata_log.end_offset
    response = await node.controller.create_topics(CreateTopicsRequest(topics=[topic(name)]))
    assert response.topics[0].error_code == ErrorCode.NONE
    assert name in node.image.topics
    return end_offset


@pytest.mark.parametrize("fsync", [False, True])
def test_the_high_watermark_rises_to_the_end_and_never_beyond(tmp_path: Path, fsync: bool) -> None:
    with lab(tmp_path, fsync=fsync) as node:
        log = node.metadata_log
        marks: list[int] = [log.high_watermark]
        assert marks == [log.end_offset], "a start ends with everything committed"

        def look(image: MetadataImage, _delta: object) -> None:
            # Published before the answers that the high watermark releases.
            assert log.high_watermark <= image.offset < log.end_offset
            marks.append(log.high_watermark)

        node.metadata.subscribe(look)

        async def create_and_look(name: str) -> None:
            begun = await create(node, name)
            assert begun < log.high_watermark <= log.end_offset
            marks.append(log.high_watermark)

        async def all_at_once() -> None:
            async with trio.open_nursery() as nursery:
                for index in range(30):
                    nursery.start_soon(create_and_look, f"t{index}")

        node.run(all_at_once())
        assert marks == sorted(marks)
        assert log.high_watermark == log.end_offset == log.log.log_end_offset == node.image.offset + 1


def test_after_a_flush_that_had_no_room_the_next_one_commits_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab(tmp_path, fsync=True) as node:
        before, end_offset = node.image, node.metadata_log.end_offset

        def refuse(_: Flush, **_options: bool) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(Flush, "sync", refuse)
            with pytest.raises(KafkaError) as raised:
                node.run(create(node, "a"))
        assert raised.value.code == ErrorCode.KAFKA_STORAGE_ERROR
        assert node.image is before
        assert node.metadata_log.high_watermark == end_offset
        node.run(create(node, "b"))
        assert set(node.image.topics) == {"a", "b"}
        assert node.metadata_log.high_watermark == node.metadata_log.end_offset


def test_a_refusal_that_rests_on_what_is_not_committed_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topic that "already exists" does so only once its records are on the disk."""
    with lab(tmp_path, fsync=True) as node:
        published: list[bool] = []
        sync = Flush.sync

        def noted(flush: Flush, **options: bool) -> None:
            published.append("a" in node.image.topics)
            sync(flush, **options)

        monkeypatch.setattr(Flush, "sync", noted)

        async def again() -> None:
            response = await node.controller.create_topics(CreateTopicsRequest(topics=[topic("a")]))
            assert response.topics[0].error_code == ErrorCode.TOPIC_ALREADY_EXISTS
            assert "a" in node.image.topics

        async def both() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(create, node, "a")
                await trio.lowlevel.checkpoint()
                nursery.start_soon(again)

        node.run(both())
        assert published[0] is False


def test_without_its_task_the_log_syncs_at_once(tmp_path: Path) -> None:
    """As at a node's start, when nobody else is served."""
    with lab(tmp_path, fsync=True) as node:
        answer = node.controller.allocate_producer_ids()
        assert answer.settled
        assert answer.result().length == 1_000
        assert node.metadata_log.log.recovery_point == node.metadata_log.end_offset
