"""Partition directories that Apache Kafka 4.3.1 wrote (`kafka-4.3.1/`) and closed cleanly: ours come out the same.

t1-0  300 records of an idempotent producer, index.interval.bytes=100
t1-1  a committed and an aborted transaction
"""

import shutil
from pathlib import Path

import pytest

from kafkapy_log import LogSettings, PartitionLog, Verification
from kafkapy_log.transaction_markers import BuiltMarker, read_marker
from kafkapy_wire.records import decode_records, read_batch_header, split_batches

WRITTEN_BY_KAFKA = Path(__file__).parent / "kafka-4.3.1"
NOW_MS = 1_795_265_010_000
SETTINGS = LogSettings(index_interval_bytes=100)

partitions = pytest.mark.parametrize("name", ["t1-0", "t1-1"])


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def open_log(directory: Path, *, clean: bool) -> PartitionLog:
    return PartitionLog.open(directory, SETTINGS, now_ms=NOW_MS, clean=clean)


@partitions
def test_opening_and_closing_changes_nothing(tmp_path: Path, name: str) -> None:
    shutil.copytree(WRITTEN_BY_KAFKA / name, tmp_path / name)
    log = open_log(tmp_path / name, clean=True)
    assert log.segments()
    log.close()
    assert files(tmp_path / name) == files(WRITTEN_BY_KAFKA / name)


@partitions
def test_everything_is_rebuilt_as_kafka_wrote_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    for kept in (f"{0:020d}.log", "partition.metadata"):
        shutil.copy(WRITTEN_BY_KAFKA / name / kept, tmp_path / name / kept)
    open_log(tmp_path / name, clean=False).close()
    assert files(tmp_path / name) == files(WRITTEN_BY_KAFKA / name)


@partitions
def test_preallocated_indexes_of_a_crash_are_rebuilt(tmp_path: Path, name: str) -> None:
    shutil.copytree(WRITTEN_BY_KAFKA / name, tmp_path / name)
    for suffix in ("index", "timeindex"):
        path = tmp_path / name / f"{0:020d}.{suffix}"
        path.write_bytes(path.read_bytes().ljust(12_000, b"\0"))
    open_log(tmp_path / name, clean=False).close()
    assert files(tmp_path / name) == files(WRITTEN_BY_KAFKA / name)


@partitions
def test_appending_the_same_batches_makes_the_same_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    log = open_log(tmp_path / name, clean=True)
    content = (WRITTEN_BY_KAFKA / name / f"{0:020d}.log").read_bytes()
    for header, batch in split_batches(content):
        from_client = bytearray(batch)
        from_client[0:8] = bytes(8)
        from_client[12:16] = b"\xff\xff\xff\xff"
        marker = read_marker(batch) if header.is_control else None
        if marker is not None:
            built = BuiltMarker(bytes(from_client), read_batch_header(from_client), marker)
            result = log.append_built(built, leader_epoch=0, now_ms=NOW_MS)
        else:
            result = log.append_as_leader(from_client, leader_epoch=0, now_ms=NOW_MS, verification=Verification.ADDED)
        assert result.base_offset == header.base_offset
    log.close()
    ours, kafkas = files(tmp_path / name), files(WRITTEN_BY_KAFKA / name)
    del kafkas["partition.metadata"]  # the log store's part
    assert ours == kafkas


def test_transactions_of_kafka_are_understood(tmp_path: Path) -> None:
    shutil.copytree(WRITTEN_BY_KAFKA / "t1-1", tmp_path / "t1-1")
    log = open_log(tmp_path / "t1-1", clean=False)
    assert log.last_stable_offset == log.log_end_offset == 4
    assert log.producers.active_producers() == [(1, 0, 1, 1_795_265_006_181, 0, -1)]
    assert [record.value for record in decode_records(log.read(2, 100).read())][:1] == [b"tx"]
    log.truncate_to(3)
    assert log.last_stable_offset == 2, "the second transaction is open again"
