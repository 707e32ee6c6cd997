"""The controller's shell: restarts, snapshots, directories of Apache Kafka, commit order, damaged directories."""

from __future__ import annotations

import resource
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from kafkapy.metadata.altering import ResourceChange
from kafkapy.metadata.broken import BrokenMetadata
from kafkapy.settings.alter import Operation, OperationOn
from kafkapy_controller import MetadataImage
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import ConfigResourceType
from kafkapy_controller.metadata_batches import build_metadata_batch, read_batches, read_snapshot
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.quorum_state import decode_quorum_state
from kafkapy_log import Flush
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_topics import CreateTopicsRequest
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.uuid import ONE_UUID, random_uuid
from tests.apis.topic_lab import Lab, lab, topic

DATA = Path(__file__).parent.parent / "controller" / "data"
METADATA = "__cluster_metadata-0"
LOG = f"{METADATA}/00000000000000000000.log"


def without_runs(image: MetadataImage) -> MetadataImage:
    """The image without what each start changes: registrations, epochs and offsets."""
    topics = {
        name: found._replace(partitions=tuple(p._replace(leader_epoch=0, partition_epoch=0) for p in found.partitions))
        for name, found in image.topics.items()
    }
    by_id = {found.topic_id: found for found in topics.values()}
    return image._replace(offset=0, epoch=0, brokers={}, topics=topics, topics_by_id=by_id)


def configure(node: Lab, name: str, setting: str, value: str, *, validate_only: bool = False) -> None:
    change = ResourceChange(ConfigResourceType.TOPIC, name, [OperationOn(setting, Operation.SET, value)], False)
    assert node.run(node.controller.alter_configs([change], validate_only=validate_only).wait()) == [None]


def populate(node: Lab) -> None:
    node.create(topic("a", 2), topic("b"), topic("c"))
    configure(node, "a", "retention.ms", "5")
    node.run(node.controller.allocate_producer_ids().wait())


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("kraft_version", [0, 1])
def test_a_restart_replays_to_the_same_metadata_in_a_new_epoch(tmp_path: Path, clean: bool, kraft_version: int) -> None:
    node = Lab(tmp_path, {}, fsync=False, kraft_version=kraft_version)
    populate(node)
    before, epoch = node.image, node.metadata_log.epoch
    node.close(clean=clean)
    with lab(tmp_path, kraft_version=kraft_version) as again:
        assert without_runs(again.image) == without_runs(before)
        assert again.metadata_log.epoch == epoch + 1
        assert again.image.topics["a"].partitions[0].leader_epoch == 1
        assert again.broker_epoch > node.broker_epoch
        assert again.run(again.controller.allocate_producer_ids().wait()).first_id == 1000


def test_a_new_directory_is_one_that_kafka_storage_could_have_formatted(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        snapshot = (tmp_path / METADATA / "00000000000000000000-0000000000.checkpoint").read_bytes()
        assert len([record for batch in read_snapshot(snapshot) for record in batch.records]) == 6
        assert not (tmp_path / "bootstrap.checkpoint").exists()
        assert (tmp_path / METADATA / "partition.metadata").read_text() == (
            "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"
        )
        state = decode_quorum_state((tmp_path / METADATA / "quorum-state").read_text())
        assert (state.leader_id, state.leader_epoch) == (1, 1)
        assert node.image.configs[ConfigResourceType.BROKER, ""] == {"min.insync.replicas": "1"}
    written = [record for batch in read_batches((tmp_path / LOG).read_bytes()) for record in batch.records]
    assert [type(record).__name__ for record in written] == [
        "BeginTransactionRecord",
        *["FeatureLevelRecord"] * 6,
        "ConfigRecord",
        "EndTransactionRecord",
        "RegisterBrokerRecord",
        "BrokerRegistrationChangeRecord",
        "BrokerRegistrationChangeRecord",
    ]


def kafka_directory(tmp_path: Path, data: str = "kafka_4_3_1") -> Path:
    """A data directory with the metadata that Apache Kafka wrote."""
    metadata = tmp_path / METADATA
    metadata.mkdir()
    for path in (DATA / data).iterdir():
        if path.suffix in (".log", ".checkpoint"):
            target = tmp_path if path.name == "bootstrap.checkpoint" else metadata
            shutil.copy(path, target / path.name)
    return tmp_path


def test_a_directory_of_apache_kafka_is_led_on(tmp_path: Path) -> None:
    with lab(kafka_directory(tmp_path)) as node:
        assert set(node.image.topics) == {"alpha", "beta", "gone", "__consumer_offsets"}
        assert node.metadata_log.epoch == 2
        for found in node.image.topics.values():
            for partition in found.partitions:
                assert (partition.leader, partition.isr, partition.leader_epoch) == (1, (1,), 2)
        node.create(topic("mine"))
    with lab(tmp_path) as again:
        assert "mine" in again.image.topics


def test_a_snapshot_replaces_the_log_before_it(tmp_path: Path) -> None:
    """The log is emptied below the snapshot's end, as retention would: what it said is in the snapshot."""
    directory = kafka_directory(tmp_path, "snapshot")
    log = tmp_path / LOG
    batches = list(read_batches(log.read_bytes()))
    kept = [batch for batch in batches if batch.base_offset >= 94]
    log.unlink()
    (tmp_path / METADATA / f"{94:020d}.log").write_bytes(
        build_metadata_batch(kept[0].records, 30, base_offset=94, epoch=2, now_ms=0)
    )
    assert len(kept) == 1
    with lab(directory) as node:
        assert set(node.image.topics) == {"alpha", "beta", "gone", "__consumer_offsets"}
        assert node.image.next_producer_id == 1000


def test_a_log_that_lacks_its_beginning_is_refused(tmp_path: Path) -> None:
    metadata = tmp_path / METADATA
    metadata.mkdir()
    batch = build_metadata_batch([m.NoOpRecord()], 30, base_offset=94, epoch=2, now_ms=0)
    (metadata / f"{94:020d}.log").write_bytes(batch)
    with pytest.raises(BrokenMetadata, match=r"no snapshot says what was before.*restore it from a copy"):
        Lab(tmp_path, {}, fsync=False, kraft_version=1)


@pytest.mark.parametrize("name", [f"{METADATA}/00000000000000000000-0000000000.checkpoint", f"{METADATA}/quorum-state"])
def test_damaged_metadata_is_refused_in_one_line_that_says_what_to_do(tmp_path: Path, name: str) -> None:
    with lab(tmp_path):
        pass
    (tmp_path / name).write_bytes(b"\x00garbage")
    with pytest.raises(BrokenMetadata, match=rf"{name} cannot be read \(.*\): delete it") as raised:
        Lab(tmp_path, {}, fsync=False, kraft_version=1)
    assert "\n" not in str(raised.value)


def test_a_transaction_that_was_not_finished_is_aborted(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        populate(node)
        end = node.metadata_log.log.log_end_offset
        begun: list[MetadataRecord] = [
            m.BeginTransactionRecord(name="t"),
            m.TopicRecord(name="half", topic_id=random_uuid()),
        ]
        batch = build_metadata_batch(begun, 30, base_offset=end, epoch=1, now_ms=0)
        node.metadata_log.log.append_as_follower(batch)
        node.store.close(clean=False)
        node.close = lambda clean=True: None  # type: ignore[method-assign,misc]  # it crashed
    with lab(tmp_path) as again:
        assert set(again.image.topics) == {"a", "b", "c"}
        assert again.image.open_transaction is None
        again.create(topic("d"))
    with lab(tmp_path) as third:
        assert set(third.image.topics) == {"a", "b", "c", "d"}


def test_subscribers_have_followed_when_the_answer_leaves(tmp_path: Path) -> None:
    seen: list[tuple[str, list[str], bool]] = []
    with lab(tmp_path) as node:

        def follow(new: MetadataImage, delta: MetadataDelta) -> None:
            seen.append(("first", delta.created_topics, node.metadata.image is new))

        node.metadata.subscribe(follow)
        node.metadata.subscribe(lambda _new, delta: seen.append(("second", delta.created_topics, True)))
        node.create(topic("a"), topic("b"))
        assert seen == [("first", ["a", "b"], True), ("second", ["a", "b"], True)]
        configure(node, "a", "retention.ms", "1", validate_only=True)
        assert len(seen) == 2


def test_with_fsync_decisions_see_each_other_and_share_flushes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lab(tmp_path, fsync=True) as node:
        flushes: list[int] = []
        sync = Flush.sync

        def counted(flush: Flush, **options: bool) -> None:
            flushes.append(flush.end_offset)
            sync(flush, **options)

        monkeypatch.setattr(Flush, "sync", counted)
        errors: list[int] = []
        offsets: list[int] = []
        node.metadata.subscribe(lambda new, _delta: offsets.append(new.offset))

        async def create(name: str) -> None:
            response = await node.controller.create_topics(CreateTopicsRequest(topics=[topic(name)]))
            errors.append(response.topics[0].error_code)
            assert name in node.image.topics

        async def all_at_once() -> None:
            async with trio.open_nursery() as nursery:
                for index in range(20):
                    nursery.start_soon(create, f"t{index // 2}")

        node.run(all_at_once())
        assert sorted(errors) == [ErrorCode.NONE] * 10 + [ErrorCode.TOPIC_ALREADY_EXISTS] * 10
        assert offsets == sorted(offsets)
        assert len(offsets) == 10
        assert len(flushes) <= 3
        assert node.metadata_log.log.recovery_point == node.metadata_log.log.log_end_offset


def test_a_failed_flush_fails_all_that_counted_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Lab(tmp_path, {}, fsync=True, kraft_version=1)
    before = node.image
    codes: list[ErrorCode] = []

    def fail(_: Flush, **_options: bool) -> None:
        raise OSError("disk")

    monkeypatch.setattr(Flush, "sync", fail)

    async def create(name: str) -> None:
        with pytest.raises(KafkaError) as raised:
            await node.controller.create_topics(CreateTopicsRequest(topics=[topic(name)]))
        codes.append(raised.value.code)

    async def all_at_once() -> None:
        async with trio.open_nursery() as nursery:
            for index in range(3):
                nursery.start_soon(create, f"t{index}")

    node.run(all_at_once())
    assert codes == [ErrorCode.KAFKA_STORAGE_ERROR] * 3
    assert node.image is before
    with suppress(KafkaError):  # the store, too, says that the log has failed
        node.store.close(clean=False)


def test_a_full_disk_is_an_error_until_there_is_room(tmp_path: Path) -> None:
    node = Lab(tmp_path, {}, fsync=False, kraft_version=1)
    before = node.image
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / LOG).stat().st_size, limits[1]))
    try:
        for name in ("a", "b"):
            with pytest.raises(KafkaError) as raised:
                node.create(topic(name))
            assert raised.value.code == ErrorCode.KAFKA_STORAGE_ERROR
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert node.image is before
    node.create(topic("b"), topic("c"))
    assert set(node.image.topics) == {"b", "c"}
    node.close()
    with lab(tmp_path) as again:
        assert set(again.image.topics) == {"b", "c"}
        again.create(topic("a"))


def test_many_batches_are_replayed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lab(tmp_path) as node:
        for index in range(50):
            node.create(topic(f"t{index}"))
        before = node.image
    monkeypatch.setattr("kafkapy.metadata.loader.REPLAY_READ_BYTES", 500)
    with lab(tmp_path) as again:
        assert without_runs(again.image) == without_runs(before)


def test_the_metadata_topic_has_its_reserved_id(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        assert node.store.topic_id("__cluster_metadata", 0) == ONE_UUID
