"""CreateTopics, DeleteTopics and CreatePartitions: in one decision where that is short, otherwise in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from kafkapy.metadata.deadlines import check_deadline_of_topics
from kafkapy.metadata.in_batches import RECORDS_AT_ONCE_MAX, RECORDS_PER_BATCH, batches_of, decide_in_turns
from kafkapy.turns import Turn, each_in_turns
from kafkapy_controller.decision import RECORDS_PER_DECISION_MAX
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC
from kafkapy_controller.topics import (
    PARTITIONS_PER_REQUEST_MAX,
    decide_create_partitions,
    decide_create_topics,
    decide_delete_topics,
    failed_creation,
    partition_count_of,
    record_count_max,
    refuse_partition_count,
    refuse_record_count,
)
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest, CreateTopicsResponse
from kafkapy_wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from kafkapy_wire.uuid import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from random import Random

    from kafkapy.pending import Pending
    from kafkapy_controller.decision import Decision
    from kafkapy_controller.image import MetadataImage, TopicImage
    from kafkapy_controller.topics import Charge, TopicCreation

R = TypeVar("R")


class Decider(Protocol):
    """The part of the controller that is needed here."""

    @property
    def image(self) -> MetadataImage:
        """The image of all appended records."""

    @property
    def random(self) -> Random: ...

    def topic_creation(self) -> TopicCreation: ...

    def commit(self, decision: Decision[R]) -> Pending[R]: ...

    async def commit_in_turns(self, decide: Callable[[], Decision[R]]) -> Pending[R]: ...


async def create_topics(
    controller: Decider, request: CreateTopicsRequest, charge: Charge | None = None
) -> CreateTopicsResponse:
    """Raises KafkaError REQUEST_TIMED_OUT, as do the other functions here."""
    names = (topic.name for topic in request.topics if topic.name != CLUSTER_METADATA_TOPIC)
    check_deadline_of_topics(request.timeout_ms, await each_in_turns(str, names))
    creation = controller.topic_creation()
    record_count = sum(await each_in_turns(lambda topic: record_count_max(topic, creation), request.topics))
    if record_count <= RECORDS_PER_BATCH:
        return await controller.commit(decide_create_topics(controller.image, request, creation, (), charge)).wait()
    partition_counts = await each_in_turns(lambda topic: partition_count_of(topic, creation), request.topics)
    if sum(partition_counts) > PARTITIONS_PER_REQUEST_MAX:
        return await _refuse_all(request, refuse_partition_count)
    batches = await batches_of(
        request.topics, lambda topic: topic.name, lambda topic: record_count_max(topic, creation)
    )
    if record_count > RECORDS_PER_DECISION_MAX and await _are_too_many_records(controller, batches):
        return await _refuse_all(request, refuse_record_count)
    made: set[str] = set()

    async def decide(topics: list[CreatableTopic]) -> Pending[CreateTopicsResponse]:
        part = CreateTopicsRequest(topics=topics, validate_only=request.validate_only)

        def decide_now() -> Decision[CreateTopicsResponse]:
            decision = decide_create_topics(controller.image, part, controller.topic_creation(), made, charge)
            made.update([result.name for result in decision.response.topics if not result.error_code])
            return decision

        if sum([record_count_max(topic, creation) for topic in topics]) > RECORDS_AT_ONCE_MAX:
            return await controller.commit_in_turns(decide_now)
        return controller.commit(decide_now())

    response = CreateTopicsResponse()
    for topics, answer in await decide_in_turns(batches, decide):
        if isinstance(answer, KafkaError):
            response.topics += [failed_creation(name, answer) for name in dict.fromkeys([t.name for t in topics])]
        else:
            response.topics += answer.topics
    return response


async def _refuse_all(
    request: CreateTopicsRequest, refuse: Callable[[CreateTopicsRequest], Decision[CreateTopicsResponse]]
) -> CreateTopicsResponse:
    response = CreateTopicsResponse()
    turn = Turn()
    for start in range(0, len(request.topics), RECORDS_AT_ONCE_MAX):
        part = CreateTopicsRequest(topics=request.topics[start : start + RECORDS_AT_ONCE_MAX])
        response.topics += refuse(part).response.topics
        await turn.share()
    return response


async def _are_too_many_records(controller: Decider, batches: list[list[CreatableTopic]]) -> bool:
    """Whether those that can be made need more than one decision may have. What is asked for may be more than that."""
    count, turn = 0, Turn()
    for topics in batches:
        decision = decide_create_topics(
            controller.image, CreateTopicsRequest(topics=topics), controller.topic_creation()
        )
        count += len(decision.records)
        await turn.share()
    return count > RECORDS_PER_DECISION_MAX


async def delete_topics(
    controller: Decider, request: DeleteTopicsRequest, charge: Charge | None = None
) -> DeleteTopicsResponse:
    wanted = request.topics + await each_in_turns(lambda name: DeleteTopicState(name=name), request.topic_names)
    named = (state for state in wanted if (state.name is None) != (state.topic_id == ZERO_UUID))
    asked = await each_in_turns(lambda state: (state.name, state.topic_id), named)
    check_deadline_of_topics(request.timeout_ms, asked)
    image = controller.image

    def topic_of(state: DeleteTopicState) -> TopicImage | None:
        return image.topics_by_id.get(state.topic_id) if state.name is None else image.topics.get(state.name)

    def key(state: DeleteTopicState) -> Hashable:
        """A key for the topic, whether it is named by name or id, so that duplicates are in one batch."""
        topic = topic_of(state)
        return (state.name, state.topic_id) if topic is None else topic.topic_id

    def partition_count(state: DeleteTopicState) -> int:
        topic = topic_of(state)
        return 1 if topic is None else len(topic.partitions)

    batches = await batches_of(wanted, key, partition_count)
    if len(wanted) <= RECORDS_PER_BATCH and len(batches) <= 1:
        return await controller.commit(decide_delete_topics(image, request, charge)).wait()

    async def decide(topics: list[DeleteTopicState]) -> Pending[DeleteTopicsResponse]:
        return controller.commit(decide_delete_topics(controller.image, DeleteTopicsRequest(topics=topics), charge))

    response = DeleteTopicsResponse()
    for topics, answer in await decide_in_turns(batches, decide):
        if isinstance(answer, KafkaError):
            response.responses += [
                DeletableTopicResult(
                    name=topic.name, topic_id=topic.topic_id, error_code=answer.code, error_message=answer.message
                )
                for topic in topics
            ]
        else:
            response.responses += answer.responses
    return response


async def create_partitions(
    controller: Decider, request: CreatePartitionsRequest, charge: Charge | None = None
) -> CreatePartitionsResponse:
    check_deadline_of_topics(request.timeout_ms, [wanted.name for wanted in request.topics])
    image = controller.image

    def added_count(wanted: CreatePartitionsTopic) -> int:
        topic = image.topics.get(wanted.name)
        return 1 if topic is None else max(wanted.count - len(topic.partitions), 1)

    batches = await batches_of(request.topics, lambda wanted: wanted.name, added_count)
    room = RECORDS_PER_DECISION_MAX

    async def decide(topics: list[CreatePartitionsTopic]) -> Pending[CreatePartitionsResponse]:
        nonlocal room
        part = CreatePartitionsRequest(topics=topics, validate_only=request.validate_only)
        record_count = 0

        def decide_now() -> Decision[CreatePartitionsResponse]:
            nonlocal record_count
            decision = decide_create_partitions(controller.image, part, controller.random, room, charge)
            record_count = len(decision.records)
            return decision

        if sum(map(added_count, topics)) > RECORDS_AT_ONCE_MAX:
            answer = await controller.commit_in_turns(decide_now)
        else:
            answer = controller.commit(decide_now())
        room -= record_count
        return answer

    response = CreatePartitionsResponse()
    for topics, answer in await decide_in_turns(batches, decide):
        if isinstance(answer, KafkaError):
            names = dict.fromkeys([topic.name for topic in topics])
            response.results += [
                CreatePartitionsTopicResult(name=name, error_code=answer.code, error_message=answer.message)
                for name in names
            ]
        else:
            response.results += answer.results
    return response
