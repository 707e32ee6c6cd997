"""AssignReplicasToDirs: in which log directory the replicas of a broker are."""

from __future__ import annotations

import pytest

from kafkapy_controller.directory_assignments import decide_assign_replicas
from kafkapy_controller.image import LOST_DIRECTORY, MetadataImage, PartitionImage
from kafkapy_controller.metadata_version import METADATA_VERSION
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsRequestDirectoryData,
    AssignReplicasToDirsRequestPartitionData,
    AssignReplicasToDirsRequestTopicData,
)
from kafkapy_wire.uuid import Uuid, random_uuid

from .clusters import apply, cluster, directory_of, rules, topic, with_topics

OTHER = Uuid(bytes(12) + (5_000).to_bytes(4, "big"))


def started() -> MetadataImage:
    image = with_topics(cluster([1, 2, 3]), topic("a", assignments=[(0, [1, 2]), (1, [2, 1]), (2, [2, 3])]))
    broker = image.brokers[1]._replace(log_dirs=(directory_of(1), OTHER))
    return image._replace(brokers={**image.brokers, 1: broker})


def assigned(
    image: MetadataImage, directory: Uuid, *indexes: int, topic_id: Uuid | None = None
) -> tuple[list[int], MetadataImage]:
    request = AssignReplicasToDirsRequest(
        broker_id=1,
        broker_epoch=image.brokers[1].epoch,
        directories=[
            AssignReplicasToDirsRequestDirectoryData(
                id=directory,
                topics=[
                    AssignReplicasToDirsRequestTopicData(
                        topic_id=image.topics["a"].topic_id if topic_id is None else topic_id,
                        partitions=[
                            AssignReplicasToDirsRequestPartitionData(partition_index=index) for index in indexes
                        ],
                    )
                ],
            )
        ],
    )
    decision = decide_assign_replicas(image, rules(), request)
    (named,) = decision.response.directories
    assert named.id == directory
    return [each.error_code for each in named.topics[0].partitions], apply(image, decision.records)


def partition(image: MetadataImage, index: int) -> PartitionImage:
    return image.topics["a"].partitions[index]


def test_replicas_are_in_the_directory_that_the_broker_names() -> None:
    image = started()
    codes, after = assigned(image, OTHER, 0, 1)
    assert codes == [ErrorCode.NONE, ErrorCode.NONE]
    assert partition(after, 0).directories == (OTHER, directory_of(2))
    assert partition(after, 1).directories == (directory_of(2), OTHER)
    assert (partition(after, 0).leader, partition(after, 0).leader_epoch) == (1, 0)
    _, again = assigned(after, OTHER, 0)
    assert again.topics == after.topics, "nothing changes"


@pytest.mark.parametrize("directory", [LOST_DIRECTORY, Uuid(bytes(12) + (7_777).to_bytes(4, "big"))])
def test_a_replica_in_a_directory_that_has_failed_leads_no_more(directory: Uuid) -> None:
    image = started()
    codes, after = assigned(image, directory, 0)
    assert codes == [ErrorCode.NONE]
    p = partition(after, 0)
    assert (p.directories[0], p.leader, p.isr) == (directory, 2, (2,))


def test_what_the_broker_has_no_replica_of() -> None:
    image = started()
    codes, after = assigned(image, OTHER, 2, 3, -1)
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert codes == [ErrorCode.NOT_LEADER_OR_FOLLOWER, unknown, unknown]
    assert assigned(image, OTHER, 0, topic_id=random_uuid())[0] == [ErrorCode.UNKNOWN_TOPIC_ID]
    assert after.topics == image.topics


def test_stale_brokers_and_levels_without_directories() -> None:
    image = started()
    for of, epoch, code in (
        (image, 0, ErrorCode.STALE_BROKER_EPOCH),
        (image._replace(features={METADATA_VERSION: 16}), image.brokers[1].epoch, ErrorCode.UNSUPPORTED_VERSION),
    ):
        with pytest.raises(KafkaError) as refusal:
            decide_assign_replicas(of, rules(), AssignReplicasToDirsRequest(broker_id=1, broker_epoch=epoch))
        assert refusal.value.code is code
