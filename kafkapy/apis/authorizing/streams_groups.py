"""APIs of streams groups, whose members name topics by their topology."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.groups import described
from kafkapy.coordinators.group.streams.names import refuse_topic_names, topic_names
from kafkapy.security.access import check
from kafkapy_controller.acl import AclOperation, ResourceType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.apis.authorizing.rule import Served
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.streams_group_describe import DescribedGroup, StreamsGroupDescribeRequest
    from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest


def heartbeat(served: Served, request: StreamsGroupHeartbeatRequest, context: NodeContext) -> Any:
    """A member that tells its topology must be allowed to describe all topics of it. The names are looked at first."""
    check(context, AclOperation.READ, ResourceType.GROUP, request.group_id)
    if request.topology is not None:
        refuse_topic_names(request.topology)
        for name in topic_names(request.topology.subtopologies):
            check(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name)
    return served.handle(request, context)


def describe(served: Served, request: StreamsGroupDescribeRequest, context: NodeContext) -> Any:
    message = "The described group uses topics that the client is not authorized to describe."
    return described(served, request, context, _topics_of, message)


def _topics_of(group: DescribedGroup) -> Iterable[str]:
    return () if group.topology is None else topic_names(group.topology.subtopologies or ())
