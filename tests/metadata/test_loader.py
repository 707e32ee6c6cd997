"""The loader: a leader's images and those of who only reads its log are equal; nobody sees beyond what is committed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from kafkapy.metadata.altering import ResourceChange
from kafkapy.metadata.loader import MetadataLoader
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy.metadata.snapshots import SnapshotFiles
from kafkapy.settings.alter import Operation, OperationOn
from kafkapy_controller import ConfigResourceType, MetadataImage
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.voters import QuorumMembership
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest
from tests.apis.topic_lab import Lab, lab, topic

NO_MEMBERS = QuorumMembership(0, ())


class Seen(NamedTuple):
    """What a subscriber learns of one image."""

    image: MetadataImage
    created: list[str]
    deleted: list[str]
    partitions: list[tuple[str, int]]
    configs: set[tuple[int, str]]
    brokers: set[int]


class Follower:
    """A loader on a log that somebody else writes, and all that it has published."""

    def __init__(self, node: Lab, directory: Path) -> None:
        publisher = MetadataPublisher()
        self.seen = record(publisher)
        self.publisher = publisher
        self.loader = MetadataLoader(node.metadata_log.log, NO_MEMBERS, publisher)
        snapshots = SnapshotFiles(directory / "__cluster_metadata-0", fsync=False)
        snapshots.load()
        self.loader.load_snapshot(snapshots)


def record(publisher: MetadataPublisher) -> list[Seen]:
    seen: list[Seen] = []

    def note(image: MetadataImage, delta: MetadataDelta) -> None:
        deleted = [gone.name for gone in delta.deleted_topics]
        seen.append(
            Seen(
                image,
                delta.created_topics,
                deleted,
                delta.changed_partitions,
                set(delta.changed_configs),
                delta.changed_brokers,
            )
        )

    publisher.subscribe(note)
    return seen


def decide_anything(node: Lab, random: Random) -> None:
    name = random.choice("abc")
    match random.randrange(5):
        case 0:
            node.run(node.controller.create_partitions(grow(name, random.randrange(1, 5))))
        case 1:
            node.run(node.controller.delete_topics(DeleteTopicsRequest(topic_names=[name], timeout_ms=10_000)))
        case 2:
            value = random.choice(["1", "2"])
            change = ResourceChange(
                ConfigResourceType.TOPIC, name, [OperationOn("retention.ms", Operation.SET, value)], False
            )
            node.run(node.controller.alter_configs([change], validate_only=False).wait())
        case 3:
            node.run(node.controller.allocate_producer_ids().wait())
        case _:
            if name not in node.image.topics:
                node.create(topic(name, random.randrange(1, 4)))


def grow(name: str, count: int) -> CreatePartitionsRequest:
    return CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name=name, count=count, assignments=None)], timeout_ms=10_000
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_follower_publishes_what_the_leader_has_published(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    with lab(tmp_path) as node:
        follower = Follower(node, tmp_path)
        follower.loader.commit(node.metadata_log.high_watermark)
        assert follower.publisher.image == node.image
        follower.seen.clear()
        led = record(node.metadata)
        for _ in range(60):
            decide_anything(node, random)
            follower.loader.commit(node.metadata_log.high_watermark)
        assert follower.seen == led
        assert len(led) > 20


def test_who_reads_late_comes_to_the_same_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(7)
    with lab(tmp_path) as node:
        images = record(node.metadata)
        for _ in range(40):
            decide_anything(node, random)
        monkeypatch.setattr("kafkapy.metadata.loader.REPLAY_READ_BYTES", 300)
        follower = Follower(node, tmp_path)
        for seen in images:
            follower.loader.commit(seen.image.offset + 1)
            assert follower.loader.image == seen.image
        assert follower.loader.membership.voter_ids == [1]


def test_what_is_appended_and_not_committed_is_not_seen(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"))
        committed = node.metadata_log.high_watermark
        before = node.image
        node.create(topic("b"))
        follower = Follower(node, tmp_path)
        follower.loader.commit(committed)
        assert follower.loader.image == before
        follower.loader.commit(committed)  # said again, as a leader does
        assert follower.loader.image == before
        follower.loader.commit(node.metadata_log.end_offset)
        assert follower.loader.image == node.image


def test_an_image_that_does_not_follow_the_last_one_is_a_bug(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        follower = Follower(node, tmp_path)
        with pytest.raises(AssertionError, match="an image was left out"):
            follower.loader.decided(node.image, MetadataDelta(node.image))


def test_a_long_log_is_loaded_in_many_short_steps(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        for number in range(30):
            node.create(topic(f"t{number}", 50))
        node.create(topic("large", 700))  # in batches of their own
        follower = Follower(node, tmp_path)
        steps = 0
        for _ in follower.loader.load(node.metadata_log.high_watermark):
            steps += 1
            assert follower.loader.image == follower.publisher.image
        assert follower.loader.image == node.image
        assert steps > 2_200 / 200
        changed = [len(seen.partitions) for seen in follower.seen]
        assert max(changed) < 2_200 / 3, "an image has a few of the changes"
        assert list(follower.loader.load(node.metadata_log.high_watermark)) == []
        node.create(topic("one", 10))
        assert list(follower.loader.load(node.metadata_log.high_watermark)) == [], "what is short is loaded at once"
