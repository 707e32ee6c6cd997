"""A node in this process whose disk refuses: what clients and the user are told, and when it ends."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from kafkapy.clock import ManualClock
from kafkapy.errors import ShutdownError
from kafkapy.partitions.disk_watch import TOLD_AGAIN_MS, DiskWatch
from kafkapy_log import StorageError
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from kafkapy_wire.messages.fetch import FetchResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from tests.shell.running_node import Client, batch, connect, fetch_request, running_node, trio_test

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BROKEN = OSError(errno.EIO, os.strerror(errno.EIO))


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, error: OSError, *names: str) -> Iterator[None]:
    """The system calls of these names raise `error`."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    with monkeypatch.context() as patch:
        for name in names:
            patch.setattr(os, name, fail)
        yield


async def create_topic(client: Client, name: str) -> int:
    topic = CreatableTopic(name=name, num_partitions=1, replication_factor=1)
    response = await client.ask(CreateTopicsRequest(topics=[topic]), CreateTopicsResponse)
    return response.topics[0].error_code


@trio_test
async def test_a_full_disk_is_told_once_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        for topic in ("orders", "others"):
            await client.create_topic(topic)
            await client.produce(topic, b"before")
        with failing(monkeypatch, FULL, "pwrite", "pwritev"):
            for _ in range(3):
                for topic in ("orders", "others"):
                    answer = await client.produce_batch(topic, batch([b"refused"]))
                    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert await client.values("orders") == [b"before"]
        (full,) = caplog.messages
        assert full == (
            "orders-0 cannot be written (No space left on device): make room on the disk. Until then requests that "
            "write get an error; reading goes on"
        )
        await client.produce("orders", b"after")
        assert len(caplog.messages) == 1
        await client.produce("others", b"after")
        assert caplog.messages[1:] == [f"the disk under {tmp_path} takes writes again"]
        assert await client.values("others") == [b"before", b"after"]


@trio_test
async def test_nothing_waits_for_the_disk_when_the_refused_topic_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        for topic in ("orders", "others"):
            await client.create_topic(topic)
        await client.produce("orders", b"before")
        with failing(monkeypatch, FULL, "pwrite", "pwritev"):
            for topic in ("orders", "others"):
                assert (await client.produce_batch(topic, batch([b"refused"]))).error_code != ErrorCode.NONE
        assert node.disk.refusing == {"orders-0", "others-0"}
        for topic in ("orders", "others"):
            await client.ask(DeleteTopicsRequest(topic_names=[topic], timeout_ms=10_000), DeleteTopicsResponse, 5)
        assert not node.disk.refusing
        assert caplog.messages[1:] == [
            f"topics whose writes the disk under {tmp_path} refused were deleted: none is refused now"
        ]


@trio_test
async def test_what_needs_metadata_comes_again_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        with failing(monkeypatch, FULL, "pwrite", "pwritev"):
            for _ in range(2):
                assert await create_topic(client, "orders") == ErrorCode.KAFKA_STORAGE_ERROR
                ids = await client.ask(InitProducerIdRequest(transactional_id=None), InitProducerIdResponse)
                assert ids.error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
                found = await client.ask(FindCoordinatorRequest(key="g"), FindCoordinatorResponse, 3)
                assert found.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
                join = JoinGroupRequest(group_id="g", session_timeout_ms=10_000, protocol_type="consumer")
                joined = await client.ask(join, JoinGroupResponse)
                assert joined.error_code == ErrorCode.NOT_COORDINATOR
        assert await create_topic(client, "orders") == ErrorCode.NONE
        assert (await client.ask(FindCoordinatorRequest(key="g"), FindCoordinatorResponse, 3)).error_code == 0
        ids = await client.ask(InitProducerIdRequest(transactional_id=None), InitProducerIdResponse)
        assert ids.error_code == ErrorCode.NONE


@trio_test
async def test_a_commit_on_a_full_disk_did_not_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def commit(offset: int) -> int:
        partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
        topic = OffsetCommitRequestTopic(name="orders", partitions=[partition])
        response = await client.ask(OffsetCommitRequest(group_id="g", topics=[topic]), OffsetCommitResponse, 9)
        return response.topics[0].partitions[0].error_code

    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.find_coordinator("g")
        assert await commit(3) == ErrorCode.NONE
        with failing(monkeypatch, FULL, "pwrite", "pwritev"):
            assert await commit(5) == ErrorCode.NOT_COORDINATOR  # as Apache Kafka maps KAFKA_STORAGE_ERROR
        wanted = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)])
        fetched = await client.ask(wanted, OffsetFetchResponse, 9)
        assert fetched.groups[0].topics[0].partitions[0].committed_offset == 3


@pytest.mark.parametrize(
    "act",
    [
        lambda client: client.produce_batch("orders", batch([b"refused"])),
        lambda client: create_topic(client, "more"),
    ],
    ids=["a partition's log", "the metadata log"],
)
def test_a_broken_disk_ends_the_node(
    act: Callable[[Client], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In good order: the request that met it has its answer, the logs are closed, and one line says why."""
    answers: list[object] = []

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders")
            await client.produce("orders", b"before")
            with failing(monkeypatch, BROKEN, "pwrite", "pwritev"):
                answers.append(await act(client))
            await trio.sleep_forever()

    with pytest.raises(ShutdownError) as stopped:
        run()
    assert str(stopped.value).startswith(f"stopped, since the disk under {tmp_path} has failed (")
    assert "Input/output error" in str(stopped.value)
    assert "dmesg" in str(stopped.value)
    (answer,) = answers
    assert getattr(answer, "error_code", answer) == ErrorCode.KAFKA_STORAGE_ERROR
    assert not (tmp_path / ".kafka_cleanshutdown").exists()

    @trio_test
    async def run_again() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            assert await client.values("orders") == [b"before"]
            await client.produce("orders", b"after")

    run_again()


@trio_test
async def test_records_that_cannot_be_read_end_the_connection_with_a_word_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path) as node, connect(node) as client, connect(node) as other:
        await client.create_topic("orders")
        await client.produce("orders", b"a" * 50_000)
        with failing(monkeypatch, BROKEN, "sendfile"):
            await client.send(fetch_request({"orders": {0: 0}}), 12)
            assert await client.closed_by_broker()
        assert "a segment file cannot be read: [Errno 5] Input/output error" in caplog.text
        assert (await other.ask(fetch_request({"orders": {0: 0}}), FetchResponse, 12)).error_code == ErrorCode.NONE


@trio_test
async def test_a_few_records_that_cannot_be_read_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"a")
        with failing(monkeypatch, BROKEN, "pread"):
            for _ in range(3):
                assert (await client.fetch("orders")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        (line,) = caplog.messages
        assert line.startswith("cannot read orders-0: [Errno 5] Input/output error: see what the system's log")
        assert await client.values("orders") == [b"a"]


@pytest.fixture
def watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> DiskWatch:
    caplog.set_level(logging.INFO)
    return DiskWatch(tmp_path, ManualClock())


def test_trouble_that_goes_on_is_told_again_after_a_while(watch: DiskWatch, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(100):
        watch.refused("orders-0", StorageError("orders-0", FULL))
        watch.put_off("write_checkpoints", FULL)
    assert len(caplog.messages) == 2
    watch._clock.advance(TOLD_AGAIN_MS)
    watch.refused("orders-0", StorageError("orders-0", FULL))
    assert len(caplog.messages) == 3
    assert not watch.failed.is_set()


def test_a_disk_that_fills_and_empties_again_and_again_is_no_flood(
    watch: DiskWatch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        watch.refused("orders-0", StorageError("orders-0", FULL))
        watch.accepted("orders-0")
    assert len(caplog.messages) == 2
