"""What a partition keeps in memory when nobody uses it, after much was written and read."""

from pathlib import Path

from kafkapy_log import LogSettings, PartitionLog
from kafkapy_log.producer_entry import BATCHES_KEPT
from kafkapy_log.producer_state import ProducerState
from kafkapy_wire.records import NewRecord, build_batch, read_batch_header
from tests.log.cleaning import clean_log
from tests.memory import alone, traced, traced_peak

NOW_MS = 1_700_000_000_000


def open_log(directory: Path) -> PartitionLog:
    return PartitionLog.open(directory, LogSettings(), now_ms=NOW_MS, clean=True)


def append(log: PartitionLog, count: int) -> None:
    batch = build_batch([NewRecord(NOW_MS, b"k", b"v")])
    for _ in range(count):
        log.append_as_leader(batch, leader_epoch=0, now_ms=NOW_MS)


@alone
def test_positions_of_batches_take_few_bytes(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, 10)
    with traced() as kept:
        append(log, 2_000)
        assert kept() < 10_000, "8 bytes for each of 512 batches, and the index's entries"


@alone
def test_positions_where_reads_ended_are_few(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, 2_000)

    def read_all() -> None:
        for offset in range(2_000):
            log.read(offset, 1).release()

    read_all()
    with traced() as kept:
        read_all()
        assert kept() < 8_000


def test_a_position_is_remembered_right_or_not_at_all(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, 2_000)
    size = log.size_bytes // 2_000
    positions = [log._segments.remembered(offset) for offset in range(2_001)]
    assert all(position in (None, offset * size) for offset, position in enumerate(positions))
    assert None not in positions[-257:-1], "the last ones are remembered"
    assert positions[-1] is None
    log.truncate_to(1_900, now_ms=NOW_MS)
    append(log, 5)
    assert [log._segments.remembered(offset) for offset in (1_899, 1_900, 1_904)] == [None, 1_900 * size, 1_904 * size]


@alone
def test_a_producer_takes_few_bytes() -> None:
    """Each start of a client has a new producer id, which each of its partitions remembers for a day."""
    producers = ProducerState()

    def write(first_producer_id: int) -> None:
        for producer_id in range(first_producer_id, first_producer_id + 1_000):
            for sequence in range(BATCHES_KEPT + 1):
                batch = build_batch(
                    [NewRecord(NOW_MS, b"k", b"v")],
                    producer_id=producer_id,
                    producer_epoch=1_000,
                    base_sequence=1_000 + sequence,
                )
                producers.update(read_batch_header(batch), 1_000_000 + producer_id)

    write(1_000)
    with traced() as kept:
        write(10_000)
        assert kept() < 300_000, "300 bytes each"
    producers.remove_expired(NOW_MS + 1, 1)
    assert not len(producers)


@alone
def test_a_cleaning_allocates_little(tmp_path: Path) -> None:
    """What is allocated in a thread that cleans stays with that thread: the buffers are pages of their own instead."""
    settings = LogSettings(compact=True, segment_bytes=4 << 20)
    log = PartitionLog.open(tmp_path, settings, now_ms=NOW_MS, clean=True)

    def fill() -> None:
        for number in range(1_000):
            batch = build_batch([NewRecord(NOW_MS, b"key-%d" % (number % 600), bytes(10_000))])
            log.append_as_leader(batch, leader_epoch=0, now_ms=NOW_MS)

    fill()
    clean_log(log)
    fill()
    before = log.size_bytes
    with traced():
        clean_log(log)
        assert traced_peak() < 500_000
    assert log.size_bytes < before - (4 << 20)
    log.close(fsync=False)
