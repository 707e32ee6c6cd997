"""APIs of groups: their members, their offsets, and those who look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.rule import (
    CLUSTER_REFUSED,
    GROUP_REFUSED,
    TRANSACTIONAL_ID_REFUSED,
    Parts,
    Served,
    answer_in_part,
    by_name,
    handle_in_part,
    name_or_id,
    parted,
    then,
    with_fields,
)
from kafkapy.apis.metadata import NO_OPERATIONS
from kafkapy.security.access import REFUSED, check, is_allowed, is_allowed_in_cluster, operation_bits
from kafkapy_controller.acl import AclOperation, ResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.find_coordinator import FindCoordinatorResponse
from kafkapy_wire.messages.join_group import JoinGroupResponse
from kafkapy_wire.messages.offset_delete import (
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest
    from kafkapy_wire.messages.join_group import JoinGroupRequest
    from kafkapy_wire.messages.list_groups import ListGroupsResponse
    from kafkapy_wire.messages.offset_delete import OffsetDeleteRequest
    from kafkapy_wire.messages.sync_group import SyncGroupRequest

GROUP, TRANSACTION, SHARE = range(3)
FIRST_VERSION_WITH_KEYS = 4
FIRST_VERSION_WITHOUT_PROTOCOL, FIRST_VERSION_NAMING_PROTOCOL = 7, 5


def of_a_member(served: Served, request: Any, context: NodeContext) -> Any:
    if request.group_id is not None:  # ShareFetch and ShareAcknowledge may name none, and are refused for that
        check(context, AclOperation.READ, ResourceType.GROUP, request.group_id)
    return served.handle(request, context)


def join_group(served: Served, request: JoinGroupRequest, context: NodeContext) -> Any:
    if not is_allowed(context, AclOperation.READ, ResourceType.GROUP, request.group_id):
        return JoinGroupResponse(
            error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED,
            protocol_name=None if context.api_version >= FIRST_VERSION_WITHOUT_PROTOCOL else "",
        )
    return served.handle(request, context)


def sync_group(served: Served, request: SyncGroupRequest, context: NodeContext) -> Any:
    """From version 5 on a request must say the protocol; that is looked at first."""
    if context.api_version < FIRST_VERSION_NAMING_PROTOCOL or (request.protocol_type and request.protocol_name):
        check(context, AclOperation.READ, ResourceType.GROUP, request.group_id)
    return served.handle(request, context)


def of_a_subscriber(served: Served, request: Any, context: NodeContext) -> Any:
    """A member of a consumer or share group that names its topics must be allowed to describe all of them."""
    check(context, AclOperation.READ, ResourceType.GROUP, request.group_id)
    for name in dict.fromkeys(request.subscribed_topic_names or ()):
        check(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name)
    return served.handle(request, context)


def offset_commit(served: Served, request: Any, context: NodeContext) -> Any:
    check(context, AclOperation.READ, ResourceType.GROUP, request.group_id)
    name_of = name_or_id(context.node.metadata.image)
    parts = Parts("topics", "topics")
    return handle_in_part(served, request, context, parts, AclOperation.READ, ResourceType.TOPIC, name_of)


def offset_delete(served: Served, request: OffsetDeleteRequest, context: NodeContext) -> Any:
    check(context, AclOperation.DELETE, ResourceType.GROUP, request.group_id)
    allowed, refused = parted(context, request.topics, AclOperation.READ, ResourceType.TOPIC, by_name)
    refusal = OffsetDeleteResponse(
        topics=[
            OffsetDeleteResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetDeleteResponsePartition(
                        partition_index=partition.partition_index, error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in refused
        ]
    )

    def add(response: OffsetDeleteResponse) -> OffsetDeleteResponse:
        if response.error_code == ErrorCode.NONE:
            response.topics = [*response.topics, *refusal.topics]
        return response

    if not allowed and refused:
        return refusal
    return then(served.handle(with_fields(request, topics=allowed), context), add)


def delete_groups(served: Served, request: Any, context: NodeContext) -> Any:
    parts = Parts("groups_names", "results")
    return handle_in_part(served, request, context, parts, AclOperation.DELETE, ResourceType.GROUP, str)


def find_coordinator(served: Served, request: FindCoordinatorRequest, context: NodeContext) -> Any:
    if request.key_type == SHARE and not is_allowed_in_cluster(context, AclOperation.CLUSTER_ACTION):
        if context.api_version >= FIRST_VERSION_WITH_KEYS and not request.coordinator_keys:
            return FindCoordinatorResponse()  # each key has an error, and there is none
        raise KafkaError(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, CLUSTER_REFUSED)
    resource_type = {GROUP: ResourceType.GROUP, TRANSACTION: ResourceType.TRANSACTIONAL_ID}.get(request.key_type)
    if resource_type is None:
        return served.handle(request, context)
    if context.api_version < FIRST_VERSION_WITH_KEYS:
        if not is_allowed(context, AclOperation.DESCRIBE, resource_type, request.key):
            message = GROUP_REFUSED if request.key_type == GROUP else TRANSACTIONAL_ID_REFUSED
            raise KafkaError(REFUSED[resource_type], message)
        return served.handle(request, context)
    parts = Parts("coordinator_keys", "coordinators")
    return handle_in_part(served, request, context, parts, AclOperation.DESCRIBE, resource_type, str, message="")


def describe_groups(served: Served, request: Any, context: NodeContext) -> Any:
    parts = Parts("groups", "groups")
    answer = handle_in_part(served, request, context, parts, AclOperation.DESCRIBE, ResourceType.GROUP, str)
    return then(answer, lambda response: with_operations(response, context))


def with_operations(response: Any, context: NodeContext) -> Any:
    for group in response.groups:
        if group.authorized_operations != NO_OPERATIONS:
            group.authorized_operations = operation_bits(context, ResourceType.GROUP, group.group_id)
    return response


def describe_subscribers(served: Served, request: Any, context: NodeContext) -> Any:
    """Consumer and share groups: who may not describe all topics that are assigned is told nothing of the group."""
    parts = Parts("group_ids", "groups")
    allowed, refused = parted(context, request.group_ids, AclOperation.DESCRIBE, ResourceType.GROUP, str)
    refusal = served.error_response(
        with_fields(request, group_ids=refused), KafkaError(ErrorCode.GROUP_AUTHORIZATION_FAILED)
    )

    def without_hidden(response: Any) -> Any:
        hidden = [group for group in response.groups if not _may_describe_topics(group, context)]
        if hidden:
            names = {group.group_id for group in hidden}
            error = KafkaError(
                ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                "The group has described topic(s) that the client is not authorized to describe.",
            )
            refused_groups = served.error_response(with_fields(request, group_ids=[*names]), error).groups
            instead = {group.group_id: group for group in refused_groups}
            response.groups = [instead.get(group.group_id, group) for group in response.groups]
        return with_operations(response, context)

    if not refused:
        return then(served.handle(request, context), without_hidden)
    answer = answer_in_part(served, with_fields(request, group_ids=allowed), context, parts, refusal)
    return then(answer, without_hidden)


def _may_describe_topics(group: Any, context: NodeContext) -> bool:
    names: dict[str, None] = {}
    for member in group.members:
        for assignment in (member.assignment, getattr(member, "target_assignment", None)):
            if assignment is not None:
                names |= dict.fromkeys(topic.topic_name for topic in assignment.topic_partitions)
    return all(is_allowed(context, AclOperation.DESCRIBE, ResourceType.TOPIC, name) for name in names)


def list_groups(served: Served, request: Any, context: NodeContext) -> Any:
    if is_allowed_in_cluster(context, AclOperation.DESCRIBE, is_logged=False):
        return served.handle(request, context)

    def without_hidden(response: ListGroupsResponse) -> ListGroupsResponse:
        response.groups = [
            group
            for group in response.groups
            if is_allowed(context, AclOperation.DESCRIBE, ResourceType.GROUP, group.group_id, is_logged=False)
        ]
        return response

    return then(served.handle(request, context), without_hidden)
