"""OffsetDelete (API key 47), version 0: forget committed offsets of topics that the group does not read any more.

Errors  INVALID_GROUP_ID            the group id is empty
        GROUP_ID_NOT_FOUND          no such group
        NON_EMPTY_GROUP             it has members of another protocol type: what they read is unknown
        COORDINATOR_LOAD_IN_PROGRESS
 of one partition:
        UNKNOWN_TOPIC_OR_PARTITION  no such topic or partition
        GROUP_SUBSCRIBED_TO_TOPIC   a member reads the topic
Not done: authorization, throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, attempt
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.offset_delete import OffsetDeleteRequest


def handle(request: OffsetDeleteRequest, context: RequestContext) -> Pending[OffsetDeleteResponse]:
    known, refused = _resolve(request, context.broker.metadata.image)

    def answer(deleted: list[OffsetDeleteResponseTopic]) -> OffsetDeleteResponse:
        # Apache Kafka's order: what was refused comes before what was deleted.
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
