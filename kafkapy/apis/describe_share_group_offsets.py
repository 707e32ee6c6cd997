"""DescribeShareGroupOffsets (API key 90), versions 0-1: how far share groups have come, and how far they lag behind.

v1 lag

Topics null: every partition whose state is initialized. Named partitions are described without asking whether there is
such a group, by any broker; what has no state has start offset -1. A group that is named without topics is answered so.

Errors of a group:
        UNSUPPORTED_VERSION  share.version is 0
        NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS  topics null
Errors of a partition: what its leader has said about its end
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.share_state_requests import TEXTS, UNKNOWN_TEXT
from kafkapy.turns import Turn
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsResponse,
    DescribeShareGroupOffsetsResponseGroup,
    DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy.coordinators.group.share.offset_requests import Progress, ShareGroupOffsets
    from kafkapy_wire.messages.describe_share_group_offsets import (
        DescribeShareGroupOffsetsRequest,
        DescribeShareGroupOffsetsRequestGroup,
    )
    from kafkapy_wire.uuid import Uuid


async def handle(
    request: DescribeShareGroupOffsetsRequest, context: RequestContext
) -> DescribeShareGroupOffsetsResponse:
    sharing = context.broker.sharing
    if not sharing.is_enabled:
        return error_response(request, KafkaError(ErrorCode.UNSUPPORTED_VERSION))
    offsets = sharing.group_offsets()
    groups = []
    turn = Turn()
    for group in request.groups:
        await turn.share()
        try:
            groups.append(await _describe(group, context, offsets))
        except KafkaError as error:
            message = error.message or TEXTS.get(error.code)
            groups.append(
                DescribeShareGroupOffsetsResponseGroup(
                    group_id=group.group_id, error_code=error.code, error_message=message
                )
            )
    return DescribeShareGroupOffsetsResponse(groups=groups)


async def _describe(
    group: DescribeShareGroupOffsetsRequestGroup, context: RequestContext, offsets: ShareGroupOffsets
) -> DescribeShareGroupOffsetsResponseGroup:
    image = context.node.metadata.image
    missing: list[DescribeShareGroupOffsetsResponseTopic] = []
    places: dict[tuple[Uuid, int], None] = {}
    turn = Turn()
    if group.topics is None:
        for topic_id, indexes in (await offsets.initialized_partitions(group.group_id)).items():
            places.update(dict.fromkeys([(topic_id, index) for index in indexes]))
            await turn.share()
    for topic in group.topics or ():
        await turn.share()
        known = image.topics.get(topic.topic_name)
        if known is not None:
            for index in topic.partitions:
                places[known.topic_id, index] = None
                await turn.share()
            continue
        partitions = []
        for index in topic.partitions:
            partitions.append(DescribeShareGroupOffsetsResponsePartition(partition_index=index, start_offset=-1))
            await turn.share()
        missing.append(DescribeShareGroupOffsetsResponseTopic(topic_name=topic.topic_name, partitions=partitions))
    if places and not group.group_id:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, UNKNOWN_TEXT)  # as Apache Kafka
    found = await offsets.describe(group.group_id, [*places]) if places else {}
    topics: dict[Uuid, DescribeShareGroupOffsetsResponseTopic] = {}
    for topic_id, index in places:
        progress = found.pop((topic_id, index))
        await turn.share()
        if topic_id not in topics:
            name = image.topics_by_id[topic_id].name
            topics[topic_id] = DescribeShareGroupOffsetsResponseTopic(topic_name=name, topic_id=topic_id)
        topics[topic_id].partitions.append(_partition(index, progress))
    return DescribeShareGroupOffsetsResponseGroup(group_id=group.group_id, topics=[*topics.values(), *missing])


def _partition(index: int, progress: Progress) -> DescribeShareGroupOffsetsResponsePartition:
    if progress.error is not None:
        return DescribeShareGroupOffsetsResponsePartition(
            partition_index=index, error_code=progress.error.code, error_message=progress.error.message
        )
    return DescribeShareGroupOffsetsResponsePartition(
        partition_index=index,
        start_offset=progress.start_offset,
        leader_epoch=progress.leader_epoch,
        lag=progress.lag,
    )


def error_response(request: DescribeShareGroupOffsetsRequest, error: KafkaError) -> DescribeShareGroupOffsetsResponse:
    return DescribeShareGroupOffsetsResponse(
        groups=[
            DescribeShareGroupOffsetsResponseGroup(
                group_id=group.group_id, error_code=error.code, error_message=error.message
            )
            for group in request.groups
        ]
    )
