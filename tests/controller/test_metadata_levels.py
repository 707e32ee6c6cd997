"""At every level of metadata.version the controller decides on records that the level has, and loses nothing by it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kafkapy_controller.configs import config_records
from kafkapy_controller.image import MIGRATING_DIRECTORY, ConfigResourceType, MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord, decode_metadata_record, encode_metadata_record
from kafkapy_controller.metadata_version import LEVEL_NAMES, level_name
from kafkapy_controller.producer_ids import decide_allocate_producer_ids
from kafkapy_controller.registration import decide_register_controller, decide_start_broker, decide_stop_broker
from kafkapy_controller.topics import decide_create_topics, decide_delete_topics
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest
from kafkapy_wire.record_formats import metadata as m

from .clusters import apply, cluster, create_request, creation, directory_of, registration, topic

EVERY_LEVEL = pytest.mark.parametrize("level", LEVEL_NAMES, ids=level_name)


def written(image: MetadataImage, records: Sequence[MetadataRecord]) -> MetadataImage:
    """The image after the records as a replica reads them. They say all that they are meant to say."""
    read = [decode_metadata_record(encode_metadata_record(record, image.metadata_version)) for record in records]
    assert read == list(records)
    return apply(image, read)


@EVERY_LEVEL
def test_every_decision_can_be_written_and_is_read_as_it_was_meant(level: int) -> None:
    image = cluster(metadata_version=level)
    assert image.metadata_version == level
    image = written(image, decide_create_topics(image, create_request(topic("a", 3), topic("b")), creation()).records)
    image = written(image, config_records(image, (ConfigResourceType.TOPIC, "a"), {"min.insync.replicas": "1"}))
    image = written(image, decide_allocate_producer_ids(image, 1, image.brokers[1].epoch).records)
    image = written(image, decide_stop_broker(image, 1).records)
    assert image.brokers[1].fenced
    image = written(image, decide_register_controller(image, registration(1)).records)
    image = written(image, decide_start_broker(image, registration(1), image.offset + 1).records)
    image = written(image, decide_delete_topics(image, DeleteTopicsRequest(topic_names=["b"])).records)
    assert image.topics.keys() == {"a"}
    assert [partition.leader_epoch for partition in image.topics["a"].partitions] == [1, 1, 1]
    assert image.resource_configs(ConfigResourceType.TOPIC, "a") == {"min.insync.replicas": "1"}
    assert image.next_producer_id == 1_000


@EVERY_LEVEL
def test_directories_are_said_from_3_7_iv2_on(level: int) -> None:
    image = cluster(metadata_version=level)
    image = written(image, decide_create_topics(image, create_request(topic("a")), creation()).records)
    has_directories = level >= 17
    assert image.brokers[1].log_dirs == ((directory_of(1),) if has_directories else ())
    assert image.topics["a"].partitions[0].directories == (directory_of(1) if has_directories else MIGRATING_DIRECTORY,)
    assert (image.brokers[1].cordoned_log_dirs is not None) == (level >= 30)


@EVERY_LEVEL
def test_a_controller_registers_from_3_7_iv0_on(level: int) -> None:
    records = decide_register_controller(cluster(metadata_version=level), registration(1)).records
    assert len(records) == (1 if level >= 15 else 0)


def test_a_controller_that_is_unregistered_is_forgotten() -> None:
    image = cluster()
    image = written(image, decide_register_controller(image, registration(1)).records)
    assert image.controllers.keys() == {1}
    assert written(image, [m.UnregisterControllerRecord(controller_id=1)]).controllers == {}
