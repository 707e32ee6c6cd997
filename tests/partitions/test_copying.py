"""A copy of a log follows it through whatever happens to a replica."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from kafkapy.partitions.copying import align, copy_piece
from kafkapy_log import LogSettings, PartitionLog
from kafkapy_wire.records import NewRecord, build_batch, decode_records, split_batches

SETTINGS = LogSettings(segment_bytes=600, index_interval_bytes=100)


def open_log(path: Path) -> PartitionLog:
    path.mkdir(exist_ok=True)
    return PartitionLog.open(path, SETTINGS, now_ms=0, clean=True)


def records_of(log: PartitionLog) -> list[tuple[int, int, bytes | None]]:
    """(offset, leader epoch, value) of each record from the log start on."""
    found = []
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        piece = log.read(offset, 1 << 20)
        for header, batch in split_batches(piece.read()):
            found += [(each.offset, header.partition_leader_epoch, each.value) for each in decode_records(batch)]
        offset = piece.next_offset
    return [each for each in found if each[0] >= log.log_start_offset]


class Life:
    """What happens to a replica, by chance: as leader in ever newer epochs, and as follower."""

    def __init__(self, log: PartitionLog, chance: Random) -> None:
        self.log = log
        self.epoch = 0
        self._chance = chance
        self.is_truncated = False

    def step(self) -> None:
        log, chance = self.log, self._chance
        match chance.randrange(8):
            case 0:
                self.epoch += chance.randint(1, 2)
                log.leader_epochs.assign(self.epoch, log.log_end_offset)
            case 1:
                log.truncate_to(chance.randint(log.log_start_offset, log.log_end_offset))
                self.is_truncated = True
                self.epoch += 1
            case 2:
                log.delete_records_before(chance.randint(log.log_start_offset, log.log_end_offset))
            case 3 if chance.random() < 0.2:
                log.truncate_fully_and_start_at(chance.randint(0, log.log_end_offset + 5))
                self.is_truncated = True
                self.epoch += 1
            case _:
                values = [b"%d" % chance.randrange(1 << 30) for _ in range(chance.randint(1, 4))]
                batch = build_batch([NewRecord(0, None, value) for value in values])
                log.append_as_leader(batch, leader_epoch=self.epoch, now_ms=0)


@pytest.mark.parametrize("seed", range(40))
def test_the_copy_becomes_what_the_replica_is(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    life = Life(open_log(tmp_path / "t-0"), chance)
    copy = open_log(tmp_path / f"t-0.{'0' * 32}-future")
    is_aligned = False
    for _ in range(150):
        life.step()
        is_aligned = is_aligned and not life.is_truncated
        life.is_truncated = False
        if chance.random() < 0.05:  # the node has ended and started again
            copy.close(fsync=False)
            copy = open_log(copy.directory)
            is_aligned = False
        for _ in range(chance.randrange(4)):
            if not is_aligned:
                align(life.log, copy, now_ms=0)
                is_aligned = True
            copy_piece(life.log, copy, 300, now_ms=0)
    if not is_aligned:
        align(life.log, copy, now_ms=0)
    while copy_piece(life.log, copy, 300, now_ms=0):
        pass
    assert copy.log_end_offset == life.log.log_end_offset
    assert copy.log_start_offset == life.log.log_start_offset
    assert records_of(copy) == records_of(life.log)
    life.log.close(fsync=False)
    copy.close(fsync=False)


def test_the_copy_of_a_log_has_the_name_of_the_partition(tmp_path: Path) -> None:
    copy = open_log(tmp_path / f"t-0.{'0' * 32}-future")
    assert copy.topic_partition == "t-0"
    copy.close(fsync=False)
