"""Compaction of transactions against plain Python: what a reader of committed records knows never changes.

Random transactions of several producers, interleaved, committed or aborted, cleaned at random moments with the clock
going on. After each cleaning the table of a read_committed consumer is what it was, no record of an aborted transaction
can be seen, an open transaction is untouched, and the producers' state can be read from the log again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kafkapy_log import FilePool, LogSettings
from kafkapy_wire.records import ControlRecordType, build_end_transaction_marker
from tests.log.cleaning import NOW, append, clean_log, open_log, read_batches
from tests.log.model_runs import DERANDOMIZE, MODEL_RUNS

DELETE_RETENTION_MS = 1_000
KEYS = [b"a", b"b", b"c", b"d"]
PRODUCERS = [11, 12, 13]


class TransactionCleanerMachine(RuleBasedStateMachine):
    @initialize(segment_bytes=st.sampled_from([300, 700, 2_000]))
    def start(self, segment_bytes: int) -> None:
        self.root = tempfile.TemporaryDirectory(prefix="kafkapy-cleaner-")
        self.directory = Path(self.root.name) / "orders-0"
        self.settings = LogSettings(
            compact=True,
            delete=False,
            segment_bytes=segment_bytes,
            index_interval_bytes=1,
            delete_retention_ms=DELETE_RETENTION_MS,
            producer_id_expiration_ms=2**62,
        )
        self.pool = FilePool(3)
        self.log = open_log(self.directory, self.settings, pool=self.pool)
        self.now_ms = NOW
        self.checkpoint: int | None = None
        self.sequences = dict.fromkeys(PRODUCERS, 0)
        self.open: dict[int, list[tuple[int, bytes, bytes | None]]] = {}
        self.committed: list[tuple[int, bytes, bytes | None]] = []  # offset, key, value
        self.aborted: set[int] = set()

    @rule(
        producer=st.sampled_from(PRODUCERS),
        records=st.lists(
            st.tuples(st.sampled_from(KEYS), st.one_of(st.none(), st.binary(max_size=6))), min_size=1, max_size=4
        ),
    )
    def produce(self, producer: int, records: list[tuple[bytes, bytes | None]]) -> None:
        base = append(self.log, *records, producer_id=producer, sequence=self.sequences[producer], transactional=True)
        self.sequences[producer] += len(records)
        stored = [(base + delta, key, value) for delta, (key, value) in enumerate(records)]
        self.open.setdefault(producer, []).extend(stored)

    @rule(records=st.lists(st.tuples(st.sampled_from(KEYS), st.binary(max_size=30)), min_size=1, max_size=3))
    def produce_without_transaction(self, records: list[tuple[bytes, bytes | None]]) -> None:
        base = append(self.log, *records)
        self.committed += [(base + delta, key, value) for delta, (key, value) in enumerate(records)]

    @precondition(lambda self: self.open)
    @rule(data=st.data(), commits=st.booleans())
    def end_transaction(self, data: st.DataObject, commits: bool) -> None:
        producer = data.draw(st.sampled_from(sorted(self.open)))
        marker = build_end_transaction_marker(
            ControlRecordType.COMMIT if commits else ControlRecordType.ABORT,
            timestamp=NOW,
            producer_id=producer,
            producer_epoch=0,
            coordinator_epoch=0,
            base_offset=self.log.log_end_offset,
            partition_leader_epoch=0,
        )
        self.log.append_as_follower(marker, now_ms=NOW)
        records = self.open.pop(producer)
        if commits:
            self.committed += records
        else:
            self.aborted.update(offset for offset, _, _ in records)

    @rule(elapsed_ms=st.sampled_from([0, 500, 1_000]), keys_max=st.sampled_from([1, 3, 1_000]))
    def clean(self, elapsed_ms: int, keys_max: int) -> None:
        self.now_ms += elapsed_ms
        last_stable = self.log.last_stable_offset
        above = self.offsets_from(last_stable)
        end, progress = clean_log(self.log, self.checkpoint, now_ms=self.now_ms, keys_max=keys_max)
        if progress.bytes_to_clean:
            assert end <= last_stable
            self.checkpoint = end
        assert self.offsets_from(last_stable) == above, "from the first open transaction on nothing is touched"

    def offsets_from(self, offset: int) -> list[int]:
        return [header.base_offset for header, _ in read_batches(self.log, offset) if header.last_offset >= offset]

    @rule(clean=st.booleans(), lose_snapshots=st.booleans())
    def reopen(self, clean: bool, lose_snapshots: bool) -> None:
        self.log.close(clean=clean, fsync=False)
        if lose_snapshots:
            for path in self.directory.glob("*.snapshot"):
                path.unlink()
        self.log = open_log(self.directory, self.settings, clean=clean, pool=self.pool)

    @invariant()
    def producers_are_known(self) -> None:
        known = {one.producer_id: one for one in self.log.producers.active_producers()}
        for producer, sequence in self.sequences.items():
            if sequence:
                assert known[producer].last_sequence == sequence - 1
                assert (known[producer].current_transaction_first_offset >= 0) == (producer in self.open)

    @invariant()
    def committed_readers_know_the_same(self) -> None:
        last_stable = self.log.last_stable_offset
        assert last_stable == min((records[0][0] for records in self.open.values()), default=self.log.log_end_offset)
        skipping: dict[int, int] = {}
        begins = sorted(self.log.aborted_transactions(0, last_stable), key=lambda aborted: aborted.first_offset)
        table: dict[bytes | None, bytes | None] = {}
        visible: set[int] = set()
        for header, records in read_batches(self.log):
            if header.base_offset >= last_stable:
                break
            while begins and begins[0].first_offset <= header.last_offset:
                aborted = begins.pop(0)
                skipping[aborted.producer_id] = aborted.last_offset
            if header.is_control:
                if skipping.get(header.producer_id) == header.base_offset:
                    del skipping[header.producer_id]
                continue
            if header.is_transactional and header.producer_id in skipping:
                continue
            visible.update(record.offset for record in records)
            table.update((record.key, record.value) for record in records)
        assert not visible & self.aborted
        expected = {key: value for offset, key, value in sorted(self.committed) if offset < last_stable}
        assert {k: v for k, v in table.items() if v is not None} == {k: v for k, v in expected.items() if v is not None}

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close(clean=False)
            self.root.cleanup()


TestTransactionsThroughCompaction = TransactionCleanerMachine.TestCase
TestTransactionsThroughCompaction.settings = settings(
    max_examples=MODEL_RUNS,
    stateful_step_count=40,
    derandomize=DERANDOMIZE,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
