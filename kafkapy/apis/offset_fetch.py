"""OffsetFetch (API key 9), versions 1-10: the committed offsets of groups.

v2 all topics (null), error_code    v3 throttle_time_ms    v5 committed_leader_epoch (KIP-320)    v6 flexible
v7 require_stable (KIP-447)    v8 several groups at once (KIP-709)    v9 member_id, member_epoch: of KIP-848 groups only
v10 topic ids instead of names (KIP-848)

A partition without a committed offset is answered with offset -1, empty metadata and no error; so is every partition of
a group that does not exist.

Errors  UNKNOWN_TOPIC_ID              no such topic (v10)
        UNSTABLE_OFFSET_COMMIT        require_stable, and an open transaction commits an offset of this partition
        UNKNOWN_MEMBER_ID             member_id is no member of the consumer group (v9)
        STALE_MEMBER_EPOCH            member_epoch is not the member's (v9); ILLEGAL_GENERATION of a classic member
        NOT_COORDINATOR               another broker coordinates the group
        COORDINATOR_LOAD_IN_PROGRESS  of the group; in v1, which has no field for it, of each partition
Differs: if a request names more than 500 partitions or 50 groups, one that it names twice is answered once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.pending import Pending, all_of, attempt
from kafkapy.turns import Turn, each_in_turns
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
    from collections.abc import Coroutine, Iterable, Iterator

    from kafkapy.context import RequestContext
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest
    from kafkapy_wire.uuid import Uuid

FIRST_VERSION_WITH_ERROR = 2
FIRST_VERSION_WITH_GROUPS = 8
FIRST_VERSION_WITH_TOPIC_IDS = 10
GROUPS_AT_ONCE_MAX = 50

NO_OFFSET = -1
PARTITIONS_AT_ONCE_MAX = 500
"""A millisecond."""


def handle(
    request: OffsetFetchRequest, context: RequestContext
) -> Pending[OffsetFetchResponse] | Coroutine[object, object, OffsetFetchResponse]:
    if context.api_version < FIRST_VERSION_WITH_GROUPS:
        group = OffsetFetchRequestGroup(group_id=request.group_id, topics=_as_of_groups(request))
        if _is_long(group, context):
            return _single_in_turns(request, group, context)
        fetched = _fetch(group, context, require_stable=request.require_stable)
        return fetched.map(lambda answer: _flat(answer, group.topics or [], context.api_version))
    groups = request.groups
    if len(groups) > GROUPS_AT_ONCE_MAX or any(_is_long(group, context) for group in groups):
        return _fetch_in_turns(request, context)
    return all_of([_fetch(group, context, require_stable=request.require_stable) for group in groups]).map(
        lambda answers: OffsetFetchResponse(groups=answers)
    )


def _is_long(group: OffsetFetchRequestGroup, context: RequestContext) -> bool:
    topics = group.topics
    if topics is None:
        try:
            return context.broker.groups.offset_count(group.group_id) > PARTITIONS_AT_ONCE_MAX
        except KafkaError:
            return False  # the answer says so
    return (
        len(topics) > PARTITIONS_AT_ONCE_MAX
        or sum([len(topic.partition_indexes) for topic in topics]) > PARTITIONS_AT_ONCE_MAX
    )


async def _single_in_turns(
    request: OffsetFetchRequest, group: OffsetFetchRequestGroup, context: RequestContext
) -> OffsetFetchResponse:
    answer = await _fetch_group_in_turns(group, context, require_stable=request.require_stable)
    return _flat(answer, group.topics or [], context.api_version)


async def _fetch_in_turns(request: OffsetFetchRequest, context: RequestContext) -> OffsetFetchResponse:
    response = OffsetFetchResponse()
    turn = Turn()
    all_of_group: set[str] = set()  # those whose every offset is in the answer
    for group in request.groups:
        await turn.share()
        if group.topics is None:
            if group.group_id in all_of_group:
                continue
            all_of_group.add(group.group_id)
        response.groups.append(
            await _fetch_group_in_turns(group, context, require_stable=request.require_stable)
            if _is_long(group, context)
            else await _fetch(group, context, require_stable=request.require_stable).wait()
        )
    return response


async def _fetch_group_in_turns(
    group: OffsetFetchRequestGroup, context: RequestContext, *, require_stable: bool
) -> OffsetFetchResponseGroup:
    """As `_fetch`, some partitions at a time: an offset committed meanwhile may show in the later partitions."""
    answer = OffsetFetchResponseGroup(group_id=group.group_id)
    turn = Turn()
    if group.topics is not None:
        topics = group.topics
    else:
        try:
            committed = context.broker.groups.committed_partitions(group.group_id)
        except KafkaError as error:
            return OffsetFetchResponseGroup(group_id=group.group_id, error_code=error.code)
        topics = [
            OffsetFetchRequestTopics(name=name, partition_indexes=sorted(committed[name])) for name in sorted(committed)
        ]
    for pieces, goes_on in _pieces(await _unique(topics)):
        await turn.share()
        part = OffsetFetchRequestGroup(
            group_id=group.group_id, member_id=group.member_id, member_epoch=group.member_epoch, topics=pieces
        )
        by_name = group.topics is None
        fetched = await _fetch(part, context, require_stable=require_stable, by_name=by_name).wait()
        if fetched.error_code:
            return fetched
        found = fetched.topics
        if by_name and context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS:
            found = _with_ids(found, context.broker.metadata.image)
        if goes_on and found and answer.topics and _are_same(answer.topics[-1], found[0]):
            answer.topics[-1].partitions += found[0].partitions
            found = found[1:]
        answer.topics += found
    return answer


async def _unique(topics: list[OffsetFetchRequestTopics]) -> list[OffsetFetchRequestTopics]:
    """Each topic and partition once: a request that names one partition 250,000 times must not get its metadata as
    many times."""
    turn = Turn()
    by_topic: dict[tuple[str, Uuid], dict[int, None]] = {}
    for topic in topics:
        indexes = by_topic.setdefault((topic.name, topic.topic_id), {})
        for index in topic.partition_indexes:
            indexes[index] = None
            if turn.is_over:
                await turn.share()
        await turn.share()
    return await each_in_turns(
        lambda one: OffsetFetchRequestTopics(name=one[0][0], topic_id=one[0][1], partition_indexes=[*one[1]]),
        by_topic.items(),
    )


def _are_same(one: OffsetFetchResponseTopics, other: OffsetFetchResponseTopics) -> bool:
    return (one.name, one.topic_id) == (other.name, other.topic_id)


def _pieces(topics: list[OffsetFetchRequestTopics]) -> Iterator[tuple[list[OffsetFetchRequestTopics], bool]]:
    """The same topics in pieces of so many partitions; and whether a piece begins in the topic that ended the last."""
    piece: list[OffsetFetchRequestTopics] = []
    room = PARTITIONS_AT_ONCE_MAX
    goes_on = False
    for topic in topics:
        indexes = topic.partition_indexes
        start = 0
        while True:
            part = indexes[start : start + room]
            piece.append(OffsetFetchRequestTopics(name=topic.name, topic_id=topic.topic_id, partition_indexes=part))
            start += len(part)
            room -= max(len(part), 1)
            if room > 0:
                break
            yield piece, goes_on
            piece, room, goes_on = [], PARTITIONS_AT_ONCE_MAX, start < len(indexes)
            if not goes_on:
                break
    if piece:
        yield piece, goes_on


def _fetch(
    group: OffsetFetchRequestGroup, context: RequestContext, *, require_stable: bool, by_name: bool = False
) -> Pending[OffsetFetchResponseGroup]:
    """`by_name`: the request has topic names, whatever its version."""
    by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS and not by_name
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

    outcome = attempt(
        lambda: context.broker.groups.fetch_offsets(
            group.group_id,
            known,
            require_stable=require_stable,
            member_id=group.member_id,
            member_epoch=group.member_epoch,
        )
    )
    return outcome.map(answer).otherwise(refuse)


def _resolve(
    topics: list[OffsetFetchRequestTopics], image: MetadataImage
) -> tuple[list[OffsetFetchRequestTopics], list[OffsetFetchResponseTopics]]:
    """The topics that exist, with their names, and the errors of those that do not."""
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


def _as_of_groups(request: OffsetFetchRequest) -> list[OffsetFetchRequestTopics] | None:
    """Before v8 the request is about one group, and the answer has no list of groups."""
    if request.topics is None:
        return None
    return [
        OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes) for topic in request.topics
    ]


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
    """The error of each group; before version 8 of the one group, and before version 2 of each partition."""
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
