"""OffsetCommit (API key 8), versions 2-10: store how far a group has read.

v2-4 retention_time_ms    v3 throttle_time_ms    v6 committed_leader_epoch (KIP-320)    v7 group_instance_id (KIP-345)
v8 flexible    v9 errors of KIP-848 groups    v10 topic ids instead of names (KIP-848)

A consumer that assigns itself its partitions, or an admin client, commits with generation -1 and no member id; a group
that does not exist is created for it.

Errors  UNKNOWN_TOPIC_OR_PARTITION  no such topic (before v10) or partition
        UNKNOWN_TOPIC_ID            no such topic (v10)
        OFFSET_METADATA_TOO_LARGE   above offset.metadata.max.bytes
 of all partitions that exist:
        GROUP_ID_NOT_FOUND          no such group, but a generation (before v9 ILLEGAL_GENERATION)
        ILLEGAL_GENERATION          generation_id is not the group's
        UNKNOWN_MEMBER_ID           no such member; or no member at all, while the group has some
        FENCED_INSTANCE_ID          another member has taken over this group_instance_id
        REBALANCE_IN_PROGRESS       the generation is known, its assignment is not
        COORDINATOR_LOAD_IN_PROGRESS
Not done: authorization, throttling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, attempt, settled
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.offset_commit import (
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.offset_commit import OffsetCommitRequest

FIRST_VERSION_WITH_TOPIC_IDS = 10


def handle(request: OffsetCommitRequest, context: RequestContext) -> Pending[OffsetCommitResponse]:
    known, refused = _resolve(request, context.broker.metadata.image, context.api_version)
    if not known:
        return settled(OffsetCommitResponse(topics=refused))
    outcome = attempt(lambda: context.broker.groups.commit_offsets(request, known, context.api_version))
    committed = outcome.otherwise(lambda error: [_refusal(topic, error.code) for topic in known])
    return committed.map(lambda topics: OffsetCommitResponse(topics=_merged(refused, topics)))


def _resolve(
    request: OffsetCommitRequest, image: MetadataImage, api_version: int
) -> tuple[list[OffsetCommitRequestTopic], list[OffsetCommitResponseTopic]]:
    """What exists, with name and id; and the refusal of what does not."""
    known: list[OffsetCommitRequestTopic] = []
    refused: list[OffsetCommitResponseTopic] = []
    for topic in request.topics:
        if api_version >= FIRST_VERSION_WITH_TOPIC_IDS:
            found, unknown = image.topics_by_id.get(topic.topic_id), ErrorCode.UNKNOWN_TOPIC_ID
        else:
            found, unknown = image.topics.get(topic.name), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if found is None:
            refused.append(_refusal(topic, unknown))
            continue
        topic.name, topic.topic_id = found.name, found.topic_id
        partitions = range(len(found.partitions))
        existing = [partition for partition in topic.partitions if partition.partition_index in partitions]
        if len(existing) < len(topic.partitions):
            missing = [partition for partition in topic.partitions if partition.partition_index not in partitions]
            part = OffsetCommitRequestTopic(name=topic.name, topic_id=topic.topic_id, partitions=missing)
            refused.append(_refusal(part, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
            topic.partitions = existing
        if existing:
            known.append(topic)
    return known, refused


def _refusal(topic: OffsetCommitRequestTopic, error: ErrorCode) -> OffsetCommitResponseTopic:
    return OffsetCommitResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=error)
            for partition in topic.partitions
        ],
    )


def _merged(
    refused: list[OffsetCommitResponseTopic], committed: list[OffsetCommitResponseTopic]
) -> list[OffsetCommitResponseTopic]:
    """Each topic once, what was refused before what was committed, in Apache Kafka's order."""
    if not refused:
        return committed
    by_topic: dict[tuple[str, bytes], OffsetCommitResponseTopic] = {}
    for topic in (*refused, *committed):
        first = by_topic.setdefault((topic.name, topic.topic_id), topic)
        if first is not topic:
            first.partitions.extend(topic.partitions)
    return list(by_topic.values())


def error_response(request: OffsetCommitRequest, error: KafkaError) -> OffsetCommitResponse:
    topics = []
    for topic in request.topics:
        answers = [
            OffsetCommitResponsePartition(partition_index=committed.partition_index, error_code=error.code)
            for committed in topic.partitions
        ]
        topics.append(OffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id, partitions=answers))
    return OffsetCommitResponse(topics=topics)
