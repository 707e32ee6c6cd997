"""Appending, rolling, reading and finding in one partition; what disks and replicas may do to it."""

import os
from pathlib import Path

import pytest

from kafkapy_log import (
    EMPTY_SLICE,
    FilePool,
    LogSettings,
    PartitionLog,
    TimestampAndOffset,
    UnexpectedAppendOffset,
    build_marker,
)
from kafkapy_log.log_files import JOINED_BYTES_MAX
from kafkapy_log.segment_batches import RELATIVE_OFFSET_MAX
from kafkapy_log.transaction_markers import read_marker
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import (
    Compression,
    ControlRecordType,
    NewRecord,
    TimestampType,
    build_batch,
    crc_matches,
    decode_records,
    read_batch_header,
    split_batches,
    stamp,
)
from kafkapy_wire.records.building import BatchFields, build_batch_and_header
from kafkapy_wire.records.rewrite import stamp_timestamps
from kafkapy_wire.records.validation import RecordsRejected

NOW_MS = 1_700_000_000_000


def make_batch(*timestamps: int, value: bytes = b"v", compression: Compression = Compression.NONE) -> bytes:
    records = [NewRecord(timestamp, b"k", value) for timestamp in timestamps or (NOW_MS,)]
    return build_batch(records, compression=compression)


def open_log(directory: Path, settings: LogSettings | None = None, *, pool: FilePool | None = None) -> PartitionLog:
    return PartitionLog.open(directory, settings or LogSettings(), now_ms=NOW_MS, clean=True, pool=pool)


def append(log: PartitionLog, batch: bytes, *, leader_epoch: int = 0, now_ms: int = NOW_MS) -> int:
    return log.append_as_leader(batch, leader_epoch=leader_epoch, now_ms=now_ms).base_offset


def base_offsets(log: PartitionLog) -> list[int]:
    return [info.base_offset for info in log.segments()]


def stored_at(log: PartitionLog, offset: int) -> bytes:
    return log.read(offset, 1).read()


# -- appending and rolling


def test_an_append_changes_nothing_but_offset_and_epoch(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, make_batch())
    batch = make_batch(NOW_MS, NOW_MS + 1, compression=Compression.LZ4)
    for given in (batch, bytearray(batch), memoryview(batch), memoryview(bytearray(batch))):
        offset = log.log_end_offset
        result = log.append_as_leader(given, leader_epoch=5, now_ms=NOW_MS)
        assert (result.base_offset, result.last_offset, result.log_append_time_ms) == (offset, offset + 1, -1)
        expected = bytearray(batch)
        stamp(expected, 0, offset, 5)
        assert stored_at(log, offset) == expected
    assert batch == make_batch(NOW_MS, NOW_MS + 1, compression=Compression.LZ4), "the caller's bytes are left alone"


def test_an_empty_log_has_no_files(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    assert (log.read(0, 100), log.times.offset_for_timestamp(0), log.times.offset_of_max_timestamp()) == (
        EMPTY_SLICE,
        None,
        None,
    )
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_a_segment_is_rolled_before_it_grows_beyond_segment_bytes(tmp_path: Path) -> None:
    size = len(make_batch())
    log = open_log(tmp_path, LogSettings(segment_bytes=3 * size))
    for _ in range(7):
        append(log, make_batch())
    assert base_offsets(log) == [0, 3, 6]
    assert [path.name for path in sorted(tmp_path.glob("*.log"))] == [f"{n:020d}.log" for n in (0, 3, 6)]
    assert [path.name for path in sorted(tmp_path.glob("*.snapshot"))] == [f"{n:020d}.snapshot" for n in (3, 6)]


def test_a_batch_larger_than_a_segment_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_bytes=len(make_batch()) - 1))
    with pytest.raises(KafkaError) as refused:
        append(log, make_batch())
    assert refused.value.code is ErrorCode.RECORD_LIST_TOO_LARGE


def test_time_rolls_by_the_timestamps_of_the_batches(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_ms=1000))
    append(log, make_batch(NOW_MS - 500, NOW_MS))
    append(log, make_batch(NOW_MS + 1000), now_ms=NOW_MS + 10_000)
    assert base_offsets(log) == [0], "1000 ms are not more than 1000 ms, whatever the clock says"
    append(log, make_batch(NOW_MS + 1001))
    append(log, make_batch(NOW_MS))
    assert base_offsets(log) == [0, 3]


def test_without_timestamps_time_rolls_by_the_clock(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_ms=1000))
    append(log, make_batch(-1))
    append(log, make_batch(-1), now_ms=NOW_MS + 1000)
    append(log, make_batch(-1), now_ms=NOW_MS + 1001)
    assert base_offsets(log) == [0, 2]


def test_time_rolls_by_the_first_batch_after_a_restart_too(tmp_path: Path) -> None:
    settings = LogSettings(segment_ms=1000)
    log = open_log(tmp_path, settings)
    append(log, make_batch(NOW_MS))
    log.close()
    log = open_log(tmp_path, settings)
    append(log, make_batch(NOW_MS + 1001))
    assert base_offsets(log) == [0, 1]


def test_jitter_rolls_earlier(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_ms=1000, segment_jitter_ms=1000, segment_bytes=len(make_batch())))
    append(log, make_batch())
    append(log, make_batch())
    log.update_settings(LogSettings(segment_ms=1000, segment_jitter_ms=1000))
    assert 0 <= log._segments.active.roll_jitter_ms < 1000


def test_a_full_index_rolls(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_index_bytes=36, index_interval_bytes=1))
    for n in range(10):
        append(log, make_batch(NOW_MS + n))
    assert len(base_offsets(log)) > 1
    log.close()
    assert max(path.stat().st_size for path in tmp_path.glob("*.timeindex")) <= 36
    assert max(path.stat().st_size for path in tmp_path.glob("*.index")) <= 36


def test_an_offset_too_far_from_the_base_rolls(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append_as_follower(at_offset(make_batch(), RELATIVE_OFFSET_MAX - 1))
    log.append_as_follower(at_offset(make_batch(), RELATIVE_OFFSET_MAX + RELATIVE_OFFSET_MAX))
    assert len(base_offsets(log)) == 2
    assert log.log_end_offset == 2 * RELATIVE_OFFSET_MAX + 1


def test_index_entries_name_the_last_offset_of_a_batch(tmp_path: Path) -> None:
    """As Kafka writes them: an entry once more than index.interval.bytes have gone by since the last one."""
    size = len(make_batch(NOW_MS, NOW_MS))
    log = open_log(tmp_path, LogSettings(index_interval_bytes=2 * size - 1))
    for n in range(6):
        append(log, make_batch(NOW_MS + n, NOW_MS + n))
    settling = log.flushing.begin(settle=True)  # a log as small as this is closed without indexes
    assert settling is not None
    log.flushing.sync(settling, fsync=False)
    log.close()
    entries = memoryview((tmp_path / f"{0:020d}.index").read_bytes())
    pairs = [(int.from_bytes(entries[n : n + 4], "big"), int.from_bytes(entries[n + 4 : n + 8], "big")) for n in (0, 8)]
    assert pairs == [(5, 2 * size), (9, 4 * size)]
    times = memoryview((tmp_path / f"{0:020d}.timeindex").read_bytes())
    assert [int.from_bytes(times[n : n + 8], "big") - NOW_MS for n in (0, 12, 24)] == [2, 4, 5]
    assert len(times) == 36


# -- validation, as far as the log adds to it


def refused(log: PartitionLog, batch: bytes) -> KafkaError:
    size = log.size_bytes
    with pytest.raises(KafkaError) as error:
        append(log, batch)
    assert (log.size_bytes, log.log_end_offset) == (size, 0), "nothing is stored"
    return error.value


def test_a_wrong_crc_is_refused(tmp_path: Path) -> None:
    batch = bytearray(make_batch())
    batch[-1] ^= 1
    assert refused(open_log(tmp_path), bytes(batch)).code is ErrorCode.CORRUPT_MESSAGE
    assert list(tmp_path.iterdir()) == []


def test_a_large_batch_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(max_message_bytes=len(make_batch()) - 1))
    assert refused(log, make_batch()).code is ErrorCode.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("timestamp", [NOW_MS - 101, NOW_MS + 201])
def test_timestamps_out_of_bounds_name_the_records(tmp_path: Path, timestamp: int) -> None:
    log = open_log(tmp_path, LogSettings(message_timestamp_before_max_ms=100, message_timestamp_after_max_ms=200))
    error = refused(log, make_batch(NOW_MS - 100, timestamp, NOW_MS + 200))
    assert isinstance(error, RecordsRejected)
    assert (error.code, [e.batch_index for e in error.record_errors]) == (ErrorCode.INVALID_TIMESTAMP, [1])


def test_a_header_does_not_hide_a_timestamp_that_is_out_of_bounds(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(message_timestamp_after_max_ms=200))
    batch = bytearray(make_batch(NOW_MS, NOW_MS + 201))
    stamp_timestamps(batch, TimestampType.CREATE_TIME, NOW_MS)
    error = refused(log, bytes(batch))
    assert isinstance(error, RecordsRejected)
    assert (error.code, [e.batch_index for e in error.record_errors]) == (ErrorCode.INVALID_TIMESTAMP, [1])


def test_a_compacted_topic_needs_keys(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(compact=True))
    keyless = build_batch([NewRecord(NOW_MS, b"k", b"v"), NewRecord(NOW_MS, None, b"v")])
    error = refused(log, keyless)
    assert isinstance(error, RecordsRejected)
    assert (error.code, [e.batch_index for e in error.record_errors]) == (ErrorCode.INVALID_RECORD, [1])
    assert append(log, make_batch()) == 0


def test_log_append_time_is_the_brokers(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(message_timestamp_type=TimestampType.LOG_APPEND_TIME))
    result = log.append_as_leader(make_batch(1, 2), leader_epoch=0, now_ms=NOW_MS)
    assert result.log_append_time_ms == NOW_MS
    stored = stored_at(log, 0)
    assert [record.timestamp for record in decode_records(stored)] == [NOW_MS, NOW_MS]
    assert log.times.offset_for_timestamp(NOW_MS) == TimestampAndOffset(NOW_MS, 0, 0)
    log.append_as_follower(at_offset(stored, 2))  # its CRC is right


@pytest.mark.parametrize("target", [*Compression])
@pytest.mark.parametrize("timestamp_type", [*TimestampType])
def test_the_topics_codec_wins(tmp_path: Path, target: Compression, timestamp_type: TimestampType) -> None:
    log = open_log(tmp_path, LogSettings(compression_type=target, message_timestamp_type=timestamp_type))
    append(log, make_batch(NOW_MS - 1, NOW_MS, compression=Compression.GZIP))
    stored = stored_at(log, 0)
    header = read_batch_header(stored)
    assert (header.compression, header.timestamp_type, header.max_timestamp) == (target, timestamp_type, NOW_MS)
    assert [record.value for record in decode_records(stored)] == [b"v", b"v"]
    log.append_as_follower(at_offset(stored, 2))  # its CRC is right


def test_a_coordinator_may_write_what_clients_may_not(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(compact=True))
    control = build_batch_and_header([NewRecord(NOW_MS, b"\0\0\0\2", b"leader change")], is_control=True)
    assert refused(log, control.data).code is ErrorCode.INVALID_RECORD
    log.append_built(control, leader_epoch=1, now_ms=NOW_MS)
    assert log.log_end_offset == 1


@pytest.mark.parametrize("target", [None, Compression.ZSTD])
@pytest.mark.parametrize("timestamp_type", list(TimestampType))
def test_what_this_process_has_built_is_stored_as_what_a_client_sends(
    tmp_path: Path, target: Compression | None, timestamp_type: TimestampType
) -> None:
    settings = LogSettings(compression_type=target, message_timestamp_type=timestamp_type, max_message_bytes=500)
    records = [NewRecord(NOW_MS - n, b"key", b"v" * 100) for n in range(3)]
    stored = []
    for name in ("built", "sent"):
        (tmp_path / name).mkdir()
        log = open_log(tmp_path / name, settings)
        for _ in range(2):
            built = build_batch_and_header(records)
            if name == "built":
                log.append_built(built, leader_epoch=3, now_ms=NOW_MS)
            else:
                log.append_as_leader(built.data, leader_epoch=3, now_ms=NOW_MS)
        assert log.times.offset_of_max_timestamp() is not None
        stored.append((log.read(0, 10_000).read(), log.segments(), log.end_offset_for_epoch(3)))
        with pytest.raises(KafkaError) as error:
            log.append_built(build_batch_and_header(records * 2), leader_epoch=3, now_ms=NOW_MS)
        assert error.value.code is ErrorCode.MESSAGE_TOO_LARGE
    assert stored[0] == stored[1]


def test_the_header_of_a_built_batch_is_that_in_its_bytes() -> None:
    records = [NewRecord(NOW_MS + n % 2, b"key", b"v") for n in range(3)]
    for fields in (
        BatchFields(),
        BatchFields(compression=Compression.GZIP, producer_id=5, producer_epoch=2, base_sequence=9),
        BatchFields(timestamp_type=TimestampType.LOG_APPEND_TIME, is_transactional=True, base_offset=7),
        BatchFields(is_control=True, partition_leader_epoch=4),
    ):
        built = build_batch_and_header(records, **fields)
        assert repr(built.header) == repr(read_batch_header(built.data))
        assert built.data == build_batch(records, **fields)
        assert crc_matches(built.data)
    marker = build_marker(ControlRecordType.ABORT, timestamp=1, producer_id=2, producer_epoch=3, coordinator_epoch=4)
    assert repr(marker.header) == repr(read_batch_header(marker.data))
    assert marker.marker == read_marker(marker.data) == (ControlRecordType.ABORT, 4, 1)


# -- reading


def test_reading_at_the_tail_makes_no_system_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path)
    append(log, make_batch())

    def forbidden(*_: object) -> None:
        raise AssertionError("a system call")

    with monkeypatch.context() as patch:
        for call in ("open", "pread", "fstat", "stat"):
            patch.setattr(os, call, forbidden)
        piece = log.read(0, 1000)
        assert (piece.position, len(piece), piece.next_offset) == (0, len(make_batch()), 1)
        assert log.read(1, 1000) is EMPTY_SLICE
    assert log.read(0, 1000, up_to_offset=0) is EMPTY_SLICE


def test_the_first_batch_comes_whole_or_not_at_all(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, make_batch(value=bytes(1000)))
    append(log, make_batch(value=bytes(1000)))
    assert log.read(0, 10).next_offset == 1
    assert log.read(0, 0).next_offset == 1
    assert log.read(0, 10, min_one_batch=False) is EMPTY_SLICE
    assert log.read(0, 2500, min_one_batch=False).next_offset == 2


def test_a_read_ends_at_the_high_watermark(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for _ in range(5):
        append(log, make_batch(NOW_MS, NOW_MS))
    assert log.read(2, 10_000, up_to_offset=6).next_offset == 6
    assert log.read(2, 10_000, up_to_offset=7).next_offset <= 7
    assert [header.base_offset for header, _ in split_batches(log.read(3, 10_000, up_to_offset=6).read())] == [2, 4]


def test_a_slice_of_a_deleted_segment_stays_readable(tmp_path: Path) -> None:
    pool = FilePool(1)
    log = open_log(tmp_path, LogSettings(segment_bytes=len(make_batch())), pool=pool)
    for n in range(3):
        append(log, make_batch(value=bytes([n])))
    slices = [log.read(n, 1000) for n in range(3)]
    assert log.delete_records_before(2, now_ms=NOW_MS) == 2
    assert log.take_deleted_files(NOW_MS) == []
    for path in log.take_deleted_files(NOW_MS + 60_000):
        path.unlink()
    assert sorted(path.name for path in tmp_path.glob("*.log*")) == [f"{2:020d}.log"]
    for n, piece in enumerate(slices):
        assert [record.value for record in decode_records(piece.read())] == [bytes([n])]
        piece.release()
    log.close()
    assert len(pool) == 0


# -- finding


def test_the_first_record_of_a_time(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_bytes=300, index_interval_bytes=1, segment_ms=2**62))
    times = [10, 30, 20, 20, 50, 40, 60, 60]
    for n, time in enumerate(times):
        append(log, make_batch(NOW_MS + time, NOW_MS + time + 5), leader_epoch=n // 3)
    records = [(NOW_MS + time + extra, 2 * n + extra // 5, n // 3) for n, time in enumerate(times) for extra in (0, 5)]
    for wanted in range(70):
        expected = next((record for record in records if record[0] >= NOW_MS + wanted), None)
        assert log.times.offset_for_timestamp(NOW_MS + wanted) == expected
    assert log.times.offset_of_max_timestamp() == (NOW_MS + 65, 13, 2)
    log.delete_records_before(10)
    assert log.times.offset_for_timestamp(0) == (NOW_MS + 40, 10, 1)


def test_leader_epochs_follow_the_appends(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for epoch in (0, 0, 3, 3, 5):
        append(log, make_batch(), leader_epoch=epoch)
    assert log.leader_epochs.latest_epoch == 5
    assert [log.end_offset_for_epoch(epoch) for epoch in (0, 1, 3, 5, 6)] == [(0, 2), (0, 2), (3, 4), (5, 5), (-1, -1)]
    assert [log.leader_epochs.epoch_for_offset(offset) for offset in range(5)] == [0, 0, 3, 3, 5]
    log.truncate_to(3)
    assert log.end_offset_for_epoch(3) == (3, 3)
    log.flushing.flush()
    log.close()
    assert (tmp_path / "leader-epoch-checkpoint").read_bytes() == b"0\n2\n0 0\n3 2\n"
    assert open_log(tmp_path).end_offset_for_epoch(0) == (0, 2)


# -- following


def at_offset(batch: bytes, offset: int, leader_epoch: int = 0) -> bytes:
    stamped = bytearray(batch)
    stamp(stamped, 0, offset, leader_epoch)
    return bytes(stamped)


def test_a_follower_stores_what_the_leader_has(tmp_path: Path) -> None:
    for name in ("leader", "follower"):
        (tmp_path / name).mkdir()
    leader, follower = open_log(tmp_path / "leader"), open_log(tmp_path / "follower")
    for n in range(5):
        batch = build_batch([NewRecord(NOW_MS, b"k", b"v")] * 2, producer_id=1, producer_epoch=0, base_sequence=2 * n)
        append(leader, batch, leader_epoch=n)
    while follower.log_end_offset < leader.log_end_offset:
        follower.append_as_follower(leader.read(follower.log_end_offset, 250).read())
    assert follower.read(0, 10_000).read() == leader.read(0, 10_000).read()
    assert [follower.end_offset_for_epoch(n) for n in range(5)] == [leader.end_offset_for_epoch(n) for n in range(5)]
    assert follower.producers.active_producers() == leader.producers.active_producers()
    assert follower.append_as_follower(b"") is None


def test_a_follower_refuses_what_does_not_follow(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append_as_follower(at_offset(make_batch(), 0))
    backwards = at_offset(make_batch(), 5) + at_offset(make_batch(), 4)
    for batches in (at_offset(make_batch(), 0), backwards):
        with pytest.raises(UnexpectedAppendOffset):
            log.append_as_follower(batches)
    damaged = at_offset(make_batch(), 1) + at_offset(make_batch(), 2)[:-1] + b"!"
    with pytest.raises(KafkaError) as error:
        log.append_as_follower(damaged)
    assert error.value.code is ErrorCode.CORRUPT_MESSAGE
    assert log.log_end_offset == 1
    log.append_as_follower(damaged[:-1])
    assert log.log_end_offset == 2, "a batch that a fetch has cut short is left out"


# -- disks


class TakesAPart:
    """A disk whose first write takes 30 bytes, and whose second one fails if it `breaks`."""

    def __init__(self, patch: pytest.MonkeyPatch, *, breaks: bool) -> None:
        self._pwrite = os.pwrite
        self._breaks = breaks
        self._call_count = 0
        patch.setattr(os, "pwrite", self.pwrite)
        patch.setattr(os, "pwritev", lambda fd, buffers, at: self.pwrite(fd, b"".join(buffers), at))

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self._call_count += 1
        if self._call_count == 1:
            return self._pwrite(fd, data[:30], offset)
        if self._breaks:
            raise OSError(5, "Input/output error")
        return self._pwrite(fd, data, offset)


@pytest.mark.parametrize("value", [b"v", b"v" * 2 * JOINED_BYTES_MAX], ids=["joined", "two buffers"])
def test_a_failed_write_leaves_nothing_and_closes_the_log_for_appends(
    value: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(tmp_path)
    append(log, make_batch())
    size = log.size_bytes

    with monkeypatch.context() as patch:
        TakesAPart(patch, breaks=True)
        with pytest.raises(KafkaError) as error:
            append(log, make_batch(value=value))
    assert error.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert (tmp_path / f"{0:020d}.log").stat().st_size == size
    assert (log.log_end_offset, log.has_failed) == (1, True)
    with pytest.raises(KafkaError) as error:
        append(log, make_batch())
    assert error.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert log.read(0, 1000).next_offset == 1, "what is stored can be read"
    log.close()
    assert append(open_log(tmp_path), make_batch()) == 1


@pytest.mark.parametrize("value", [b"v", b"v" * 2 * JOINED_BYTES_MAX], ids=["joined", "two buffers"])
def test_a_short_write_is_completed(value: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path)
    with monkeypatch.context() as patch:
        TakesAPart(patch, breaks=False)
        append(log, make_batch(value=value))
    assert next(decode_records(stored_at(log, 0))).value == value


def test_a_failed_flush_closes_the_log_for_appends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path)
    append(log, make_batch())

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(KafkaError):
        log.flushing.flush()
    assert (log.recovery_point, log.has_failed) == (0, True)


def test_appends_go_on_while_a_flush_is_under_way(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_bytes=200), pool=FilePool(1))
    for _ in range(4):
        append(log, make_batch())
    flush = log.flushing.begin()
    assert flush is not None
    assert log.flushing.begin() is None, "one at a time"
    for _ in range(4):
        append(log, make_batch())
    log.delete_records_before(3)
    flush.sync()
    log.flushing.end(flush)
    assert log.recovery_point == 4
    assert (tmp_path / "leader-epoch-checkpoint").read_bytes() == b"0\n1\n0 0\n"
    log.flushing.flush()
    assert log.recovery_point == 8
    assert log.flushing.begin() is None, "nothing to do"


def flushed_files(log: PartitionLog, *, rolled_only: bool = False) -> list[str]:
    flush = log.flushing.begin(rolled_only=rolled_only)
    if flush is None:
        return []
    names = [file.path.name for file in flush.files] + flush.names
    flush.sync()
    log.flushing.end(flush)
    return sorted(names)


def test_a_flush_covers_what_was_rolled_after_the_last_one(tmp_path: Path) -> None:
    log = open_log(tmp_path, LogSettings(segment_bytes=200))
    append(log, make_batch())
    assert flushed_files(log) == [f"{0:020d}.log"]
    for _ in range(3):
        append(log, make_batch())
    assert base_offsets(log) == [0, 2]
    assert flushed_files(log) == [f"{0:020d}.index", f"{0:020d}.log", f"{0:020d}.timeindex", f"{2:020d}.log"]
    append(log, make_batch())
    assert flushed_files(log, rolled_only=True) == []
    append(log, make_batch())
    append(log, make_batch())
    assert base_offsets(log) == [0, 2, 4, 6]
    rolled = [f"{base:020d}{suffix}" for base in (2, 4) for suffix in (".index", ".log", ".timeindex")]
    assert flushed_files(log, rolled_only=True) == rolled
    assert log.recovery_point == 6
    assert flushed_files(log) == [f"{6:020d}.log"]
    assert log.recovery_point == 7


def test_offsets_that_are_missing_are_skipped(tmp_path: Path) -> None:
    """Compaction and followers leave gaps, also at the end of a segment."""
    log = open_log(tmp_path, LogSettings(segment_bytes=200, index_interval_bytes=1))
    for offset in (0, 10, 20, 30, 40, 50):
        log.append_as_follower(at_offset(make_batch(), offset))
    assert base_offsets(log) == [0, 20, 40]
    for offset in range(51):
        header, _ = next(split_batches(log.read(offset, 1000).read()))
        assert header.base_offset == (offset + 9) // 10 * 10
        up_to = log.read(0, 10_000, up_to_offset=offset)
        assert all(header.base_offset < max(offset, 1) for header, _ in split_batches(up_to.read()))
    log.truncate_to(35)
    assert (log.log_end_offset, log.read(31, 1000)) == (35, EMPTY_SLICE)
