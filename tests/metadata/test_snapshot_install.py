"""A follower that was away gets a snapshot of its leader while it runs: its parts learn what has changed meanwhile,
and a crash or a damaged snapshot on the way leaves it with its old metadata or the new, never with less.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
import trio

from kafkapy.clock import ManualClock
from kafkapy.metadata.broken import BrokenMetadata
from kafkapy.metadata.dynamic_settings import DynamicSettings
from kafkapy.metadata.loader import MetadataLoader
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy.metadata.quorum_start import align_log, quorum_start
from kafkapy.metadata.snapshot_install import install, receive
from kafkapy.metadata.snapshots import SnapshotFiles
from kafkapy.partitions.disk_watch import DiskWatch
from kafkapy.partitions.manager import PartitionManager
from kafkapy.partitions.topic_settings import TopicSettingsSource
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy_controller import ConfigResourceType
from kafkapy_controller.metadata_batches import SnapshotId
from kafkapy_controller.raft.core import SnapshotPart
from kafkapy_controller.raft.messages import FetchSnapshot, FetchSnapshotResult
from kafkapy_controller.raft.quorum import SnapshotInstalled
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC, METADATA_TOPIC_ID
from kafkapy_controller.voters import QuorumMembership, ReplicaKey
from kafkapy_log import LogDirectories, LogStore
from kafkapy_wire.error_code import ErrorCode
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.records import NewRecord, build_batch
from kafkapy_wire.uuid import Uuid
from tests.apis.topic_lab import Lab, lab, topic
from tests.metadata.test_loader import NO_MEMBERS, decide_anything, record
from tests.metadata.test_snapshot_generator import BYTES, RETENTION_MS, end_of

ME = ReplicaKey(1, Uuid(bytes(16)))


class Follower:
    """A node that copies the metadata log of a leader. It is broker 1, as the leader is, so that it has replicas."""

    def __init__(self, directory: Path, leader: Lab) -> None:
        self.leader = leader
        self._is_closed = False
        self._opened: list[Follower] = []
        self.store = LogStore.open(directory, node_id=1, now_ms=0, fsync=False)
        self.log = self.store.create(CLUSTER_METADATA_TOPIC, 0, METADATA_TOPIC_ID, now_ms=0)
        self.snapshots = SnapshotFiles(self.log.directory, fsync=False)
        self.snapshots.load()
        self.publisher = MetadataPublisher()
        self.loader = MetadataLoader(self.log, NO_MEMBERS, self.publisher)
        self.loader.load_snapshot(self.snapshots)
        align_log(self.log, self.snapshots, 0)
        self.start = quorum_start(self.log, self.snapshots, self.loader.membership)
        self.loader.commit(min(self.log.log_end_offset, leader.metadata_log.high_watermark))
        self.seen = record(self.publisher)
        self.settings = CurrentSettings(Settings({"node.id": "1"}))
        dynamic_settings = DynamicSettings(self.settings)
        dynamic_settings.load(self.publisher.image)
        clock = ManualClock()
        self.partitions = PartitionManager(
            LogDirectories([self.store], self.store),
            1,
            TopicSettingsSource(self.settings),
            clock,
            DiskWatch(directory, clock),
            None,
        )
        self.partitions.load(self.publisher.image)
        self.publisher.subscribe(dynamic_settings.follow_metadata)
        self.publisher.subscribe(self.partitions.follow_metadata)

    def follow(self) -> None:
        """Fetch all of the leader's log that is missing here, and commit it."""
        leader = self.leader.metadata_log
        while self.log.log_end_offset < leader.end_offset:
            piece = leader.log.read(self.log.log_end_offset, 1 << 20)
            self.log.append_as_follower(piece.read())
            piece.release()
        self.loader.commit(leader.high_watermark)

    def parts(self, size: int = 700) -> Iterator[SnapshotPart]:
        """Of the leader's newest snapshot, as it serves them."""
        served = SnapshotFiles(self.leader.metadata_log.log.directory, fsync=False)
        served.load()
        assert served.newest is not None
        position, total = 0, 1
        while position < total:
            answer = served.part_for(
                FetchSnapshot(ME, 1, served.newest, position, size), FetchSnapshotResult(ErrorCode.NONE, 1, 1)
            )
            yield SnapshotPart(served.newest, position, answer.data, answer.size)
            position, total = position + len(answer.data), answer.size

    def fetch_snapshot(self) -> SnapshotInstalled:
        content = None
        for part in self.parts():
            assert content is None
            content = receive(part, self.snapshots, self.loader)
        assert content is not None
        return install(content, self.snapshots, self.log, self.loader, 0)

    def produce(self, name: str, value: bytes) -> None:
        data = build_batch([NewRecord(0, None, value)])
        self.partitions.leader(name, 0).log.append_as_leader(data, leader_epoch=0, now_ms=0)

    def restart(self, *, clean: bool = False) -> Follower:
        """Close it, or crash, and start on its directory."""
        self.close(clean=clean)
        self._opened.append(Follower(self.store.directory, self.leader))
        return self._opened[-1]

    def close(self, *, clean: bool = False) -> None:
        for opened in self._opened:
            opened.close()
        if not self._is_closed:
            self._is_closed = True
            self.store.close(clean=clean)


@contextmanager
def leader_and_follower(tmp_path: Path, *, kraft_version: int = 1) -> Iterator[tuple[Lab, Follower]]:
    given = {BYTES: "1", RETENTION_MS: "0"}
    with lab(tmp_path / "leader", given, kraft_version=kraft_version) as leader:
        follower = Follower(tmp_path / "follower", leader)
        try:
            yield leader, follower
        finally:
            follower.close()


def cut(leader: Lab) -> SnapshotId:
    """Have the leader write a snapshot and delete its log below."""
    leader.broker.clock.advance(10)
    written = end_of(leader)
    trio.run(leader.snapshot_generator.check)
    assert leader.metadata_log.log.log_start_offset == written.end_offset
    return written


def delete(leader: Lab, name: str) -> None:
    leader.run(leader.controller.delete_topics(DeleteTopicsRequest(topic_names=[name], timeout_ms=10_000)))


def configure(leader: Lab, kind: ConfigResourceType, name: str, setting: str, value: str | None) -> None:
    leader.controller._append(
        [m.ConfigRecord(resource_type=kind, resource_name=name, name=setting, value=value)],
    )
    leader.metadata_log.flush()


def test_the_parts_of_a_node_learn_what_has_changed_meanwhile(tmp_path: Path) -> None:
    with leader_and_follower(tmp_path) as (leader, follower):
        leader.create(topic("gone"), topic("again", 2), topic("grown", 1), topic("kept"))
        configure(leader, ConfigResourceType.TOPIC, "kept", "retention.ms", "1")
        configure(leader, ConfigResourceType.BROKER, "", "log.retention.ms", "777")
        follower.follow()
        for name in ("gone", "again", "grown", "kept"):
            follower.produce(name, b"old")
        assert follower.settings.now.topic_defaults.retention_ms == 777

        delete(leader, "gone")
        delete(leader, "again")
        leader.create(topic("again", 1), topic("new"))
        configure(leader, ConfigResourceType.TOPIC, "kept", "retention.ms", None)
        configure(leader, ConfigResourceType.TOPIC, "grown", "retention.ms", "2")
        configure(leader, ConfigResourceType.BROKER, "", "log.retention.ms", "888")
        written = cut(leader)
        follower.seen.clear()
        event = follower.fetch_snapshot()

        assert event.snapshot == written
        assert event.membership.voter_ids == [1]
        assert follower.loader.image == leader.image
        (seen,) = follower.seen
        assert seen.image is follower.loader.image
        assert seen.created == ["again", "new"]
        assert sorted(seen.deleted) == ["again", "gone"]
        assert sorted(seen.partitions) == [("again", 0), ("new", 0)]
        assert seen.configs == {
            (ConfigResourceType.TOPIC, "kept"),
            (ConfigResourceType.TOPIC, "grown"),
            (ConfigResourceType.BROKER, ""),
        }
        assert seen.brokers == set()

        assert follower.settings.now.topic_defaults.retention_ms == 888
        assert follower.partitions.leader("kept", 0).log.log_end_offset == 1
        assert follower.partitions.leader("kept", 0).log.settings.retention_ms == 888
        assert follower.partitions.leader("grown", 0).log.settings.retention_ms == 2
        assert follower.partitions.leader("again", 0).log.log_end_offset == 0
        assert follower.partitions.leader("new", 0).log.log_end_offset == 0
        with pytest.raises(KafkaError) as unknown:
            follower.partitions.leader("gone", 0)
        assert unknown.value.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.mark.parametrize("seed", range(4))
def test_a_follower_that_sleeps_now_and_then_comes_to_the_leaders_images(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    with leader_and_follower(tmp_path, kraft_version=seed % 2) as (leader, follower):
        for _ in range(12):
            for _ in range(random.randrange(1, 8)):
                decide_anything(leader, random)
            if random.randrange(2):
                snapshot = cut(leader)
                if follower.log.log_end_offset < snapshot.end_offset:
                    follower.fetch_snapshot()
                    assert list(follower.snapshots.known) == [snapshot]
                    assert follower.log.log_start_offset == follower.log.log_end_offset == snapshot.end_offset
            follower.follow()
            assert follower.loader.image == leader.image
            assert follower.partitions.count("a") == len(
                leader.image.topics["a"].partitions if "a" in leader.image.topics else ()
            )


def test_after_a_restart_the_follower_goes_on_from_the_snapshot(tmp_path: Path) -> None:
    with leader_and_follower(tmp_path) as (leader, follower):
        leader.create(topic("a"))
        written = cut(leader)
        follower.fetch_snapshot()
        for clean in (True, False):
            again = follower.restart(clean=clean)
            assert again.loader.image == leader.image
            assert again.start.snapshot == written
            assert (again.start.log_start_offset, again.start.log_start_epoch) == written
            assert again.start.epochs.end_of(written.epoch) == (written.epoch, written.end_offset)
            assert again.start.members.latest.voter_ids == [1]
            follower = again
        leader.create(topic("b"))
        follower.follow()
        assert follower.loader.image == leader.image


def test_a_crash_before_the_snapshot_has_its_name_leaves_the_old_metadata(tmp_path: Path) -> None:
    with leader_and_follower(tmp_path) as (leader, follower):
        leader.create(topic("a"))
        follower.follow()
        image, end_offset = follower.loader.image, follower.log.log_end_offset
        leader.create(topic("b"))
        cut(leader)
        for part in follower.parts():
            if not part.is_last:
                receive(part, follower.snapshots, follower.loader)
        assert [name for name in os.listdir(follower.log.directory) if name.endswith(".part")]
        again = follower.restart()
        assert again.loader.image == image
        assert again.log.log_end_offset == end_offset
        assert not [name for name in os.listdir(again.log.directory) if name.endswith(".part")]
        again.fetch_snapshot()
        assert again.loader.image == leader.image


def test_a_crash_before_the_log_is_cut_is_completed_by_the_next_start(tmp_path: Path) -> None:
    with leader_and_follower(tmp_path) as (leader, follower):
        leader.create(topic("a"))
        follower.follow()
        leader.create(topic("b"))
        written = cut(leader)
        for part in follower.parts():
            receive(part, follower.snapshots, follower.loader)
        again = follower.restart()
        assert again.loader.image == leader.image
        assert again.log.log_start_offset == again.log.log_end_offset == written.end_offset
        assert list(again.snapshots.known) == [written]
        leader.create(topic("c"))
        again.follow()
        assert again.loader.image == leader.image


def test_a_log_that_has_gone_another_way_is_given_up_for_the_snapshot(tmp_path: Path) -> None:
    """It is longer than the snapshot, but its end is of an older epoch and was never committed."""
    with leader_and_follower(tmp_path) as (leader, follower):
        leader.create(topic("a"))
        follower.follow()
        committed = follower.log.log_end_offset
        for offset in range(committed, committed + 50):
            other = build_batch([NewRecord(0, None, b"x")], base_offset=offset, partition_leader_epoch=1)
            follower.log.append_as_follower(other)
        snapshot = SnapshotId(committed + 10, 2)
        written = cut(leader)
        source = leader.metadata_log.log.directory / written.file_name
        (follower.log.directory / snapshot.file_name).write_bytes(source.read_bytes())
        again = follower.restart()
        assert again.log.log_start_offset == again.log.log_end_offset == snapshot.end_offset
        assert again.start.epochs.last_epoch == 2


@pytest.mark.parametrize("damage", ["flipped", "cut", "poisoned"])
def test_a_damaged_snapshot_stops_the_node_which_keeps_its_own_metadata(tmp_path: Path, damage: str) -> None:
    with leader_and_follower(tmp_path) as (leader, follower):
        leader.create(topic("a"))
        follower.follow()
        image, end_offset = follower.loader.image, follower.log.log_end_offset
        leader.create(topic("b"))
        written = cut(leader)
        file = leader.metadata_log.log.directory / written.file_name
        data = bytearray(file.read_bytes())
        if damage == "flipped":
            data[-100] ^= 1
        elif damage == "cut":
            del data[-75:]
        else:
            from kafkapy_controller.metadata_batches import build_snapshot

            features = [m.FeatureLevelRecord(name="metadata.version", feature_level=33)]
            data = bytearray(build_snapshot([*features, m.FenceBrokerRecord(id=9)], None, 33, now_ms=0))
        file.write_bytes(data)
        with pytest.raises(BrokenMetadata) as broken:
            follower.fetch_snapshot()
        message = str(broken.value)
        assert message.startswith(f"{follower.log.directory / written.file_name}.part cannot be read (")
        assert "start it again and it fetches the leader's snapshot again" in message
        assert "\n" not in message
        assert follower.loader.image is image
        assert follower.log.log_end_offset == end_offset
        again = follower.restart()
        assert again.loader.image == image


def test_the_voters_of_the_settings_hold_where_the_log_names_none(tmp_path: Path) -> None:
    with leader_and_follower(tmp_path, kraft_version=0) as (leader, follower):
        leader.create(topic("a"))
        cut(leader)
        assert follower.fetch_snapshot().membership == QuorumMembership(0, ())
        assert follower.loader.membership == NO_MEMBERS
