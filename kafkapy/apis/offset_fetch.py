"""OffsetFetch (API key 9), versions 1-10: how far groups have read.

v2 all topics (null), error_code    v3 throttle_time_ms    v5 committed_leader_epoch (KIP-320)    v6 flexible
v7 require_stable (KIP-447)    v8 several groups at once (KIP-709)    v9 member_id, member_epoch: of KIP-848 groups only
v10 topic ids instead of names (KIP-848)

Where nothing is committed the offset is -1, the metadata empty, and there is no error; a group that does not exist has
committed nothing.

Errors  UNKNOWN_TOPIC_ID              no such topic (v10)
        UNSTABLE_OFFSET_COMMIT        require_stable, and a transaction that commits this offset is open
        COORDINATOR_LOAD_IN_PROGRESS  of the group; in v1, which has no place for it, of each partition
Not done: authorization, throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, all_of, attempt
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.offset_fetch import (
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest

FIRST_VERSION_WITH_ERROR = 2
FIRST_VERSION_WITH_GROUPS = 8
FIRST_VERSION_WITH_TOPIC_IDS = 10

NO_OFFSET = -1


def handle(request: OffsetFetchRequest, context: RequestContext) -> Pending[OffsetFetchResponse]:
    if context.api_version < FIRST_VERSION_WITH_GROUPS:
        return _single(request, context)
    fetched = [_fetch(group, context, require_stable=request.require_stable) for group in request.groups]
    return all_of(fetched).map(lambda groups: OffsetFetchResponse(groups=groups))


def _fetch(
    group: OffsetFetchRequestGroup, context: RequestContext, *, require_stable: bool
) -> Pending[OffsetFetchResponseGroup]:
    by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS
    image = context.broker.metadata.image
    known = group.topics
    refused: list[OffsetFetchResponseTopics] = []
    if known is not None and by_id:
        known, refused = _resolve(known, image)

    def answer(topics: list[OffsetFetchResponseTopics]) -> OffsetFetchResponseGroup:
        if known is None and by_id:
            topics = _with_ids(topics, image)
        return OffsetFetchResponseGroup(group_id=group.group_id, topics=topics + refused)

    def refuse(error: KafkaError) -> OffsetFetchResponseGroup:
        return OffsetFetchResponseGroup(group_id=group.group_id, error_code=error.code)

    outcome = attempt(lambda: context.broker.groups.fetch_offsets(group.group_id, known, require_stable=require_stable))
    return outcome.map(answer).otherwise(refuse)


def _resolve(
    topics: list[OffsetFetchRequestTopics], image: MetadataImage
) -> tuple[list[OffsetFetchRequestTopics], list[OffsetFetchResponseTopics]]:
    """Topics that exist, with their names, and the refusal of those that do not."""
    known: list[OffsetFetchRequestTopics] = []
    refused: list[OffsetFetchResponseTopics] = []
    for topic in topics:
        found = image.topics_by_id.get(topic.topic_id)
        if found is not None:
            topic.name = found.name
            known.append(topic)
        else:
            refused.append(
                OffsetFetchResponseTopics(
                    topic_id=topic.topic_id,
                    partitions=[
                        OffsetFetchResponsePartitions(
                            partition_index=index,
                            committed_offset=NO_OFFSET,
                            metadata="",
                            error_code=ErrorCode.UNKNOWN_TOPIC_ID,
                        )
                        for index in topic.partition_indexes
                    ],
                )
            )
    return known, refused


def _with_ids(topics: Iterable[OffsetFetchResponseTopics], image: MetadataImage) -> list[OffsetFetchResponseTopics]:
    """The topics that still exist, with their ids."""
    existing: list[OffsetFetchResponseTopics] = []
    for topic in topics:
        found = image.topics.get(topic.name)
        if found is not None:
            topic.topic_id = found.topic_id
            existing.append(topic)
    return existing


def _single(request: OffsetFetchRequest, context: RequestContext) -> Pending[OffsetFetchResponse]:
    """Before v8 the request is about one group, and its answer a flat one."""
    topics = None
    if request.topics is not None:
        topics = [
            OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes)
            for topic in request.topics
        ]
    group = OffsetFetchRequestGroup(group_id=request.group_id, topics=topics)
    fetched = _fetch(group, context, require_stable=request.require_stable)
    return fetched.map(lambda group: _flat(group, topics or [], context.api_version))


def _flat(
    fetched: OffsetFetchResponseGroup, asked: list[OffsetFetchRequestTopics], api_version: int
) -> OffsetFetchResponse:
    if fetched.error_code != ErrorCode.NONE and api_version < FIRST_VERSION_WITH_ERROR:
        fetched.topics = [
            OffsetFetchResponseTopics(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartitions(
                        partition_index=index, committed_offset=NO_OFFSET, metadata="", error_code=fetched.error_code
                    )
                    for index in topic.partition_indexes
                ],
            )
            for topic in asked
        ]
    return OffsetFetchResponse(
        error_code=fetched.error_code,
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=partition.partition_index,
                        committed_offset=partition.committed_offset,
                        committed_leader_epoch=partition.committed_leader_epoch,
                        metadata=partition.metadata,
                        error_code=partition.error_code,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in fetched.topics
        ],
    )


def error_response(request: OffsetFetchRequest, error: KafkaError) -> OffsetFetchResponse:
    """For the groups; before version 8 for the one group, and before version 2 for each partition."""
    if request.groups:
        return OffsetFetchResponse(
            groups=[
                OffsetFetchResponseGroup(group_id=group.group_id, error_code=error.code) for group in request.groups
            ]
        )
    topics = []
    for topic in request.topics or ():
        answers = [
            OffsetFetchResponsePartition(partition_index=index, committed_offset=NO_OFFSET, error_code=error.code)
            for index in topic.partition_indexes
        ]
        topics.append(OffsetFetchResponseTopic(name=topic.name, partitions=answers))
    return OffsetFetchResponse(error_code=error.code, topics=topics)
