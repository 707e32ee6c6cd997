"""Directories as the tools of several releases of Apache Kafka formatted them; see data/README.md."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kafkapy.metadata.formatting import format_data_directory
from kafkapy_controller.features import features_of_new_cluster
from kafkapy_controller.metadata_batches import MetadataBatch, read_snapshot
from kafkapy_controller.metadata_version import parse_release_version
from kafkapy_controller.voters import QuorumMembership, Voter, VoterEndpoint
from kafkapy_log.identity import read_identity
from tests.apis.topic_lab import lab
from tests.metadata.test_controller import METADATA, populate, without_runs

FORMATTED = Path(__file__).parent / "data" / "formatted"
RELEASES = ("3.9.1", "4.0.0", "4.1.0", "4.2.0", "4.3.1", "4.4.0")
FIRST_SNAPSHOT = f"{METADATA}/00000000000000000000-0000000000.checkpoint"


@pytest.mark.parametrize("voters", ["standalone", "voters"])
@pytest.mark.parametrize("release", RELEASES)
def test_a_directory_that_a_release_formatted_begins_its_cluster(tmp_path: Path, release: str, voters: str) -> None:
    directory = tmp_path / "data"
    shutil.copytree(FORMATTED / f"{release}-{voters}", directory)
    identity = read_identity(directory)
    assert identity is not None
    features = features_of_new_cluster({}, parse_release_version(release), voters_in_log=voters == "standalone")
    with lab(directory) as node:
        assert node.store.cluster_id == identity.cluster_id == "5L6g3nShT-eMCtK--X86sw"
        assert node.directory_id == identity.directory_id
        assert node.image.kraft_version == features.pop("kraft.version")
        assert node.image.features == {name: level for name, level in features.items() if level}
        populate(node)
        before = node.image
    assert read_identity(directory) == identity
    with lab(directory) as again:
        assert without_runs(again.image) == without_runs(before)


@pytest.mark.parametrize("voters", ["standalone", "voters"])
def test_we_format_a_directory_as_the_tool_of_the_latest_release_does(tmp_path: Path, voters: str) -> None:
    theirs = FORMATTED / f"4.4.0-{voters}"
    identity = read_identity(theirs)
    assert identity is not None
    kraft_version = int(voters == "standalone")
    voter = Voter(1, identity.directory_id, (VoterEndpoint("CONTROLLER", "localhost", 19093),))
    features = features_of_new_cluster({}, voters_in_log=kraft_version > 0)
    format_data_directory(tmp_path, identity, QuorumMembership(kraft_version, (voter,)), features, now_ms=1)
    assert read_identity(tmp_path) == identity
    ours = read_snapshot((tmp_path / FIRST_SNAPSHOT).read_bytes())
    assert contents(ours) == contents(read_snapshot((theirs / FIRST_SNAPSHOT).read_bytes()))
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files - {".lock"} == {str(path.relative_to(theirs)) for path in theirs.rglob("*") if path.is_file()}


def contents(batches: list[MetadataBatch]) -> list[object]:
    """All but times: the first control record says when the directory was formatted."""
    shown: list[object] = []
    for batch in batches:
        controls = [(record.key, record.value) for record in batch.control_records]
        if batch.base_offset == 0:
            controls[0] = (controls[0][0], b"")
        shown.append((batch.base_offset, batch.epoch, batch.records, controls))
    return shown
