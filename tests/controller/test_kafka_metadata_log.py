"""What Apache Kafka 4.3.1 wrote is read to the same metadata; see data/README.md for how it came to be."""

from __future__ import annotations

from pathlib import Path

from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import EMPTY_IMAGE, ConfigResourceType, Endpoint, MetadataImage
from kafkapy_controller.metadata_batches import SnapshotId, read_batches, read_snapshot
from kafkapy_controller.metadata_records import MetadataRecord, encode_metadata_record
from kafkapy_controller.quorum_state import QuorumState, decode_quorum_state, encode_quorum_state
from kafkapy_controller.voters import QuorumMembership, VoterEndpoint
from kafkapy_wire.record_formats import metadata as m
from kafkapy_wire.records import decode_records, split_batches
from kafkapy_wire.uuid import parse_uuid

from .clusters import replayed

DATA = Path(__file__).parent / "data" / "kafka_4_3_1"
SNAPSHOT_DATA = Path(__file__).parent / "data" / "snapshot"
LOG = "00000000000000000000.log"
TOPIC, BROKER, CLIENT_METRICS = ConfigResourceType.TOPIC, ConfigResourceType.BROKER, ConfigResourceType.CLIENT_METRICS


def loaded(log: bytes, image: MetadataImage = EMPTY_IMAGE) -> MetadataImage:
    for batch in read_batches(log):
        if batch.base_offset > image.offset:
            image = replayed(image, batch.records, batch.last_offset, batch.epoch)
    return image


def records_of(log: bytes) -> list[MetadataRecord]:
    return [record for batch in read_batches(log) for record in batch.records]


def test_the_log_of_kafka_gives_the_image_its_tools_describe() -> None:
    image = loaded((DATA / LOG).read_bytes())

    assert (image.offset, image.epoch) == (67, 1)
    assert image.features == {
        "metadata.version": 30,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "share.version": 1,
        "streams.version": 1,
        "transaction.version": 2,
    }
    assert {name: len(topic.partitions) for name, topic in image.topics.items()} == {
        "alpha": 3,
        "beta": 4,
        "gone": 1,
        "__consumer_offsets": 2,
    }
    assert image.configs == {
        (BROKER, ""): {"min.insync.replicas": "1"},
        (BROKER, "1"): {"log.cleaner.threads": "2"},
        (TOPIC, "alpha"): {"cleanup.policy": "compact"},
        (TOPIC, "beta"): {"max.message.bytes": "2000000", "min.insync.replicas": "1"},
        (TOPIC, "__consumer_offsets"): {
            "cleanup.policy": "compact",
            "compression.type": "producer",
            "segment.bytes": "104857600",
        },
        (CLIENT_METRICS, "cm1"): {"interval.ms": "1000"},
    }
    assert image.next_producer_id == 1000
    assert image.client_quotas == {(("client-id", None), ("user", "erin")): {"producer_byte_rate": 1024.0}}
    assert [(user, mechanism) for user, mechanism in image.scram_credentials] == [("carol", 1)]
    assert [acl.resource_name for acl in image.acls.values()] == ["alpha"]
    assert image.open_transaction is None


def test_a_stopped_kafka_leaves_its_broker_fenced_and_its_partitions_to_the_elr() -> None:
    image = loaded((DATA / LOG).read_bytes())
    broker = image.brokers[1]

    assert broker.fenced
    assert broker.in_controlled_shutdown
    assert broker.endpoints == {"PLAINTEXT": Endpoint("PLAINTEXT", "localhost", 19092, 0)}
    assert image.controllers[1].endpoints == {"CONTROLLER": Endpoint("CONTROLLER", "localhost", 19093, 0)}
    for topic in image.topics.values():
        for partition in topic.partitions:
            assert (partition.replicas, partition.isr, partition.leader) == ((1,), (), -1)
            assert (partition.leader_epoch, partition.partition_epoch) == (1, 1)
            assert (partition.eligible_leader_replicas, partition.last_known_elr) == ((1,), (1,))
            assert partition.directories == broker.log_dirs


def test_a_topic_made_again_under_its_old_name_has_a_new_id_and_no_old_settings() -> None:
    ids = [
        record.topic_id
        for record in records_of((DATA / LOG).read_bytes())
        if isinstance(record, m.TopicRecord) and record.name == "gone"
    ]
    image = loaded((DATA / LOG).read_bytes())

    assert len(set(ids)) == 2
    assert image.topics["gone"].topic_id == ids[-1]
    assert ids[0] not in image.topics_by_id
    assert (TOPIC, "gone") not in image.configs


def test_records_are_encoded_as_kafka_encoded_them() -> None:
    values = [
        record.value
        for header, batch in split_batches((DATA / LOG).read_bytes())
        if not header.is_control
        for record in decode_records(batch)
    ]
    records = records_of((DATA / LOG).read_bytes())
    assert [encode_metadata_record(record, metadata_version=30) for record in records] == values


def test_the_bootstrap_snapshots_are_read() -> None:
    features = [
        record for batch in read_snapshot((DATA / "bootstrap.checkpoint").read_bytes()) for record in batch.records
    ]
    assert all(isinstance(record, m.FeatureLevelRecord) for record in features)
    assert replayed(EMPTY_IMAGE, features, 0, 0).metadata_version == 30

    membership = QuorumMembership(0, ())
    for batch in read_snapshot((DATA / SnapshotId(0, 0).file_name).read_bytes()):
        for record in batch.control_records:
            membership = membership.replay(record)
    assert membership.kraft_version == 1
    assert [(voter.node_id, voter.endpoints) for voter in membership.voters] == [
        (1, (VoterEndpoint("CONTROLLER", "localhost", 19093),))
    ]


def test_a_snapshot_of_kafka_stands_for_the_log_before_it() -> None:
    newest = max(filter(None, (SnapshotId.parse(path.name) for path in SNAPSHOT_DATA.iterdir())))
    assert newest.end_offset > 0
    delta = MetadataDelta()
    for batch in read_snapshot((SNAPSHOT_DATA / newest.file_name).read_bytes()):
        for record in batch.records:
            delta.replay(record)
    from_snapshot = delta.apply(newest.end_offset - 1, newest.epoch)

    image = EMPTY_IMAGE
    for batch in read_batches((SNAPSHOT_DATA / LOG).read_bytes()):
        if batch.base_offset < newest.end_offset:
            image = replayed(image, batch.records, batch.last_offset, batch.epoch)

    # Kafka 4.3.1 forgot to forget: when it loads the settings and the deletion of a topic at once, the settings stay.
    assert from_snapshot.resource_configs(TOPIC, "gone") == {"segment.bytes": "1048576"}
    configs = {resource: values for resource, values in from_snapshot.configs.items() if resource != (TOPIC, "gone")}
    assert from_snapshot._replace(configs=configs) == image


def test_quorum_state_is_read_and_written_as_kafka_does() -> None:
    for name, kraft_version, epoch in (("quorum-state", 1, 1), ("quorum-state-of-kraft-version-0", 0, 3)):
        text = (DATA / name).read_text()
        state = decode_quorum_state(text)
        assert state == QuorumState(leader_id=1, leader_epoch=epoch)
        assert encode_quorum_state(state, kraft_version, [1]) == text


def test_directory_ids_are_those_of_the_formatted_directory() -> None:
    image = loaded((DATA / LOG).read_bytes())
    membership = QuorumMembership(0, ())
    for batch in read_batches((DATA / LOG).read_bytes()):
        for record in batch.control_records:
            membership = membership.replay(record)
    assert image.brokers[1].log_dirs == (membership.voters[0].directory_id,)
    assert membership.voters[0].directory_id != parse_uuid("A" * 22)
