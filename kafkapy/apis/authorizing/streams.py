"""Streams groups (KIP-1071): members must be allowed to describe every topic of their topology."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.groups import with_operations
from kafkapy.apis.authorizing.rule import Parts, Served, handle_in_part, then
from kafkapy.coordinators.group.streams.requests import NAMES_MAX
from kafkapy.security.access import check, is_allowed
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_controller.topic_names import INTERNAL_TOPICS, is_valid_topic_name
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.streams_group_describe import StreamsGroupDescribeRequest, StreamsGroupDescribeResponse
    from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest

HIDDEN = "The described group uses topics that the client is not authorized to describe."


def heartbeat(served: Served, request: StreamsGroupHeartbeatRequest, context: NodeContext) -> Any:
    check(context, AclOperation.READ, ResourceType.GROUP, request.group_id)
    if request.topology is not None:
        names = _topics(request.topology.subtopologies)
        # What no topology may have is refused first, by the handler.
        if len(names) <= NAMES_MAX and all(name not in INTERNAL_TOPICS and is_valid_topic_name(name) for name in names):
            for name in names:
                check(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name)
    return served.handle(request, context)


def describe(served: Served, request: StreamsGroupDescribeRequest, context: NodeContext) -> Any:
    def without_hidden(response: StreamsGroupDescribeResponse) -> StreamsGroupDescribeResponse:
        hidden = [
            group.group_id
            for group in response.groups
            if group.topology is not None and not _may_describe(_topics(group.topology.subtopologies or ()), context)
        ]
        if hidden:
            error = KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED, HIDDEN)
            refused = served.error_response(type(request)(group_ids=hidden), error).groups
            instead = {group.group_id: group for group in refused}
            response.groups = [instead.get(group.group_id, group) for group in response.groups]
        return with_operations(response, context)  # type: ignore[no-any-return]  # the same

    parts = Parts("group_ids", "groups")
    answer = handle_in_part(served, request, context, parts, AclOperation.DESCRIBE, ResourceType.GROUP, str)
    return then(answer, without_hidden)


def _may_describe(names: Iterable[str], context: NodeContext) -> bool:
    return all(is_allowed(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name) for name in names)


def _topics(subtopologies: Iterable[Any]) -> dict[str, None]:
    names: dict[str, None] = {}
    for subtopology in subtopologies:
        names |= dict.fromkeys([*subtopology.source_topics, *subtopology.repartition_sink_topics])
        internal = [*subtopology.repartition_source_topics, *subtopology.state_changelog_topics]
        names |= dict.fromkeys(topic.name for topic in internal)
    return names
