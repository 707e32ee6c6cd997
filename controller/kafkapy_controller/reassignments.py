"""The controller's decision about AlterPartitionReassignments (KIP-455): moving replicas to other brokers.

A reassignment adds replicas, waits until they are in sync, and then removes others: the AlterPartition that brings the
last of them into the ISR completes it. One that only removes replicas is complete at once if all that stay are in sync.
"""

from __future__ import annotations

from collections.abc import Iterable

from kafkapy_controller.decision import Decision, Steps
from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.partition_changes import Election, PartitionChanges, TopicRules, is_reassigned
from kafkapy_controller.placement import check_manual_replicas
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)
from kafkapy_wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)


def decide_alter_reassignments(
    image: MetadataImage, rules: TopicRules, request: AlterPartitionReassignmentsRequest
) -> Decision[AlterPartitionReassignmentsResponse]:
    """Records of the partitions whose replicas change, and a result for each partition asked for."""
    changes = PartitionChanges(image, rules)
    records: list[MetadataRecord] = []
    responses: list[ReassignableTopicResponse] = []
    for asked in request.topics:
        results: list[ReassignablePartitionResponse] = []
        for wanted in asked.partitions:
            result = ReassignablePartitionResponse(partition_index=wanted.partition_index, error_message=None)
            try:
                topic, partition = _find(image, asked.name, wanted.partition_index)
                target = _target(image, topic, wanted, partition, request, rules)
            except KafkaError as error:
                result.error_code, result.error_message = error.code, error.message
            else:
                # Only a cancellation may take what remains: the others keep at least one replica in sync.
                election = Election.ONLINE if wanted.replicas is not None else None
                record = changes.record(topic, wanted.partition_index, target, election)
                if record is not None:
                    records.append(record)
            results.append(result)
        responses.append(ReassignableTopicResponse(name=asked.name, partitions=results))
    return Decision(
        records,
        AlterPartitionReassignmentsResponse(
            allow_replication_factor_change=request.allow_replication_factor_change,
            error_message=None,
            responses=responses,
        ),
    )


def _find(image: MetadataImage, name: str, index: int) -> tuple[TopicImage, PartitionImage]:
    topic = image.topics.get(name)
    if topic is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}.")
    if not 0 <= index < len(topic.partitions):
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition {name}:{index}.")
    return topic, topic.partitions[index]


def _target(
    image: MetadataImage,
    topic: TopicImage,
    wanted: ReassignablePartition,
    partition: PartitionImage,
    request: AlterPartitionReassignmentsRequest,
    rules: TopicRules,
) -> PartitionImage:
    if wanted.replicas is None:
        return _reverted(topic.name, wanted.partition_index, partition, rules)
    replicas = tuple(wanted.replicas)
    check_manual_replicas(image, replicas)
    if not request.allow_replication_factor_change:
        factor = len(set(partition.replicas) - set(partition.removing_replicas))
        if factor != len(replicas):
            raise KafkaError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"The replication factor is changed from {factor} to {len(replicas)}",
            )
    removing = tuple(sorted(set(partition.replicas) - set(replicas)))
    adding = tuple(sorted(set(replicas) - set(partition.replicas)))
    return partition._replace(
        replicas=replicas + removing,
        adding_replicas=adding or partition.adding_replicas,
        removing_replicas=removing or partition.removing_replicas,
    )


def _reverted(name: str, index: int, partition: PartitionImage, rules: TopicRules) -> PartitionImage:
    """The partition without its adding replicas, and with its removing ones."""
    if not is_reassigned(partition):
        raise KafkaError(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
    replicas = tuple([broker_id for broker_id in partition.replicas if broker_id not in partition.adding_replicas])
    isr = tuple([broker_id for broker_id in partition.isr if broker_id not in partition.adding_replicas])
    if not replicas:
        raise KafkaError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "Invalid replica assignment: addingReplicas contains all replicas.",
        )
    if not isr:  # every in-sync replica would be removed, and the others may lack committed records
        if not rules.allows_unclean_election(name):
            raise KafkaError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"Unable to revert partition assignment for {name}:{index} because it would require an unclean leader "
                "election.",
            )
        isr = replicas[:1]
    return partition._replace(replicas=replicas, isr=isr, adding_replicas=(), removing_replicas=())


def reassignments_under_way(
    image: MetadataImage, asked: Iterable[ListPartitionReassignmentsTopics] | None
) -> Steps[ListPartitionReassignmentsResponse]:
    """The reassignments of these partitions, or of all (None). Partitions that do not exist are left out."""
    wanted: Iterable[tuple[str, Iterable[int]]]
    if asked is None:
        wanted = ((topic.name, range(len(topic.partitions))) for topic in list(image.topics.values()))
    else:
        wanted = ((topic.name, topic.partition_indexes) for topic in asked)
    response = ListPartitionReassignmentsResponse(error_message=None)
    for name, indexes in wanted:
        yield
        topic = image.topics.get(name)
        if topic is None:
            continue
        under_way = []
        for index in indexes:
            yield
            if 0 <= index < len(topic.partitions) and is_reassigned(partition := topic.partitions[index]):
                under_way.append(
                    OngoingPartitionReassignment(
                        partition_index=index,
                        replicas=list(partition.replicas),
                        adding_replicas=list(partition.adding_replicas),
                        removing_replicas=list(partition.removing_replicas),
                    )
                )
        if under_way:
            response.topics.append(OngoingTopicReassignment(name=name, partitions=under_way))
    return response
