"""The controller's decisions about CreateTopics, DeleteTopics and CreatePartitions.

Codes and messages are those of Apache Kafka 4.4.0, asked one by one of a running broker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from random import Random
from typing import NamedTuple, TypeAlias

from kafkapy_controller.configs import config_records
from kafkapy_controller.decision import RECORDS_PER_DECISION_MAX, Decision
from kafkapy_controller.image import ConfigResourceType, MetadataImage, TopicImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import DIRECTORY_ASSIGNMENT
from kafkapy_controller.placement import check_manual_replicas, default_directory, place_replicas
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC, check_topic_name, metric_name
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)
from kafkapy_wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.messages.delete_topics import DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse
from kafkapy_wire.record_formats.metadata import PartitionRecord, RemoveTopicRecord, TopicRecord
from kafkapy_wire.uuid import ZERO_UUID, Uuid

PARTITIONS_PER_REQUEST_MAX = 10_000

UNKNOWN_TOPIC_MESSAGE = "This server does not host this topic-partition."
UNKNOWN_TOPIC_ID_MESSAGE = "This server does not host this topic ID."
DUPLICATE_NAME_MESSAGE = "Duplicate topic name."


Charge: TypeAlias = Callable[[str, int], None]
"""Called with a topic and how many of its partitions are to be made or deleted: a quota may have no room for them.

Raises KafkaError THROTTLING_QUOTA_EXCEEDED. A decision that is made anew calls it again.
"""


def _charge(charge: Charge | None, topic: CreatableTopic | TopicImage, partition_count: int) -> None:
    if charge is not None:
        charge(topic.name, partition_count)


class TopicCreation(NamedTuple):
    """The node's settings for CreateTopics, which the shell knows."""

    default_partition_count: int
    """num.partitions, for a request that says -1."""
    default_replication_factor: int
    """default.replication.factor, likewise."""
    describe_configs: Callable[[Mapping[str, str]], list[CreatableTopicConfigs]]
    """Every setting of a topic that overrides these, as CreateTopics answers from version 5 on.

    Raises KafkaError INVALID_CONFIG: a name or value that a topic cannot have.
    """
    new_topic_id: Callable[[], Uuid]
    random: Random
    """Where the round of replica placement begins."""


# CreateTopics


def decide_create_topics(
    image: MetadataImage,
    request: CreateTopicsRequest,
    creation: TopicCreation,
    made: Container[str] = (),
    charge: Charge | None = None,
) -> Decision[CreateTopicsResponse]:
    """Records of the topics that can be created, and a result for each name of the request.

    Topics succeed and fail one by one. The whole request fails with POLICY_VIOLATION: more than 10,000 partitions, or
    more than 10,000 records. With `validate_only` there are no records. As in Apache Kafka, only names that exist can
    collide: `a.b` and `a_b` in one request both succeed. `made`: topics that earlier parts of the request have created,
    if it comes in parts.
    """
    if sum([partition_count_of(topic, creation) for topic in request.topics]) > PARTITIONS_PER_REQUEST_MAX:
        return refuse_partition_count(request)
    records: list[MetadataRecord] = []
    results: list[CreatableTopicResult] = []
    failures = _refused_names(request.topics)
    refused = {failure.name for failure in failures}
    for topic in request.topics:
        if topic.name in refused:
            continue
        try:
            topic_records, result = _create_topic(image, topic, creation, made, charge)
        except KafkaError as error:
            results.append(failed_creation(topic.name, error))
        else:
            records += topic_records
            results.append(result)
    if len(records) > RECORDS_PER_DECISION_MAX:
        return refuse_record_count(request)
    return Decision([] if request.validate_only else records, CreateTopicsResponse(topics=results + failures))


def record_count_max(topic: CreatableTopic, creation: TopicCreation) -> int:
    """The number of records that the topic needs, if it can be created."""
    return 1 + len(topic.configs) + partition_count_of(topic, creation)


def refuse_partition_count(request: CreateTopicsRequest) -> Decision[CreateTopicsResponse]:
    return _refuse_all(request, "Excessively large number of partitions per request.")


def refuse_record_count(request: CreateTopicsRequest) -> Decision[CreateTopicsResponse]:
    return _refuse_all(request, "Unable to perform excessively large batch operation.")


def failed_creation(name: str, error: KafkaError) -> CreatableTopicResult:
    return _failed_creation(name, error.code, error.message)


def _refused_names(topics: Sequence[CreatableTopic]) -> list[CreatableTopicResult]:
    """Error results for names that the request has twice, or that no client may create."""
    refused: list[CreatableTopicResult] = []
    counts = Counter([topic.name for topic in topics]) if len(topics) > 1 else {topic.name: 1 for topic in topics}
    for name, count in counts.items():
        if count > 1:
            refused.append(_failed_creation(name, ErrorCode.INVALID_REQUEST, DUPLICATE_NAME_MESSAGE))
        elif name == CLUSTER_METADATA_TOPIC:
            message = f"Creation of internal topic {name} is prohibited."
            refused.append(_failed_creation(name, ErrorCode.INVALID_REQUEST, message))
    return refused


def partition_count_of(topic: CreatableTopic, creation: TopicCreation) -> int:
    """The number of partitions in the request."""
    if topic.assignments:
        return len(topic.assignments)
    return creation.default_partition_count if topic.num_partitions == -1 else max(topic.num_partitions, 0)


def _refuse_all(request: CreateTopicsRequest, message: str) -> Decision[CreateTopicsResponse]:
    results = [_failed_creation(topic.name, ErrorCode.POLICY_VIOLATION, message) for topic in request.topics]
    return Decision([], CreateTopicsResponse(topics=results))


def _failed_creation(name: str, code: ErrorCode, message: str | None) -> CreatableTopicResult:
    return CreatableTopicResult(name=name, error_code=code, error_message=message)


def _create_topic(
    image: MetadataImage, topic: CreatableTopic, creation: TopicCreation, made: Container[str], charge: Charge | None
) -> tuple[list[MetadataRecord], CreatableTopicResult]:
    """The order of the checks is Apache Kafka's: name, existence, settings, partitions, then the quota."""
    check_topic_name(topic.name)
    _check_is_new(image, topic.name, made)
    configs = _requested_configs(topic)
    described = creation.describe_configs(configs)
    assignments = _assign_replicas(image, topic, creation)
    _charge(charge, topic, len(assignments))
    topic_id = creation.new_topic_id()
    records: list[MetadataRecord] = [TopicRecord(name=topic.name, topic_id=topic_id)]
    records += config_records(image, (ConfigResourceType.TOPIC, topic.name), configs)
    records += _partition_records(image, topic_id, assignments)
    return records, CreatableTopicResult(
        name=topic.name,
        topic_id=topic_id,
        error_message=None,
        num_partitions=len(assignments),
        replication_factor=len(assignments[0]),
        configs=described,
    )


def _check_is_new(image: MetadataImage, name: str, made: Container[str]) -> None:
    """Raises KafkaError: the name is taken, or differs only in "." and "_" from an existing topic's, so that their
    metrics would collide. Topics in `made` do not count for the latter.
    """
    if name in image.topics:
        raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
    metric = metric_name(name)
    if metric is not None:
        for other in image.names_by_metric_name.get(metric, ()):
            if other != name and other not in made:
                raise KafkaError(
                    ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic '{name}' collides with existing topic: {other}"
                )


def _requested_configs(topic: CreatableTopic) -> dict[str, str]:
    """The last value of a name counts. Raises KafkaError INVALID_CONFIG: a value is null, be the name known or not."""
    configs: dict[str, str] = {}
    nulls: list[str] = []
    for config in topic.configs:
        if config.value is None:
            nulls.append(config.name)
        else:
            configs[config.name] = config.value
    if nulls:
        raise KafkaError(ErrorCode.INVALID_CONFIG, f"Null value not supported for topic configs: {','.join(nulls)}")
    return configs


def _assign_replicas(image: MetadataImage, topic: CreatableTopic, creation: TopicCreation) -> Sequence[tuple[int, ...]]:
    """The replicas of each partition: the request's own assignment, or the controller's placement."""
    if topic.assignments:
        return _manual_assignment(image, topic)
    replication_factor = topic.replication_factor
    if replication_factor < -1 or replication_factor == 0:
        raise KafkaError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        )
    partition_count = topic.num_partitions
    if partition_count < -1 or partition_count == 0:
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
    if replication_factor == -1:
        replication_factor = creation.default_replication_factor
    if partition_count == -1:
        partition_count = creation.default_partition_count
    try:
        return _place(image, partition_count, replication_factor, creation.random)
    except KafkaError as error:
        message = f"Unable to replicate the partition {replication_factor} time(s): {error.message}"
        raise KafkaError(error.code, message) from None


def _place(
    image: MetadataImage, partition_count: int, replication_factor: int, random: Random
) -> list[tuple[int, ...]]:
    assignments = place_replicas(image.brokers.values(), partition_count, replication_factor, random)
    if not all(_active_replicas(image, replicas) for replicas in set(assignments)):
        message = "All brokers are currently fenced or in controlled shutdown."
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, message)
    return assignments


def _manual_assignment(image: MetadataImage, topic: CreatableTopic) -> list[tuple[int, ...]]:
    if topic.replication_factor != -1:
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        )
    if topic.num_partitions != -1:
        raise KafkaError(
            ErrorCode.INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        )
    by_index: dict[int, tuple[int, ...]] = {}
    replication_factor: int | None = None
    for assignment in topic.assignments:
        index = assignment.partition_index
        if index in by_index:
            raise KafkaError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"Found multiple manual partition assignments for partition {index}",
            )
        replicas = tuple(assignment.broker_ids)
        _check_manual_replicas(image, index, replicas, replication_factor)
        replication_factor = len(replicas)
        by_index[index] = replicas
    if by_index.keys() != set(range(len(by_index))):
        raise KafkaError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence"
        )
    return [by_index[index] for index in range(len(by_index))]


def _check_manual_replicas(
    image: MetadataImage, partition: int, replicas: tuple[int, ...], replication_factor: int | None
) -> None:
    """As `check_manual_replicas`; also, one replica must be able to lead."""
    check_manual_replicas(image, replicas, replication_factor)
    if not _active_replicas(image, replicas):
        raise KafkaError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"All brokers specified in the manual partition assignment for partition {partition} are fenced or in "
            "controlled shutdown.",
        )


def _active_replicas(image: MetadataImage, replicas: tuple[int, ...]) -> list[int]:
    brokers = [image.brokers[broker_id] for broker_id in replicas]
    return [broker.broker_id for broker in brokers if not (broker.fenced or broker.in_controlled_shutdown)]


def _partition_records(
    image: MetadataImage, topic_id: Uuid, assignments: Sequence[tuple[int, ...]], first_index: int = 0
) -> list[PartitionRecord]:
    """Records of partitions with the same replicas share their lists, as records are never changed."""
    placed = {replicas: _Placed.on(image, replicas) for replicas in set(assignments)}
    return [
        PartitionRecord(
            partition_id=index,
            topic_id=topic_id,
            replicas=(where := placed[replicas]).replicas,
            isr=where.isr,
            leader=where.isr[0],
            leader_epoch=0,
            partition_epoch=0,
            directories=where.directories,
        )
        for index, replicas in enumerate(assignments, first_index)
    ]


class _Placed(NamedTuple):
    """The fields that all new partitions on the same brokers share."""

    replicas: list[int]
    isr: list[int]
    directories: list[Uuid]

    @classmethod
    def on(cls, image: MetadataImage, replicas: tuple[int, ...]) -> _Placed:
        directories: list[Uuid] = []  # a lower level of metadata.version has no directories
        if image.metadata_version >= DIRECTORY_ASSIGNMENT:
            directories = [default_directory(image, broker_id) for broker_id in replicas]
        return cls(list(replicas), _active_replicas(image, replicas), directories)


# DeleteTopics


def decide_delete_topics(
    image: MetadataImage, request: DeleteTopicsRequest, charge: Charge | None = None
) -> Decision[DeleteTopicsResponse]:
    """Records that remove the topics, named by name (up to version 5) or by name or id (from version 6 on).

    A topic that is named twice, by name or id, is not deleted. The results are not in the request's order; Apache Kafka
    even shuffles them.
    """
    results: list[DeletableTopicResult] = []
    names, ids = Counter(request.topic_names), Counter[Uuid]()
    for wanted in request.topics:
        if wanted.name is None and wanted.topic_id == ZERO_UUID:
            results.append(_refused_deletion(None, ZERO_UUID, "Neither topic name nor id were specified."))
        elif wanted.name is None:
            ids[wanted.topic_id] += 1
        elif wanted.topic_id == ZERO_UUID:
            names[wanted.name] += 1
        else:
            message = "You may not specify both topic name and topic id."
            results.append(_refused_deletion(wanted.name, wanted.topic_id, message))
    doomed: list[TopicImage] = []
    for name, count in names.items():
        topic = image.topics.get(name)
        if count > 1:
            results.append(_refused_deletion(name, ZERO_UUID, DUPLICATE_NAME_MESSAGE))
        elif topic is None:
            code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            results.append(DeletableTopicResult(name=name, error_code=code, error_message=UNKNOWN_TOPIC_MESSAGE))
        elif ids.pop(topic.topic_id, 0):
            message = "The provided topic name maps to an ID that was already supplied."
            results.append(_refused_deletion(name, topic.topic_id, message))
        else:
            doomed.append(topic)
    for topic_id, count in ids.items():
        topic = image.topics_by_id.get(topic_id)
        if count > 1:
            results.append(_refused_deletion(None, topic_id, "Duplicate topic id."))
        elif topic is None:
            code = ErrorCode.UNKNOWN_TOPIC_ID
            results.append(
                DeletableTopicResult(
                    name=None, topic_id=topic_id, error_code=code, error_message=UNKNOWN_TOPIC_ID_MESSAGE
                )
            )
        else:
            doomed.append(topic)
    records: list[MetadataRecord] = []
    for topic in doomed:
        result = DeletableTopicResult(name=topic.name, topic_id=topic.topic_id)
        try:
            _charge(charge, topic, len(topic.partitions))
        except KafkaError as error:
            result.error_code, result.error_message = error.code, error.message
        else:
            records.append(RemoveTopicRecord(topic_id=topic.topic_id))
        results.append(result)
    return Decision(records, DeleteTopicsResponse(responses=results))


def _refused_deletion(name: str | None, topic_id: Uuid, message: str) -> DeletableTopicResult:
    code = ErrorCode.INVALID_REQUEST
    return DeletableTopicResult(name=name, topic_id=topic_id, error_code=code, error_message=message)


# CreatePartitions


def decide_create_partitions(
    image: MetadataImage,
    request: CreatePartitionsRequest,
    random: Random,
    room: int = RECORDS_PER_DECISION_MAX,
    charge: Charge | None = None,
) -> Decision[CreatePartitionsResponse]:
    """Records of the added partitions, and a result for each name of the request.

    `room` is for how many of them the request may have, if it comes in parts what the others have left.
    Differs: more than 10,000 new partitions are POLICY_VIOLATION, as for CreateTopics. Apache Kafka 4.4.0 answers
    UNKNOWN_SERVER_ERROR there, and its controller resigns.
    """
    results: list[CreatePartitionsTopicResult] = []
    records: list[MetadataRecord] = []
    counts = Counter(topic.name for topic in request.topics)
    for name, count in counts.items():
        if count > 1:
            code = ErrorCode.INVALID_REQUEST
            results.append(
                CreatePartitionsTopicResult(name=name, error_code=code, error_message=DUPLICATE_NAME_MESSAGE)
            )
    for wanted in request.topics:
        if counts[wanted.name] > 1:
            continue
        try:
            records += _add_partitions(image, wanted, random, room - len(records), charge)
        except KafkaError as error:
            results.append(
                CreatePartitionsTopicResult(name=wanted.name, error_code=error.code, error_message=error.message)
            )
        else:
            results.append(CreatePartitionsTopicResult(name=wanted.name))
    return Decision([] if request.validate_only else records, CreatePartitionsResponse(results=results))


def _add_partitions(
    image: MetadataImage, wanted: CreatePartitionsTopic, random: Random, room: int, charge: Charge | None
) -> list[PartitionRecord]:
    topic = image.topics.get(wanted.name)
    if topic is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    count = len(topic.partitions)
    if wanted.count == count:
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, f"Topic already has {count} partition(s).")
    if wanted.count < count:
        raise KafkaError(
            ErrorCode.INVALID_PARTITIONS,
            f"The topic {topic.name} currently has {count} partition(s); {wanted.count} would not be an increase.",
        )
    additional = wanted.count - count
    replication_factor = len(topic.partitions[0].replicas)
    if wanted.assignments is None:
        if additional > room:
            message = "Unable to perform excessively large batch operation."
            raise KafkaError(ErrorCode.POLICY_VIOLATION, message)
        _charge(charge, topic, additional)
        assignments = _place(image, additional, replication_factor, random)
    else:
        if len(wanted.assignments) != additional:
            raise KafkaError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"Attempted to add {additional} additional partition(s), but only {len(wanted.assignments)} "
                "assignment(s) were specified.",
            )
        _charge(charge, topic, additional)
        assignments = [tuple(assignment.broker_ids) for assignment in wanted.assignments]
        for index, replicas in enumerate(assignments, count):
            _check_manual_replicas(image, index, replicas, replication_factor)
    return _partition_records(image, topic.topic_id, assignments, count)
