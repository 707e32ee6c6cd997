"""`kafkapy log dump` on what a node has written, and on what a disk may make of it."""

from __future__ import annotations

import json
import os
import random
import struct
from pathlib import Path

import pytest

from kafkapy.cli import main
from kafkapy.dump import DECODERS, Kind, Row, dump
from kafkapy_log.file_names import file_name
from kafkapy_log.indexes import OffsetIndex, TimeIndex
from kafkapy_log.transaction_index import AbortedTransaction, TransactionIndex
from kafkapy_wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from kafkapy_wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from kafkapy_wire.records import Compression, NewRecord, build_batch
from tests.shell.running_node import Client, connect, running_node, trio_test

SEED = 20_261_128
MUTATIONS = 20
"""Of each file."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a topic, a transaction that was aborted, and a committed offset; left cleanly."""
    directory = tmp_path_factory.mktemp("dump") / "data"

    @trio_test
    async def use() -> None:
        settings = {"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1"}
        async with running_node(directory, settings) as node, connect(node) as client:
            await client.create_topic("orders")
            record = NewRecord(1_000, b"key", "größe".encode(), [("h", b"1"), ("none", None)])
            await client.produce_batch("orders", build_batch([record], compression=Compression.GZIP))
            await client.produce_batch("orders", build_batch([NewRecord(2_000, None, b"\xff")]))
            for key_type in (0, 1):  # whoever looks for a coordinator has its topic made
                find = FindCoordinatorRequest(coordinator_keys=["any"], key_type=key_type)
                (found,) = (await client.ask(find, FindCoordinatorResponse, 4)).coordinators
                assert found.error_code == 0
            await abort_a_transaction(client)
            partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=1, committed_metadata="m")
            commit = OffsetCommitRequest(
                group_id="g", topics=[OffsetCommitRequestTopic(name="orders", partitions=[partition])]
            )
            committed = await client.ask(commit, OffsetCommitResponse, 9)
            assert committed.topics[0].partitions[0].error_code == 0

    use()
    return directory


async def abort_a_transaction(client: Client) -> None:
    request = InitProducerIdRequest(transactional_id="t", transaction_timeout_ms=60_000)
    own = await client.ask(request, InitProducerIdResponse, 4)
    topics = [AddPartitionsToTxnTopic(name="orders", partitions=[0])]
    await client.ask(
        AddPartitionsToTxnRequest(
            v3_and_below_transactional_id="t",
            v3_and_below_producer_id=own.producer_id,
            v3_and_below_producer_epoch=own.producer_epoch,
            v3_and_below_topics=topics,
        ),
        AddPartitionsToTxnResponse,
        3,
    )
    batch = build_batch(
        [NewRecord(3_000, b"k", b"aborted")],
        producer_id=own.producer_id,
        producer_epoch=own.producer_epoch,
        base_sequence=0,
        is_transactional=True,
    )
    data = TopicProduceData(name="orders", partition_data=[PartitionProduceData(index=0, records=batch)])
    produce = ProduceRequest(transactional_id="t", acks=-1, timeout_ms=1_000, topic_data=[data])
    await client.ask(produce, ProduceResponse, 9)
    end = EndTxnRequest(
        transactional_id="t", producer_id=own.producer_id, producer_epoch=own.producer_epoch, committed=False
    )
    assert (await client.ask(end, EndTxnResponse, 3)).error_code == 0
    while (await client.fetch("orders", 3)).high_watermark < 4:  # the marker comes after the answer
        pass


def rows_of(path: Path, kind: Kind) -> list[dict[str, object]]:
    return [dict(row.fields) for row in dump(path) if row.kind is kind]


def test_a_segment_batch_by_batch(data: Path) -> None:
    batches = rows_of(data / "orders-0", Kind.BATCH)
    assert [batch["baseOffset"] for batch in batches] == [0, 1, 2, 3]
    assert [batch["compresscodec"] for batch in batches] == ["gzip", "none", "none", "none"]
    sizes = [batch["size"] for batch in batches]
    # The marker is much later than the records: it has a segment of its own.
    assert [batch["position"] for batch in batches] == [0, sizes[0], int(str(sizes[0])) + int(str(sizes[1])), 0]
    assert [batch["isTransactional"] for batch in batches] == [False, False, True, True]
    assert [batch["isControl"] for batch in batches] == [False, False, False, True]
    assert all(batch["isvalid"] for batch in batches)
    first, second, _, marker = rows_of(data / "orders-0", Kind.RECORD)
    assert first == {
        "offset": 0,
        "CreateTime": 1_000,
        "keySize": 3,
        "valueSize": 7,
        "sequence": -1,
        "headers": [["h", "1"], ["none", None]],
        "key": "key",
        "payload": "größe",
    }
    assert (second["key"], second["payload"]) == (None, {"base64": "/w=="})
    assert (marker["endTxnMarker"], marker["coordinatorEpoch"]) == ("ABORT", 0)


def test_records_of_internal_topics_are_decoded_by_the_name_of_the_directory(data: Path) -> None:
    (committed,) = rows_of(data / "__consumer_offsets-0", Kind.RECORD)
    assert committed["key"] == {"type": 1, "data": {"group": "g", "topic": "orders", "partition": 0}}
    payload = json.loads(json.dumps(committed["payload"]))
    assert (payload["data"]["offset"], payload["data"]["metadata"]) == (1, "m")
    transactions = rows_of(data / "__transaction_state-0", Kind.RECORD)
    assert {str(row["key"]) for row in transactions} == {"{'type': 0, 'data': {'transactionalId': 't'}}"}
    metadata = rows_of(data / "__cluster_metadata-0", Kind.RECORD)
    types = {payload["type"] for row in metadata if isinstance(payload := row.get("payload"), dict)}
    assert {"TOPIC_RECORD", "PARTITION_RECORD", "FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD"} <= types
    assert any("LeaderChange" in row for row in metadata)


def test_small_files(data: Path) -> None:
    def only(name: str) -> dict[str, object]:
        (row,) = rows_of(data / name, Kind.ENTRY)
        return row

    assert only("meta.properties")["node.id"] == "1"
    assert set(only("orders-0/partition.metadata")) == {"topicId"}
    assert only("__cluster_metadata-0/quorum-state")["leaderId"] == 1
    assert only("orders-0/leader-epoch-checkpoint") == {"leaderEpoch": 0, "startOffset": 0}
    assert {"topic": "orders", "partition": 0, "offset": 4} in rows_of(
        data / "recovery-point-offset-checkpoint", Kind.ENTRY
    )
    (producer,) = rows_of(data / "orders-0" / file_name(4, ".snapshot"), Kind.ENTRY)
    assert (producer["lastSequence"], producer["lastOffset"]) == (0, 2)
    assert producer["currentTxnFirstOffset"] is None
    (aborted,) = rows_of(data / "orders-0" / file_name(3, ".txnindex"), Kind.ENTRY)
    assert (aborted["firstOffset"], aborted["lastOffset"]) == (2, 3)
    assert rows_of(data / "orders-0" / file_name(0, ".timeindex"), Kind.ENTRY)[-1] == {"timestamp": 3_000, "offset": 2}


def test_a_whole_directory_is_clean(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "dump", str(data)]) == 0
    printed = capsys.readouterr().out
    assert f"Dumping {data}/meta.properties\n" in printed
    assert f"Dumping {data}/orders-0/{file_name(0, '.log')}\nLog starting offset: 0\nbaseOffset: 0 " in printed
    assert '| offset: 0 CreateTime: 1000 keySize: 3 valueSize: 7 sequence: -1 headers: [["h", "1"], ' in printed
    assert "\n!" not in printed
    assert main(["log", "dump", "--json", "--no-records", str(data)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["kind"] for row in rows} == {"file", "batch", "entry", "note"}
    assert all(row["file"].startswith(str(data)) for row in rows)


def test_the_format_of_records_may_be_said(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / file_name(0, ".log")
    copy.write_bytes((data / "__consumer_offsets-0" / file_name(0, ".log")).read_bytes())
    assert main(["log", "dump", str(copy)]) == 0
    assert '"group"' not in capsys.readouterr().out
    assert main(["log", "dump", "--decode", "offsets", str(copy)]) == 0
    assert '"group": "g"' in capsys.readouterr().out
    assert main(["log", "dump", "--decode", "transactions", str(copy)]) == 1


def test_every_format_may_be_chosen() -> None:
    from kafkapy.cli.log import DECODER_NAMES

    assert tuple(DECODERS) == DECODER_NAMES


def test_indexes_are_held_against_the_segment(tmp_path: Path) -> None:
    first, second = (build_batch([NewRecord(n, None, b"v")], base_offset=n) for n in (0, 1))
    (tmp_path / file_name(0, ".log")).write_bytes(first + second)
    index = OffsetIndex()
    index.append(1, len(first))
    path = tmp_path / file_name(0, ".index")
    path.write_bytes(index.to_bytes() + bytes(80))  # as Apache Kafka allocates it
    assert list(dump(path))[1:] == [Row(Kind.ENTRY, {"offset": 1, "position": len(first)})]
    index.append(2, len(first) + 5)
    path.write_bytes(index.to_bytes())
    (wrong,) = rows_of(path, Kind.PROBLEM)
    assert f"at position {len(first) + 5} of the segment is no batch" in str(wrong["text"])
    path.write_bytes(struct.pack(">ii", 0, len(first)))
    (wrong,) = rows_of(path, Kind.PROBLEM)
    assert f"at position {len(first)} of the segment is the batch of offset 1" in str(wrong["text"])
    path.write_bytes(bytes(80))  # of a segment that was not written to yet
    assert [row.kind for row in dump(path)] == [Kind.FILE]
    times = TimeIndex()
    times.maybe_append(7, 1)
    (tmp_path / file_name(0, ".timeindex")).write_bytes(times.to_bytes() + bytes(24))
    assert rows_of(tmp_path / file_name(0, ".timeindex"), Kind.ENTRY) == [{"timestamp": 7, "offset": 1}]
    aborted = TransactionIndex()
    aborted.append(AbortedTransaction(5, 1, 2, 3))
    (tmp_path / file_name(0, ".txnindex")).write_bytes(aborted.to_bytes() + b"torn")
    rows = list(dump(tmp_path / file_name(0, ".txnindex")))
    assert [row.kind for row in rows] == [Kind.FILE, Kind.ENTRY, Kind.PROBLEM]


def test_what_is_damaged_is_said_and_the_rest_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = (build_batch([NewRecord(n, None, b"value")], base_offset=n) for n in (0, 1))
    flipped = bytearray(bad)
    flipped[-3] ^= 1
    path = tmp_path / file_name(0, ".log")
    for content, problem in (
        (good + flipped + good, f"! position {len(good)}: the CRC does not match what is in the batch"),
        (good + bad[:-1], f"! position {len(good)}: a batch of {len(bad)} bytes is cut short after {len(bad) - 1}"),
        (good + b"garbage", f"! position {len(good)}: 7 bytes are left that do not begin with a batch"),
    ):
        path.write_bytes(content)
        assert main(["log", "dump", str(path)]) == 1
        captured = capsys.readouterr()
        assert problem in captured.out
        assert "baseOffset: 0 " in captured.out
        assert captured.err.count("\n") == 1
    path.write_bytes(good + bytes(1000))
    assert main(["log", "dump", str(path)]) == 0
    assert "1000 bytes of zeros follow" in capsys.readouterr().out


def test_what_is_no_file_of_kafka(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert main(["log", "dump", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert f"Dumping {tmp_path}/notes.txt\nnot a file that Kafka writes: passed over" in printed
    assert f"Dumping {tmp_path}/pipe\n! not a regular file" in printed
    assert f"Dumping {tmp_path}/loop\n! not a regular file" in printed
    assert main(["log", "dump", str(tmp_path / "missing")]) == 1
    assert "(No such file or directory)" in capsys.readouterr().out


def test_a_file_that_was_named_and_says_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script that reads the exit code learns that nothing was checked."""
    (tmp_path / "segment.log").write_bytes(bytes(100))
    (tmp_path / "empty").mkdir()
    for name, reason in (("segment.log", "! not a file that Kafka writes: "), ("empty", "! there are no files in ")):
        assert main(["log", "dump", str(tmp_path / name)]) == 1
        assert reason in capsys.readouterr().out


def test_damage_of_any_kind_is_no_reason_for_a_traceback(data: Path, tmp_path: Path) -> None:
    """Bytes flipped, cut out, put in; whole files of noise under every name."""
    seeded = random.Random(SEED)
    count = 0
    for original in sorted(path for path in data.rglob("*") if path.is_file()):
        directory = tmp_path / original.parent.name
        directory.mkdir(exist_ok=True)
        copy = directory / original.name
        content = original.read_bytes()
        for _ in range(MUTATIONS):
            copy.write_bytes(damaged(content, seeded))
            kinds = [row.kind for row in dump(copy)]
            assert kinds[0] is Kind.FILE
            count += Kind.PROBLEM in kinds
        copy.unlink()
    assert count > 40, "most of it is noticed"


def damaged(content: bytes, seeded: random.Random) -> bytes:
    data = bytearray(content or b"\0")
    match seeded.randrange(5):
        case 0:
            data[seeded.randrange(len(data))] ^= 1 << seeded.randrange(8)
        case 1:
            del data[seeded.randrange(len(data)) :]
        case 2:
            position = seeded.randrange(len(data))
            data[position : position + seeded.randrange(16)] = seeded.randbytes(seeded.randrange(16))
        case 3:
            data = bytearray(seeded.randbytes(seeded.randrange(400)))
        case _:
            position = seeded.randrange(len(data))
            data[position : position + 4] = seeded.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"))
    return bytes(data)
