"""A partition log against plain Python lists: whatever is appended, cut, deleted and reopened, both say the same."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kafkapy_log import FilePool, LogSettings, PartitionLog
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.records import NewRecord, build_batch, decode_records, split_batches
from tests.log.model_runs import DERANDOMIZE, MODEL_RUNS

BASE_TIME = 1_700_000_000_000


@dataclass
class ModelBatch:
    base_offset: int
    timestamps: list[int]
    value: bytes
    leader_epoch: int

    @property
    def next_offset(self) -> int:
        return self.base_offset + len(self.timestamps)


@dataclass
class Model:
    batches: list[ModelBatch] = field(default_factory=list)
    log_start_offset: int = 0
    log_end_offset: int = 0

    def first_with_timestamp(self, timestamp: int) -> tuple[int, int] | None:
        for batch in self.batches:
            for delta, at in enumerate(batch.timestamps):
                if at >= timestamp and batch.base_offset + delta >= self.log_start_offset:
                    return at, batch.base_offset + delta
        return None

    def covering(self, offset: int) -> list[ModelBatch]:
        return [batch for batch in self.batches if batch.next_offset > offset]


class LogMachine(RuleBasedStateMachine):
    @initialize(
        segment_bytes=st.sampled_from([300, 1000, 100_000]),
        index_interval_bytes=st.sampled_from([1, 100, 500]),
        open_files_max=st.sampled_from([1, 3, 100]),
    )
    def start(self, segment_bytes: int, index_interval_bytes: int, open_files_max: int) -> None:
        self.root = tempfile.TemporaryDirectory(prefix="kafkapy-log-")
        self.directory = Path(self.root.name) / "orders-0"
        self.directory.mkdir()
        self.settings = LogSettings(
            segment_bytes=segment_bytes,
            index_interval_bytes=index_interval_bytes,
            segment_ms=50_000,
            message_timestamp_after_max_ms=2**62,
        )
        self.pool = FilePool(open_files_max)
        self.model = Model()
        self.leader_epoch = 0
        self.log = self.open(clean=True)

    def open(self, *, clean: bool, recovery_point: int = 0) -> PartitionLog:
        return PartitionLog.open(
            self.directory,
            self.settings,
            now_ms=BASE_TIME,
            recovery_point=recovery_point,
            log_start_offset=self.model.log_start_offset,
            clean=clean,
            pool=self.pool,
        )

    @rule(
        ages=st.lists(st.integers(-30_000, 30_000), min_size=1, max_size=4),
        value_size=st.integers(0, 40),
        new_epoch=st.booleans(),
    )
    def append(self, ages: list[int], value_size: int, new_epoch: bool) -> None:
        self.leader_epoch += new_epoch
        timestamps = [BASE_TIME + age for age in ages]
        value = bytes([len(self.model.batches) % 256]) * value_size
        batch = build_batch([NewRecord(timestamp, None, value) for timestamp in timestamps])
        result = self.log.append_as_leader(batch, leader_epoch=self.leader_epoch, now_ms=BASE_TIME)
        assert result.base_offset == self.model.log_end_offset
        self.model.batches.append(ModelBatch(result.base_offset, timestamps, value, self.leader_epoch))
        self.model.log_end_offset = result.last_offset + 1

    @rule(data=st.data(), max_bytes=st.integers(0, 1500))
    def read(self, data: st.DataObject, max_bytes: int) -> None:
        model = self.model
        offset = data.draw(st.integers(model.log_start_offset, model.log_end_offset), label="offset")
        ends = [model.log_end_offset, *(batch.base_offset for batch in model.batches)]
        up_to = data.draw(st.sampled_from(ends), label="up_to")
        piece = self.log.read(offset, max_bytes, up_to_offset=up_to)
        expected = [batch for batch in model.covering(offset) if batch.next_offset <= up_to]
        content = piece.read()
        piece.release()
        got = list(split_batches(content))
        if offset >= up_to or not expected:
            assert not got
            return
        assert got, "at least one batch comes, however large"
        assert len(got) == 1 or len(content) <= max_bytes
        assert piece.next_offset == got[-1][0].next_offset
        for (header, batch), model_batch in zip(got, expected, strict=False):
            assert header.base_offset == model_batch.base_offset
            assert header.partition_leader_epoch == model_batch.leader_epoch
            assert [record.value for record in decode_records(batch)] == [model_batch.value] * header.record_count

    @rule(data=st.data())
    def find_timestamp(self, data: st.DataObject) -> None:
        timestamp = BASE_TIME + data.draw(st.integers(-31_000, 31_000))
        found = self.log.times.offset_for_timestamp(timestamp)
        assert (None if found is None else (found.timestamp, found.offset)) == self.model.first_with_timestamp(
            timestamp
        )

    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(self.model.log_start_offset, self.model.log_end_offset))
        model = self.model
        cut = self.log.truncate_to(offset, now_ms=BASE_TIME)
        assert cut == (offset < model.log_end_offset)
        if not cut:
            return
        holding = model.covering(offset)
        model.log_end_offset = min(offset, holding[0].base_offset) if holding else offset
        model.batches = [batch for batch in model.batches if batch.next_offset <= offset]
        model.log_start_offset = min(model.log_start_offset, model.log_end_offset)

    @precondition(lambda self: self.model.log_end_offset > self.model.log_start_offset)
    @rule(data=st.data())
    def delete_records(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(self.model.log_start_offset, self.model.log_end_offset))
        assert self.log.delete_records_before(offset, now_ms=BASE_TIME) == offset
        self.model.log_start_offset = offset

    @rule(clean=st.booleans(), flushed=st.booleans())
    def reopen(self, clean: bool, flushed: bool) -> None:
        if flushed:
            self.log.flushing.flush()
        recovery_point = self.log.recovery_point
        self.log.close(clean=clean, fsync=False)
        self.log = self.open(clean=clean, recovery_point=recovery_point)

    @rule()
    def unlink_deleted(self) -> None:
        for path in self.log.take_deleted_files(BASE_TIME + self.settings.file_delete_delay_ms):
            path.unlink(missing_ok=True)

    @invariant()
    def agrees(self) -> None:
        model, log = self.model, self.log
        assert (log.log_start_offset, log.log_end_offset) == (model.log_start_offset, model.log_end_offset)
        content = b""
        offset = model.log_start_offset
        while offset < model.log_end_offset:
            piece = log.read(offset, 400)
            assert piece.next_offset > offset
            offset = piece.next_offset
            content += piece.read()
            piece.release()
        got = [(header.base_offset, header.next_offset) for header, _ in split_batches(content)]
        expected = [(batch.base_offset, batch.next_offset) for batch in model.covering(model.log_start_offset)]
        assert got == expected
        infos = log.segments()
        assert [info.next_offset for info in infos[:-1]] == [info.base_offset for info in infos[1:]]
        assert sum(info.size_bytes for info in infos) == log.size_bytes
        for beyond in (model.log_start_offset - 1, model.log_end_offset + 1):
            with pytest.raises(KafkaError) as refused:
                log.read(beyond, 100)
            assert refused.value.code is ErrorCode.OFFSET_OUT_OF_RANGE

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close(clean=False)
            self.root.cleanup()
            assert len(self.pool) == 0, "every descriptor is given back"


TestPartitionLogAgainstLists = LogMachine.TestCase
TestPartitionLogAgainstLists.settings = settings(
    max_examples=MODEL_RUNS,
    stateful_step_count=30,
    derandomize=DERANDOMIZE,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
