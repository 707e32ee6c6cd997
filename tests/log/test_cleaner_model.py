"""Compaction against plain Python: whatever is appended, rolled, cleaned, deleted and reopened, both say the same."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kafkapy_log import FilePool, LogSettings
from kafkapy_wire.records import Compression
from tests.log.cleaning import NOW, append, clean_log, open_log, read_records
from tests.log.model_runs import DERANDOMIZE, MODEL_RUNS

DELETE_RETENTION_MS = 1_000
KEYS = [b"a", b"b", b"c", b"a key of more than twenty bytes", b"another key of more than twenty bytes"]


@dataclass
class ModelRecord:
    offset: int
    timestamp: int
    key: bytes
    value: bytes | None


@dataclass
class ModelBatch:
    """`horizon_ms`: when tombstones in it may go, known since a cleaning first found one."""

    base_offset: int
    next_offset: int
    records: list[ModelRecord]
    horizon_ms: int | None = None


@dataclass
class Model:
    batches: list[ModelBatch] = field(default_factory=list)

    def records(self, from_offset: int) -> list[ModelRecord]:
        return [record for batch in self.batches for record in batch.records if record.offset >= from_offset]

    def clean(self, end_offset: int, now_ms: int) -> None:
        """What remains of the batches below `end_offset`: the latest record of each key, tombstones for a while."""
        latest: dict[bytes, int] = {}
        cleaned = [batch for batch in self.batches if batch.next_offset <= end_offset]
        for batch in cleaned:
            latest.update((record.key, record.offset) for record in batch.records)
        for batch in cleaned:
            may_go = batch.horizon_ms is not None and batch.horizon_ms <= now_ms
            batch.records = [
                record
                for record in batch.records
                if record.offset == latest[record.key] and not (record.value is None and may_go)
            ]
            if batch.horizon_ms is None and any(record.value is None for record in batch.records):
                batch.horizon_ms = now_ms + DELETE_RETENTION_MS


class CleanerMachine(RuleBasedStateMachine):
    @initialize(
        segment_bytes=st.sampled_from([250, 600, 2_000]),
        index_interval_bytes=st.sampled_from([1, 100, 500]),
        open_files_max=st.sampled_from([1, 3, 100]),
    )
    def start(self, segment_bytes: int, index_interval_bytes: int, open_files_max: int) -> None:
        self.root = tempfile.TemporaryDirectory(prefix="kafkapy-cleaner-")
        self.directory = Path(self.root.name) / "orders-0"
        self.settings = LogSettings(
            compact=True,
            delete=False,
            segment_bytes=segment_bytes,
            index_interval_bytes=index_interval_bytes,
            delete_retention_ms=DELETE_RETENTION_MS,
            file_delete_delay_ms=0,
        )
        self.pool = FilePool(open_files_max)
        self.model = Model()
        self.checkpoint: int | None = None
        self.now_ms = NOW
        self.log = open_log(self.directory, self.settings, pool=self.pool)

    @rule(
        records=st.lists(
            st.tuples(st.sampled_from(KEYS), st.one_of(st.none(), st.binary(max_size=8)), st.integers(-500, 500)),
            min_size=1,
            max_size=6,
        ),
        compression=st.sampled_from([Compression.NONE, Compression.NONE, Compression.GZIP, Compression.LZ4]),
    )
    def append(self, records: list[tuple[bytes, bytes | None, int]], compression: Compression) -> None:
        timestamp = NOW + records[0][2]
        base = append(
            self.log, *((key, value) for key, value, _ in records), timestamp=timestamp, compression=compression
        )
        self.model.batches.append(
            ModelBatch(
                base,
                self.log.log_end_offset,
                [ModelRecord(base + delta, timestamp, key, value) for delta, (key, value, _) in enumerate(records)],
            )
        )

    @rule(
        elapsed_ms=st.sampled_from([0, 1, 600, 1_000]),
        keys_max=st.sampled_from([1, 2, 3, 1_000]),
        is_checkpoint_lost=st.sampled_from([False, False, False, True]),
    )
    def clean(self, elapsed_ms: int, keys_max: int, is_checkpoint_lost: bool) -> None:
        self.now_ms += elapsed_ms
        if is_checkpoint_lost:  # what was cleaned before, with gaps in it, is dirty again
            self.checkpoint = None
        before = self.log.segments()
        end, progress = clean_log(self.log, self.checkpoint, now_ms=self.now_ms, keys_max=keys_max)
        if not progress.bytes_to_clean:
            return
        assert end > (self.checkpoint or 0), "each cleaning comes further"
        self.checkpoint = end
        self.model.clean(end, self.now_ms)
        assert self.log.segments()[-1] == before[-1], "the active segment is not touched"

    @rule(data=st.data())
    def delete_records(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(self.log.log_start_offset, self.log.log_end_offset), label="offset")
        self.log.delete_records_before(offset, now_ms=self.now_ms)

    @rule()
    def retention(self) -> None:
        start = self.log.log_start_offset
        self.log.retention.delete_old_segments(high_watermark=self.log.log_end_offset, now_ms=self.now_ms)
        assert self.log.log_start_offset == start, "compaction alone deletes nothing above the log start offset"

    @rule(clean=st.booleans())
    def reopen(self, clean: bool) -> None:
        start, end = self.log.log_start_offset, self.log.log_end_offset
        self.log.close(clean=clean, fsync=False)
        self.log = open_log(self.directory, self.settings, clean=clean, log_start_offset=start, pool=self.pool)
        assert (self.log.log_start_offset, self.log.log_end_offset) == (start, end)

    @rule()
    def unlink_deleted(self) -> None:
        for path in self.log.take_deleted_files(self.now_ms):
            path.unlink(missing_ok=True)

    @rule(timestamp=st.integers(-600, 600))
    def find_timestamp(self, timestamp: int) -> None:
        found = self.log.times.offset_for_timestamp(NOW + timestamp)
        expected = next(
            (
                (record.timestamp, record.offset)
                for record in self.model.records(self.log.log_start_offset)
                if record.timestamp >= NOW + timestamp
            ),
            None,
        )
        assert (found and (found.timestamp, found.offset)) == expected

    @rule(data=st.data())
    def read_from(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(self.log.log_start_offset, self.log.log_end_offset), label="offset")
        self.check_reading(offset)

    @invariant()
    def reads_the_same(self) -> None:
        self.check_reading(self.log.log_start_offset)
        assert self.log.log_end_offset == (self.model.batches[-1].next_offset if self.model.batches else 0)

    def check_reading(self, offset: int) -> None:
        got = [(record.offset, record.timestamp, record.key, record.value) for record in read_records(self.log, offset)]
        expected = [
            (record.offset, record.timestamp, record.key, record.value) for record in self.model.records(offset)
        ]
        assert got == expected

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close(clean=False)
            self.root.cleanup()
            assert len(self.pool) == 0, "every descriptor is given back"


TestCleanerAgainstPlainPython = CleanerMachine.TestCase
TestCleanerAgainstPlainPython.settings = settings(
    max_examples=MODEL_RUNS,
    stateful_step_count=30,
    derandomize=DERANDOMIZE,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
