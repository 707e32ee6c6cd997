"""DescribeAcls (API key 29), versions 1-3: the ACLs that a filter takes, by resource.

v2 flexible   v3 resource type USER (KIP-373)

Errors  SECURITY_DISABLED  there is no authorizer
        CLUSTER_AUTHORIZATION_FAILED  the client may not describe the cluster
A request whose resource type, pattern type, operation or permission type is 0 ends its connection, as in Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.acl_numbers import check_numbers
from kafkapy.security.access import check_cluster
from kafkapy.turns import each_in_turns, to_the_end
from kafkapy_controller.access_control import acls_matching
from kafkapy_controller.acl import Acl, AclFilter, AclOperation
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_acls import (
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext


async def handle(request: DescribeAclsRequest, context: NodeContext) -> DescribeAclsResponse:
    check_numbers(request.resource_type_filter, request.pattern_type_filter, request.operation, request.permission_type)
    check_cluster(context, AclOperation.DESCRIBE)
    if context.node.authorizer is None:
        raise KafkaError(ErrorCode.SECURITY_DISABLED, "No Authorizer is configured on the broker")
    wanted = AclFilter(
        request.resource_type_filter,
        request.resource_name_filter,
        request.pattern_type_filter,
        request.principal_filter,
        request.host_filter,
        request.operation,
        request.permission_type,
    )
    by_pattern: dict[tuple[int, str, int], list[Acl]] = {}
    for acl in await to_the_end(acls_matching(context.node.metadata.image, wanted)):
        by_pattern.setdefault(acl[:3], []).append(acl)
    resources = await each_in_turns(lambda one: _resource(*one), by_pattern.items())
    return DescribeAclsResponse(resources=resources)


def _resource(pattern: tuple[int, str, int], acls: list[Acl]) -> DescribeAclsResource:
    resource_type, resource_name, pattern_type = pattern
    return DescribeAclsResource(
        resource_type=resource_type,
        resource_name=resource_name,
        pattern_type=pattern_type,
        acls=[
            AclDescription(
                principal=acl.principal, host=acl.host, operation=acl.operation, permission_type=acl.permission_type
            )
            for acl in acls
        ],
    )
