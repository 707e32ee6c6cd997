"""Damaged files of the metadata: each is named, with what to do, and doing that helps."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kafkapy.metadata.broken import BrokenMetadata
from kafkapy_controller.bootstrap import feature_records
from kafkapy_controller.metadata_batches import build_metadata_batch, build_snapshot, read_batches, read_snapshot
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.voters import QuorumMembership
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.records import split_batches
from kafkapy_wire.uuid import random_uuid
from tests.apis.topic_lab import Lab, lab
from tests.metadata.test_controller import LOG, METADATA, populate
from tests.metadata.test_levels import format_at

BOOTSTRAP = "bootstrap.checkpoint"
QUORUM_STATE = f"{METADATA}/quorum-state"
VOTERS = f"{METADATA}/00000000000000000000-0000000000.checkpoint"


def refusal(directory: Path) -> str:
    with pytest.raises(BrokenMetadata) as refused:
        Lab(directory, {}, fsync=False, kraft_version=1)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def bootstrap_of(*records: MetadataRecord) -> bytes:
    return build_snapshot(records, None, 33, now_ms=0)


def flipped(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


@pytest.mark.parametrize("release", ["4.3", "4.4"])
@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (lambda data: b"", r"the snapshot has no footer"),
        (lambda data: data[:-1], r"batch of 75 bytes"),
        (lambda data: data[:-75], r"the snapshot has no footer"),
        (lambda data: data[-75:], r"a batch begins at offset \d+, and the one before it ends at 0"),
        (flipped, r"does not match its CRC"),
        (lambda data: b"\x00garbage", r""),
        (lambda data: bootstrap_of(m.NoOpRecord()), r"it holds no level of metadata\.version"),
        (
            lambda data: bootstrap_of(m.FeatureLevelRecord(name="metadata.version", feature_level=34)),
            r"its metadata\.version is at level 34",
        ),
        (
            lambda data: bootstrap_of(*feature_records(), m.FeatureLevelRecord(name="news.version", feature_level=1)),
            r"its news\.version is at level 1",
        ),
    ],
)
def test_a_damaged_file_with_the_features_of_a_new_cluster_is_named(
    tmp_path: Path, damaged: Callable[[bytes], bytes], reason: str, release: str, caplog: pytest.LogCaptureFixture
) -> None:
    format_at(tmp_path, 20, 1)
    file = tmp_path / VOTERS
    if release == "4.3":
        format_as_before_4_4(tmp_path)
        file = tmp_path / BOOTSTRAP
    file.write_bytes(damaged(file.read_bytes()))
    message = refusal(tmp_path)
    assert message.startswith(f"{file} cannot be read (")
    assert re.search(reason, message)
    assert ": delete it, and the new cluster begins with metadata.version 4.4-IV2, or format an empty" in message
    file.unlink()
    with lab(tmp_path) as node:
        assert node.image.metadata_version == 33
    assert caplog.records == []


def format_as_before_4_4(directory: Path) -> None:
    """Move the features to the file where Apache Kafka had them before 4.4."""
    batches = read_snapshot((directory / VOTERS).read_bytes())
    records = [record for batch in batches for record in batch.records]
    (directory / BOOTSTRAP).write_bytes(build_snapshot(records, None, 33, now_ms=0))
    membership = QuorumMembership(0, ())
    for batch in batches:
        for record in batch.control_records:
            membership = membership.replay(record)
    (directory / VOTERS).write_bytes(build_snapshot([], membership, 33, now_ms=0))


def test_a_cluster_that_has_begun_needs_no_bootstrap_checkpoint_and_says_that_it_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    format_at(tmp_path, 20, 1)
    format_as_before_4_4(tmp_path)
    with lab(tmp_path) as node:
        populate(node)
    file = tmp_path / BOOTSTRAP
    file.write_bytes(flipped(file.read_bytes()))
    with lab(tmp_path) as node:
        assert set(node.image.topics) == {"a", "b", "c"}
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert warning.getMessage().startswith(f"{file} cannot be read (")
    assert warning.getMessage().endswith("but Apache Kafka would not start with it; delete it")
    caplog.clear()
    file.unlink()
    with lab(tmp_path) as node:
        assert node.image.metadata_version == 20
    assert caplog.records == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00garbage",
        b"\xff\xfe",
        b"[]",
        b'"leaderId"',
        b"[" * 100_000,
        b'{"leaderId":1,"leaderEpoch":1}',
        b'{"leaderId":1,"leaderEpoch":-1,"votedId":-1}',
        b'{"leaderId":1,"leaderEpoch":2147483647,"votedId":-1}',
        b'{"leaderId":1,"leaderEpoch":1e400,"votedId":-1}',
        b'{"leaderId":1,"leaderEpoch":' + b"9" * 5_000 + b',"votedId":-1}',
        b'{"leaderId":4294967296,"leaderEpoch":1,"votedId":-1}',
        b'{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"short"}',
        b'{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":7}',
        b" " * (2 << 20),
    ],
    ids=lambda content: f"{content[:40]!r}-{len(content)}",
)
def test_a_damaged_quorum_state_is_named_and_can_be_deleted(tmp_path: Path, content: bytes) -> None:
    with lab(tmp_path) as node:
        populate(node)
    epoch = node.metadata_log.epoch
    (tmp_path / QUORUM_STATE).write_bytes(content)
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / QUORUM_STATE} cannot be read (")
    assert message.endswith(": delete it: this node votes alone, and its log says what the file said")
    assert len(message) < 400
    (tmp_path / QUORUM_STATE).unlink()
    with lab(tmp_path) as node:
        assert set(node.image.topics) == {"a", "b", "c"}
        assert node.metadata_log.epoch == epoch + 1


def test_a_damaged_snapshot_that_the_log_can_do_without_can_be_deleted(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        populate(node)
    (tmp_path / VOTERS).write_bytes(flipped((tmp_path / VOTERS).read_bytes()))
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / VOTERS} cannot be read (the batch at offset")
    assert message.endswith(": delete it: the log has all that the file said")
    (tmp_path / VOTERS).unlink()
    with lab(tmp_path) as node:
        assert set(node.image.topics) == {"a", "b", "c"}
        assert node.image.kraft_version == 1


def test_a_damaged_snapshot_that_stands_for_the_beginning_of_the_log_is_to_be_restored(tmp_path: Path) -> None:
    (tmp_path / METADATA).mkdir()
    file = tmp_path / METADATA / f"{94:020d}-0000000002.checkpoint"
    file.write_bytes(bootstrap_of(*feature_records())[:-1])
    batch = build_metadata_batch([m.NoOpRecord()], 33, base_offset=94, epoch=2, now_ms=0)
    (tmp_path / METADATA / f"{94:020d}.log").write_bytes(batch)
    message = refusal(tmp_path)
    assert message.startswith(f"{file} cannot be read (")
    assert message.endswith(": restore it from a copy, or start with an empty directory")


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (
            lambda batches: [*batches[:3], flipped(batches[3]), *batches[4:]],
            r"the batch at offset \d+ does not match its",
        ),
        (
            lambda batches: [*batches[:3], *batches[4:]],
            r"a batch begins at offset \d+, and the one before it ends at \d+",
        ),
        (
            lambda batches: [*batches[:4], *batches[3:]],
            r"a batch begins at offset \d+, and the one before it ends at \d+",
        ),
    ],
)
def test_a_damaged_log_is_named(tmp_path: Path, damaged: Callable[[list[bytes]], list[bytes]], reason: str) -> None:
    with lab(tmp_path) as node:
        populate(node)
    batches = [bytes(batch) for _, batch in split_batches((tmp_path / LOG).read_bytes())]
    (tmp_path / LOG).write_bytes(b"".join(damaged(batches)))
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / LOG} cannot be read (")
    assert re.search(reason, message)
    assert message.endswith("): restore it from a copy, or start with an empty directory")


TOPIC_ID = random_uuid()


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([m.PartitionRecord(topic_id=TOPIC_ID, replicas=[1])], "which no record before it has made"),
        ([m.PartitionChangeRecord(topic_id=TOPIC_ID)], "which no record before it has made"),
        ([m.RemoveTopicRecord(topic_id=TOPIC_ID)], "which no record before it has made"),
        ([m.FenceBrokerRecord(id=9)], "a record changes 9, which no record before it has made"),
        ([m.UnregisterBrokerRecord(broker_id=9)], "a record changes 9, which no record before it has made"),
        ([m.BrokerRegistrationChangeRecord(broker_id=9)], "a record changes 9, which no record before it has made"),
        ([m.UnregisterControllerRecord(controller_id=9)], "a record changes 9, which no record before it has made"),
        (
            [m.TopicRecord(name="x", topic_id=TOPIC_ID), m.PartitionRecord(topic_id=TOPIC_ID, partition_id=3)],
            "partition 0 of topic x was not made, but others were",
        ),
        (
            [
                m.TopicRecord(name="x", topic_id=TOPIC_ID),
                m.PartitionRecord(topic_id=TOPIC_ID, replicas=[1], isr=[1], leader=1),
                m.PartitionChangeRecord(topic_id=TOPIC_ID, leader_recovery_state=7),
            ],
            "7 is not a valid LeaderRecoveryState",
        ),
        ([m.FeatureLevelRecord(name="metadata.version", feature_level=34)], "its metadata.version is at level 34"),
        ([m.FeatureLevelRecord(name="metadata.version", feature_level=6)], "its metadata.version is at level 6"),
        ([m.FeatureLevelRecord(name="metadata.version", feature_level=0)], "its log says no level of metadata.version"),
        ([m.FeatureLevelRecord(name="group.version", feature_level=2)], "its group.version is at level 2"),
    ],
)
def test_a_log_whose_records_make_no_sense_is_refused(
    tmp_path: Path, records: list[MetadataRecord], reason: str
) -> None:
    with lab(tmp_path) as node:
        populate(node)
    log = tmp_path / LOG
    *_, last = read_batches(log.read_bytes())
    forged = build_metadata_batch(records, 33, base_offset=last.last_offset + 1, epoch=1, now_ms=0)
    log.write_bytes(log.read_bytes() + forged)
    message = refusal(tmp_path)
    assert reason in message
    assert str(tmp_path / METADATA) in message


def test_a_log_without_features_that_says_something_is_not_begun_anew(tmp_path: Path) -> None:
    """As Apache Kafka before 3.3 wrote it: to begin it again would lose it."""
    (tmp_path / METADATA).mkdir()
    records: list[MetadataRecord] = [m.TopicRecord(name="x", topic_id=TOPIC_ID)]
    (tmp_path / LOG).write_bytes(build_metadata_batch(records, 7, base_offset=0, epoch=1, now_ms=0))
    assert "(its log says no level of metadata.version): use a release of Apache Kafka that reads it" in refusal(
        tmp_path
    )
