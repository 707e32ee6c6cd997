"""A cluster at each level of metadata.version: what its controller writes, and that it goes on from there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kafkapy.metadata.formatting import format_data_directory
from kafkapy_controller.features import features_of_new_cluster
from kafkapy_controller.metadata_batches import build_metadata_batch
from kafkapy_controller.metadata_records import MetadataRecord, decode_metadata_record, record_version
from kafkapy_controller.metadata_version import LEVEL_NAMES, METADATA_TRANSACTIONS, level_name
from kafkapy_controller.quorum_state import decode_quorum_state
from kafkapy_controller.voters import QuorumMembership, Voter, VoterEndpoint
from kafkapy_log.identity import Identity
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.records import decode_records, split_batches
from kafkapy_wire.uuid import random_uuid
from tests.apis.topic_lab import lab
from tests.metadata.test_controller import LOG, METADATA, populate, without_runs


def format_at(directory: Path, level: int, kraft_version: int) -> None:
    identity = Identity("a-cluster", 1, random_uuid())
    voter = Voter(1, identity.directory_id, (VoterEndpoint("CONTROLLER", "localhost", 9093),))
    features = features_of_new_cluster({}, level, voters_in_log=kraft_version > 0)
    format_data_directory(directory, identity, QuorumMembership(kraft_version, (voter,)), features, now_ms=1)


def frames(directory: Path) -> list[bytes]:
    """Every metadata record as it is in the log."""
    return [
        record.value or b""
        for header, batch in split_batches((directory / LOG).read_bytes())
        if not header.is_control
        for record in decode_records(batch)
    ]


@pytest.mark.parametrize("level", LEVEL_NAMES, ids=level_name)
def test_a_cluster_of_each_level_is_begun_and_led_on_in_records_of_that_level(tmp_path: Path, level: int) -> None:
    kraft_version = level % 2
    format_at(tmp_path, level, kraft_version)
    with lab(tmp_path) as node:
        assert node.store.cluster_id == "a-cluster"
        assert (node.image.metadata_version, node.image.kraft_version) == (level, kraft_version)
        populate(node)
        before = node.image
    with lab(tmp_path) as again:
        assert without_runs(again.image) == without_runs(before)
        assert again.image.topics["a"].partitions[0].leader_epoch == 1

    kinds: Counter[type] = Counter()
    for frame in frames(tmp_path):
        record = decode_metadata_record(frame)
        kinds[type(record)] += 1
        assert frame[2] == record_version(record, level), record
    assert kinds[m.BeginTransactionRecord] == kinds[m.EndTransactionRecord] == (1 if level >= 13 else 0)
    assert kinds[m.RegisterBrokerRecord] == 2
    state = (tmp_path / METADATA / "quorum-state").read_text()
    assert f'"data_version":{kraft_version}' in state
    assert decode_quorum_state(state).leader_id == 1


@pytest.mark.parametrize("level", [12, 13])
def test_a_cluster_whose_beginning_was_not_written_begins_again(tmp_path: Path, level: int) -> None:
    """The controller was killed after its election, or, with metadata transactions, within the first one."""
    format_at(tmp_path, level, 1)
    with lab(tmp_path):
        pass
    header, election = next(iter(split_batches((tmp_path / LOG).read_bytes())))
    left = bytes(election)
    if level >= METADATA_TRANSACTIONS:
        half: list[MetadataRecord] = [m.BeginTransactionRecord(), m.FeatureLevelRecord(name="x", feature_level=9)]
        left += build_metadata_batch(half, level, base_offset=header.next_offset, epoch=1, now_ms=1)
    (tmp_path / LOG).write_bytes(left)
    (tmp_path / ".kafka_cleanshutdown").unlink()
    with lab(tmp_path) as node:
        assert node.image.metadata_version == level
        populate(node)
    with lab(tmp_path) as again:
        assert set(again.image.topics) == {"a", "b", "c"}
