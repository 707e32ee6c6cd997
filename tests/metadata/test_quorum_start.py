"""What a quorum is told of its log at the start: every epoch, every change of the voters, and where the log begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.metadata import quorum_start as module
from kafkapy.metadata.quorum_start import align_log, quorum_start
from kafkapy.metadata.snapshots import SnapshotFiles
from kafkapy_controller.metadata_batches import (
    SnapshotId,
    build_control_batch,
    build_metadata_batch,
    build_snapshot,
)
from kafkapy_controller.voters import (
    QuorumMembership,
    Voter,
    leader_change_record,
    membership_records,
    voters_record_of,
)
from kafkapy_log import LogSettings, PartitionLog
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import Uuid

STATIC = QuorumMembership(0, (Voter(1, Uuid(bytes(16)), ()),))
ONE, TWO, THREE = (
    QuorumMembership(1, tuple(Voter(i, Uuid(bytes([i]) * 16), ()) for i in range(1, count + 1))) for count in (1, 2, 3)
)


class Directory:
    """A metadata log and its snapshots, written batch by batch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = PartitionLog.open(path, LogSettings(segment_bytes=400), now_ms=0, clean=True)

    def records(self, epoch: int, count: int = 1) -> None:
        data = build_metadata_batch(
            [m.NoOpRecord()] * count, 33, base_offset=self.log.log_end_offset, epoch=epoch, now_ms=0
        )
        self.log.append_as_follower(data)

    def control(self, epoch: int, membership: QuorumMembership | None = None, *, version: bool = False) -> None:
        written = [leader_change_record(1, [1], 0)]
        if membership is not None:
            written = membership_records(membership, 0) if version else [voters_record_of(membership, 0)]
        self.log.append_as_follower(build_control_batch(written, base_offset=self.log.log_end_offset, epoch=epoch))

    def snapshot(self, end_offset: int, epoch: int) -> SnapshotId:
        snapshot = SnapshotId(end_offset, epoch)
        (self.path / snapshot.file_name).write_bytes(build_snapshot([], ONE, 33, now_ms=0))
        return snapshot

    def start(self, membership: QuorumMembership = STATIC) -> module.QuorumStart:
        snapshots = SnapshotFiles(self.path, fsync=False)
        snapshots.load()
        align_log(self.log, snapshots, 0)
        self.known = list(snapshots.known)
        return quorum_start(self.log, snapshots, membership)


def test_an_empty_log(tmp_path: Path) -> None:
    start = Directory(tmp_path).start()
    assert (start.snapshot, start.log_start_offset, start.log_start_epoch) == (None, 0, 0)
    assert (start.epochs.last_epoch, start.epochs.end_offset) == (0, 0)
    assert start.members.latest == STATIC


@pytest.mark.parametrize("scan_bytes", [1 << 20, 1])
def test_all_epochs_and_all_changes_of_the_voters_are_known(
    tmp_path: Path, scan_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SCAN_BYTES", scan_bytes)
    directory = Directory(tmp_path)
    directory.control(1)  # 0
    directory.control(1, ONE, version=True)  # 1, 2
    directory.records(1, 3)  # 3-5
    directory.control(4)  # 6
    directory.control(4, TWO)  # 7
    directory.records(4, 20)  # 8-27
    directory.control(5, THREE)  # 28
    directory.control(5, THREE)  # 29: says it again
    start = directory.start()
    assert [start.epochs.end_of(epoch) for epoch in (0, 1, 2, 4, 5)] == [(0, 0), (1, 6), (1, 6), (4, 28), (5, 30)]
    at = {offset: start.members.at(offset) for offset in (0, 1, 2, 3, 7, 8, 28, 29, 30)}
    assert at[0] == at[1] == STATIC
    assert at[2].kraft_version == 1
    assert at[3] == at[7] == ONE
    assert at[8] == at[28] == TWO
    assert at[29] == at[30] == THREE
    assert start.members.latest_offset == 28
    start.members.truncate(28)
    assert start.members.latest == TWO


def test_what_the_newest_snapshot_covers_is_not_read_for_voters(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    directory.control(1, TWO)  # 0
    directory.records(1, 4)  # 1-4
    snapshot = directory.snapshot(5, 1)
    directory.control(2, THREE)  # 5
    start = directory.start(ONE)
    assert start.snapshot == snapshot
    assert (start.log_start_offset, start.log_start_epoch) == (0, 0)
    assert start.members.at(5) == ONE
    assert start.members.latest == THREE
    assert start.epochs.end_of(1) == (1, 5)


def test_a_log_that_begins_after_a_snapshot_knows_the_epoch_before_it(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    directory.records(1, 5)
    directory.records(3, 5)
    oldest, newest = directory.snapshot(5, 1), directory.snapshot(8, 3)
    directory.log.delete_records_before(5)
    start = directory.start(ONE)
    assert directory.known == [oldest, newest]
    assert (start.snapshot, start.log_start_offset, start.log_start_epoch) == (newest, 5, 1)
    # Who has fetched all of the snapshot asks with its epoch.
    assert start.epochs.end_of(1) == (1, 5)
    assert start.epochs.end_of(3) == (3, 10)


def test_a_log_start_that_was_not_noted_is_moved_to_a_snapshot(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    for _ in range(60):
        directory.records(1)
    older, kept, newest = directory.snapshot(10, 1), directory.snapshot(40, 1), directory.snapshot(55, 1)
    directory.log.delete_records_before(30)
    start = directory.start(ONE)
    assert directory.known == [kept, newest]
    assert not (tmp_path / older.file_name).exists()
    assert directory.log.log_start_offset == start.log_start_offset == 40
    assert start.epochs.end_of(1) == (1, 60)


@pytest.mark.parametrize(("end_offset", "epoch"), [(11, 1), (100, 1), (100, 7), (4, 2)])
def test_a_snapshot_beyond_the_log_takes_its_place(tmp_path: Path, end_offset: int, epoch: int) -> None:
    directory = Directory(tmp_path)
    directory.records(1, 10)
    directory.snapshot(3, 1)
    snapshot = directory.snapshot(end_offset, epoch)
    for _ in range(2):  # the second time there is nothing left to do
        start = directory.start(ONE)
        assert directory.known == [snapshot]
        assert directory.log.log_start_offset == directory.log.log_end_offset == end_offset
        assert start.epochs.end_of(epoch) == (epoch, end_offset)
        assert (start.log_start_offset, start.log_start_epoch) == (end_offset, epoch)


@pytest.mark.parametrize(("end_offset", "epoch"), [(10, 1), (3, 1), (0, 0)])
def test_a_snapshot_within_the_log_leaves_it_alone(tmp_path: Path, end_offset: int, epoch: int) -> None:
    directory = Directory(tmp_path)
    directory.records(1, 10)
    directory.snapshot(end_offset, epoch)
    start = directory.start(ONE)
    assert (directory.log.log_start_offset, directory.log.log_end_offset) == (0, 10)
    assert start.epochs.end_of(1) == (1, 10)
