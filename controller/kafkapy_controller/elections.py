"""The controller's decision about ElectLeaders (KIP-460)."""

from __future__ import annotations

from kafkapy_controller.decision import Decision
from kafkapy_controller.image import NO_LEADER, MetadataImage, PartitionImage, TopicImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.partition_changes import Election, PartitionChanges, TopicRules
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

# `election_type` of the request.
ELECTIONS = {0: Election.PREFERRED, 1: Election.UNCLEAN}


def decide_elect_leaders(
    image: MetadataImage, rules: TopicRules, request: ElectLeadersRequest
) -> Decision[ElectLeadersResponse]:
    """Records of the leaders that change, and a result for each of the partitions that the request lists.

    Raises KafkaError INVALID_REQUEST: there is no such type of election.
    """
    election = ELECTIONS.get(request.election_type)
    if election is None:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown election type {request.election_type}")
    records: list[MetadataRecord] = []
    changes = PartitionChanges(image, rules)
    results = [
        ReplicaElectionResult(
            topic=asked.topic,
            partition_result=[
                _elect(image, changes, asked.topic, index, election, records) for index in asked.partitions
            ],
        )
        for asked in request.topic_partitions or ()
    ]
    return Decision(records, ElectLeadersResponse(replica_election_results=results))


def _elect(
    image: MetadataImage,
    changes: PartitionChanges,
    name: str,
    index: int,
    election: Election,
    records: list[MetadataRecord],
) -> PartitionResult:
    """The result for one partition; a record that it takes is added to `records`."""
    try:
        record = _elected(image, changes, name, index, election)
    except KafkaError as error:
        return PartitionResult(partition_id=index, error_code=error.code, error_message=error.message)
    records.append(record)
    return PartitionResult(partition_id=index, error_message=None)


def _elected(
    image: MetadataImage, changes: PartitionChanges, name: str, index: int, election: Election
) -> MetadataRecord:
    """Raises KafkaError: there is no such partition, it needs no election, or no replica can be elected."""
    topic, partition = _find(image, name, index)
    leads_as_wanted = (
        partition.leader == partition.replicas[0] if election is Election.PREFERRED else (partition.leader != NO_LEADER)
    )
    if leads_as_wanted:
        raise KafkaError(ErrorCode.ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.")
    record = changes.record(topic, index, election=election)
    if record is None:
        if election is Election.PREFERRED:
            raise KafkaError(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, "The preferred leader was not available.")
        raise KafkaError(
            ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
            "Eligible topic partition leaders are not available.",
        )
    return record


def _find(image: MetadataImage, name: str, index: int) -> tuple[TopicImage, PartitionImage]:
    topic = image.topics.get(name)
    if topic is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}")
    if not 0 <= index < len(topic.partitions):
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{index}")
    return topic, topic.partitions[index]
