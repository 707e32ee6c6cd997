"""OffsetDelete (API key 47), version 0: deletes committed offsets of topics to which the group is not subscribed.

Errors  INVALID_GROUP_ID            the group id is empty
        GROUP_ID_NOT_FOUND          no such group
        NON_EMPTY_GROUP             the group has members that are not consumers, so their topics are unknown
        NOT_COORDINATOR             another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS
 of one partition:
        UNKNOWN_TOPIC_OR_PARTITION  no such topic or partition
        GROUP_SUBSCRIBED_TO_TOPIC   a member is subscribed to the topic
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, attempt
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage

PARTITIONS_AT_ONCE_MAX = 500


def handle(
    request: OffsetDeleteRequest, context: RequestContext
) -> Pending[OffsetDeleteResponse] | Coroutine[object, object, OffsetDeleteResponse]:
    count = len(request.topics)
    if count <= PARTITIONS_AT_ONCE_MAX:
        count = sum([len(topic.partitions) for topic in request.topics])
    return _delete(request, context) if count <= PARTITIONS_AT_ONCE_MAX else _delete_in_turns(request, context)


async def _delete_in_turns(request: OffsetDeleteRequest, context: RequestContext) -> OffsetDeleteResponse:
    turn = Turn()
    topics: dict[str, OffsetDeleteResponseTopic] = {}
    for piece in _pieces(request):
        answer = await _delete(piece, context).wait()
        if answer.error_code:
            return answer
        for topic in answer.topics:
            first = topics.setdefault(topic.name, topic)
            if first is not topic:
                first.partitions.extend(topic.partitions)
        await turn.share()
    return OffsetDeleteResponse(topics=list(topics.values()))


def _pieces(request: OffsetDeleteRequest) -> Iterator[OffsetDeleteRequest]:
    """The same request in pieces of so many partitions."""
    piece = OffsetDeleteRequest(group_id=request.group_id)
    room = PARTITIONS_AT_ONCE_MAX
    for topic in request.topics:
        for start in range(0, max(len(topic.partitions), 1), PARTITIONS_AT_ONCE_MAX):
            part = topic.partitions[start : start + PARTITIONS_AT_ONCE_MAX]
            if piece.topics and len(part) >= room:
                yield piece
                piece, room = OffsetDeleteRequest(group_id=request.group_id), PARTITIONS_AT_ONCE_MAX
            piece.topics.append(OffsetDeleteRequestTopic(name=topic.name, partitions=part))
            room -= max(len(part), 1)
    yield piece


def _delete(request: OffsetDeleteRequest, context: RequestContext) -> Pending[OffsetDeleteResponse]:
    known, refused = _resolve(request, context.broker.metadata.image)

    def answer(deleted: list[OffsetDeleteResponseTopic]) -> OffsetDeleteResponse:
        # Apache Kafka's order: errors come before the partitions whose offsets were deleted.
        for topic in deleted:
            first = refused.setdefault(topic.name, topic)
            if first is not topic:
                first.partitions.extend(topic.partitions)
        return OffsetDeleteResponse(topics=list(refused.values()))

    outcome = attempt(lambda: context.broker.groups.delete_offsets(request.group_id, known))
    return outcome.map(answer).otherwise(lambda error: OffsetDeleteResponse(error_code=error.code))


def _resolve(
    request: OffsetDeleteRequest, image: MetadataImage
) -> tuple[list[OffsetDeleteRequestTopic], dict[str, OffsetDeleteResponseTopic]]:
    """The topics and partitions that exist, and by topic the errors for those that do not."""
    known: list[OffsetDeleteRequestTopic] = []
    refused: dict[str, OffsetDeleteResponseTopic] = {}
    for topic in request.topics:
        found = image.topics.get(topic.name)
        existing = range(0 if found is None else len(found.partitions))
        missing = [partition for partition in topic.partitions if partition.partition_index not in existing]
        if missing:
            refused.setdefault(topic.name, OffsetDeleteResponseTopic(name=topic.name)).partitions.extend(
                OffsetDeleteResponsePartition(
                    partition_index=partition.partition_index, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                )
                for partition in missing
            )
        partitions = [partition for partition in topic.partitions if partition.partition_index in existing]
        if partitions:
            known.append(OffsetDeleteRequestTopic(name=topic.name, partitions=partitions))
    return known, refused
