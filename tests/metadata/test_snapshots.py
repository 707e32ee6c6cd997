"""The files of snapshots: what a start finds and clears, parts of downloads, and what is believed of a file's bytes."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from kafkapy.metadata import snapshot_content
from kafkapy.metadata.snapshot_content import read_snapshot_content
from kafkapy.metadata.snapshots import SnapshotFiles
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.image_records import image_records
from kafkapy_controller.metadata_batches import SnapshotId, snapshot_batches
from kafkapy_controller.metadata_version import LATEST_METADATA_VERSION
from kafkapy_controller.raft.core import SnapshotPart
from kafkapy_controller.raft.messages import FetchSnapshot, FetchSnapshotResult
from kafkapy_controller.snapshot_policy import StoredSnapshot
from kafkapy_controller.voters import QuorumMembership, ReplicaKey, Voter, VoterEndpoint
from kafkapy_log import StorageError
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import Uuid
from tests.controller.histories import History

SNAPSHOT = SnapshotId(1_000, 3)
STATIC = QuorumMembership(0, (Voter(1, Uuid(bytes(16)), ()),))
IN_LOG = QuorumMembership(1, (Voter(7, Uuid(b"d" * 16), (VoterEndpoint("CONTROLLER", "localhost", 9093),)),))


def files(directory: Path, *, fsync: bool = False) -> SnapshotFiles:
    found = SnapshotFiles(directory, fsync=fsync)
    found.load()
    return found


def image_of(seed: int) -> MetadataImage:
    return History(Random(seed), LATEST_METADATA_VERSION).go_on(60)._replace(offset=999, epoch=3)


def content_of(image: MetadataImage, membership: QuorumMembership | None = None) -> bytes:
    return b"".join(snapshot_batches(image_records(image), membership, 33, now_ms=9, last_contained_ms=8, epoch=3))


def parts(data: bytes, size: int) -> list[SnapshotPart]:
    return [SnapshotPart(SNAPSHOT, at, data[at : at + size], len(data)) for at in range(0, len(data), size)]


# What is there


def test_a_start_finds_whole_snapshots_and_deletes_what_was_not_finished(tmp_path: Path) -> None:
    whole = [SnapshotId(0, 0), SnapshotId(20, 2), SnapshotId(20, 3), SnapshotId(100, 2)]
    kept = ["00000000000000000000.log", "quorum-state", "x.checkpoint.part", "00000000000000000000.checkpoint.part"]
    for name in [*kept, *(snapshot.file_name for snapshot in whole)]:
        (tmp_path / name).touch()
    for left in ("", "-8412345678901234567"):  # Apache Kafka's temporary names have a number
        (tmp_path / f"{SNAPSHOT.file_name.removesuffix('.checkpoint')}{left}.checkpoint.part").touch()
    (tmp_path / f"{SNAPSHOT.file_name}.deleted").touch()
    found = files(tmp_path)
    assert list(found.known) == whole
    assert found.newest == SnapshotId(100, 2)
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, *(snapshot.file_name for snapshot in whole)])


def test_older_snapshots_are_forgotten_and_their_files_named(tmp_path: Path) -> None:
    for offset in (0, 10, 20):
        (tmp_path / SnapshotId(offset, 1).file_name).touch()
    found = files(tmp_path)
    assert found.forget_before(SnapshotId(20, 1)) == [tmp_path / SnapshotId(offset, 1).file_name for offset in (0, 10)]
    assert list(found.known) == [SnapshotId(20, 1)]
    assert found.forget_before(SnapshotId(20, 1)) == []


# Writing


@pytest.mark.parametrize("fsync", [False, True])
def test_a_snapshot_has_its_name_when_it_is_whole(tmp_path: Path, fsync: bool) -> None:
    found = files(tmp_path, fsync=fsync)
    writer = found.writer(SNAPSHOT)
    writer.write(b"one")
    writer.write(b"two")
    assert os.listdir(tmp_path) == [f"{SNAPSHOT.file_name}.part"]
    writer.finish()
    assert os.listdir(tmp_path) == [SNAPSHOT.file_name]
    assert found.path(SNAPSHOT).read_bytes() == b"onetwo"
    found.add(SNAPSHOT)
    found.add(SNAPSHOT)
    assert list(found.known) == [SNAPSHOT]


def test_a_snapshot_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    found = files(tmp_path)
    writer = found.writer(SNAPSHOT)
    writer.write(b"one")
    writer.abandon()
    writer.abandon()
    assert os.listdir(tmp_path) == []


# Downloading


def test_parts_become_the_file(tmp_path: Path) -> None:
    found = files(tmp_path, fsync=True)
    data = bytes(range(250)) * 4
    for part in parts(data, 300):
        found.store_part(part)
    assert found.part_path(SNAPSHOT).read_bytes() == data
    found.finish(SNAPSHOT)
    assert found.path(SNAPSHOT).read_bytes() == data


def test_a_download_that_begins_again_does_not_keep_old_bytes(tmp_path: Path) -> None:
    found = files(tmp_path)
    found.store_part(SnapshotPart(SNAPSHOT, 0, b"a" * 100, 200))
    found.store_part(SnapshotPart(SNAPSHOT, 0, b"b" * 10, 20))
    found.store_part(SnapshotPart(SNAPSHOT, 10, b"c" * 10, 20))
    assert found.part_path(SNAPSHOT).read_bytes() == b"b" * 10 + b"c" * 10


@pytest.mark.parametrize("position", [1, 99, 101, 10**6])
def test_a_part_that_does_not_go_on_where_the_file_ends_is_refused(tmp_path: Path, position: int) -> None:
    found = files(tmp_path)
    found.store_part(SnapshotPart(SNAPSHOT, 0, b"a" * 100, 2 * 10**6))
    with pytest.raises(StorageError, match=rf"it has 100 bytes, and the next part begins at {position}"):
        found.store_part(SnapshotPart(SNAPSHOT, position, b"b", 2 * 10**6))
    assert os.listdir(tmp_path) == []


def test_a_snapshot_that_does_not_fit_on_the_disk_is_refused_before_it_fills_it(tmp_path: Path) -> None:
    found = files(tmp_path)
    with pytest.raises(StorageError, match=r"the leader's snapshot takes another \d+ bytes") as refused:
        found.store_part(SnapshotPart(SNAPSHOT, 0, b"a", 1 << 60))
    assert refused.value.passes
    assert refused.value.what_to_do == "make room on the disk"
    assert os.listdir(tmp_path) == []


# Serving


def asked(position: int, snapshot: SnapshotId = SNAPSHOT, max_bytes: int = 1 << 20) -> FetchSnapshot:
    return FetchSnapshot(ReplicaKey(2, Uuid(bytes(16))), 5, snapshot, position, max_bytes)


def test_parts_are_served_by_position(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5_000
    (tmp_path / SNAPSHOT.file_name).write_bytes(data)
    found = files(tmp_path)
    result = FetchSnapshotResult(ErrorCode.NONE, 1, 5)
    served = b""
    while len(served) < len(data):
        part = found.part_for(asked(len(served)), result)
        assert (part.error, part.size, part.position) == (ErrorCode.NONE, len(data), len(served))
        assert 0 < len(part.data) <= 1 << 20
        served += part.data
    assert served == data
    assert found.part_for(asked(7, max_bytes=3), result).data == data[7:10]
    assert found.part_for(asked(0, max_bytes=2**31 - 1), result).data == data[: 1 << 20]
    assert found.part_for(asked(0, max_bytes=-5), result).data == b""


@pytest.mark.parametrize("position", [-1, -(2**63), 10, 11, 2**63 - 1])
def test_a_position_outside_the_file_is_out_of_range(tmp_path: Path, position: int) -> None:
    (tmp_path / SNAPSHOT.file_name).write_bytes(b"0123456789")
    answer = files(tmp_path).part_for(asked(position), FetchSnapshotResult(ErrorCode.NONE, 1, 5))
    assert (answer.error, answer.data) == (ErrorCode.POSITION_OUT_OF_RANGE, b"")


def test_an_unknown_snapshot_is_not_found(tmp_path: Path) -> None:
    result = FetchSnapshotResult(ErrorCode.NONE, 1, 5)
    (tmp_path / SNAPSHOT.file_name).write_bytes(b"0123456789")
    found = files(tmp_path)
    assert found.part_for(asked(0, SnapshotId(999, 3)), result).error is ErrorCode.SNAPSHOT_NOT_FOUND
    assert found.part_for(asked(0, SnapshotId(-1, -1)), result).error is ErrorCode.SNAPSHOT_NOT_FOUND
    (tmp_path / SNAPSHOT.file_name).unlink()
    assert found.part_for(asked(0), result).error is ErrorCode.SNAPSHOT_NOT_FOUND


def test_size_and_time_are_read_from_the_head_of_the_file(tmp_path: Path) -> None:
    data = content_of(image_of(1), IN_LOG)
    (tmp_path / SNAPSHOT.file_name).write_bytes(data)
    assert files(tmp_path).look_at(SNAPSHOT) == StoredSnapshot(SNAPSHOT, len(data), 8)
    for damaged in (b"", data[:20], b"garbage" * 100):
        (tmp_path / SNAPSHOT.file_name).write_bytes(damaged)
        with pytest.raises(StorageError):
            files(tmp_path).look_at(SNAPSHOT)


# Reading


@pytest.mark.parametrize("read_bytes", [1 << 20, 1_000, 100])
@pytest.mark.parametrize("membership", [None, IN_LOG])
def test_a_file_gives_the_image_and_who_votes(
    tmp_path: Path, membership: QuorumMembership | None, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_content, "READ_BYTES", read_bytes)
    file = tmp_path / SNAPSHOT.file_name
    image = image_of(1)
    file.write_bytes(content_of(image, membership))
    content = read_snapshot_content(file, SNAPSHOT, STATIC)
    assert content.image == image._replace(kraft_version=1 if membership else 0)
    assert content.membership == (membership or STATIC)
    assert content.bootstrap_records == []
    before = image_of(2)._replace(offset=500)
    later = read_snapshot_content(file, SNAPSHOT, STATIC, before)
    assert later.image == content.image
    assert later.delta.base is before


def test_the_snapshot_at_offset_0_is_what_the_cluster_begins_with(tmp_path: Path) -> None:
    file = tmp_path / SnapshotId(0, 0).file_name
    records = [m.FeatureLevelRecord(name="metadata.version", feature_level=33)]
    file.write_bytes(b"".join(snapshot_batches(records, IN_LOG, 33, now_ms=1)))
    content = read_snapshot_content(file, SnapshotId(0, 0), STATIC)
    assert content.bootstrap_records == records
    assert content.image == MetadataImage(kraft_version=1)


@pytest.mark.parametrize("read_bytes", [1 << 20, 300])
def test_a_file_cut_or_damaged_anywhere_is_refused(
    tmp_path: Path, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte matters but the epochs of the batches, which the CRC does not cover and the name says again."""
    monkeypatch.setattr(snapshot_content, "READ_BYTES", read_bytes)
    file = tmp_path / SNAPSHOT.file_name
    data = content_of(History(Random(3), 33).go_on(4), IN_LOG)
    for cut in range(len(data)):
        file.write_bytes(data[:cut])
        with pytest.raises((MalformedMessage, ValueError, KeyError)):
            read_snapshot_content(file, SNAPSHOT, STATIC)
    whole = read_snapshot_content_of(file, data)
    epochs = {start + 12 + i for start in starts_of_batches(data) for i in range(4)}
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 0x11
        file.write_bytes(flipped)
        if position in epochs:
            assert read_snapshot_content(file, SNAPSHOT, STATIC).image == whole
        else:
            with pytest.raises((MalformedMessage, ValueError, KeyError)):
                read_snapshot_content(file, SNAPSHOT, STATIC)


def read_snapshot_content_of(file: Path, data: bytes) -> MetadataImage:
    file.write_bytes(data)
    return read_snapshot_content(file, SNAPSHOT, STATIC).image


def starts_of_batches(data: bytes) -> list[int]:
    starts, position = [], 0
    while position < len(data):
        starts.append(position)
        position += 12 + int.from_bytes(data[position + 8 : position + 12], "big")
    return starts


T = Uuid(b"t" * 16)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([m.PartitionChangeRecord(topic_id=T)], KeyError),
        ([m.TopicRecord(name="t", topic_id=T), m.PartitionRecord(topic_id=T, partition_id=1)], ValueError),
        ([m.BeginTransactionRecord(), m.NoOpRecord()], ValueError),
    ],
)
def test_records_that_make_no_image_are_refused(tmp_path: Path, records: list[object], reason: type[Exception]) -> None:
    file = tmp_path / SNAPSHOT.file_name
    file.write_bytes(b"".join(snapshot_batches(records, None, 33, now_ms=0)))  # type: ignore[arg-type]
    with pytest.raises(reason):
        read_snapshot_content(file, SNAPSHOT, STATIC)
