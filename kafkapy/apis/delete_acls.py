"""DeleteAcls (API key 31), versions 1-3: deletes the ACLs that filters take.

v2 flexible   v3 resource type USER (KIP-373)

Errors  SECURITY_DISABLED    there is no authorizer
        CLUSTER_AUTHORIZATION_FAILED  the client may not alter the cluster
        INVALID_REQUEST      more than 10,000 ACLs; then none is deleted
        KAFKA_STORAGE_ERROR  the metadata log cannot be written
A request whose resource type, pattern type, operation or permission type is 0 ends its connection, as in Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.acl_numbers import check_numbers
from kafkapy.security.access import check_cluster
from kafkapy.turns import each_in_turns
from kafkapy_controller.access_control import decide_delete_acls
from kafkapy_controller.acl import Acl, AclFilter, AclOperation
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.delete_acls import (
    DeleteAclsFilter,
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending


def before_forwarding(request: DeleteAclsRequest, _context: NodeContext) -> None:
    for each in request.filters:
        check_numbers(each.resource_type_filter, each.pattern_type_filter, each.operation, each.permission_type)


async def handle(request: DeleteAclsRequest, context: NodeContext) -> Pending[DeleteAclsResponse]:
    before_forwarding(request, context)
    check_cluster(context, AclOperation.ALTER)
    if context.node.authorizer is None:
        raise KafkaError(ErrorCode.SECURITY_DISABLED, "No Authorizer is configured.")
    filters = await each_in_turns(_filter, request.filters)
    deleted = await context.node.controller.commit_in_steps(lambda image: decide_delete_acls(image, filters))
    return deleted.map(lambda results: DeleteAclsResponse(filter_results=[_result(acls) for acls in results]))


def _filter(asked: DeleteAclsFilter) -> AclFilter:
    return AclFilter(
        asked.resource_type_filter,
        asked.resource_name_filter,
        asked.pattern_type_filter,
        asked.principal_filter,
        asked.host_filter,
        asked.operation,
        asked.permission_type,
    )


def _result(acls: list[Acl] | KafkaError) -> DeleteAclsFilterResult:
    if isinstance(acls, KafkaError):
        return DeleteAclsFilterResult(error_code=acls.code, error_message=acls.message)
    return DeleteAclsFilterResult(
        error_message=None,
        matching_acls=[
            DeleteAclsMatchingAcl(
                error_message=None,
                resource_type=acl.resource_type,
                resource_name=acl.resource_name,
                pattern_type=acl.pattern_type,
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission_type,
            )
            for acl in acls
        ],
    )


def error_response(request: DeleteAclsRequest, error: KafkaError) -> DeleteAclsResponse:
    return DeleteAclsResponse(
        filter_results=[
            DeleteAclsFilterResult(error_code=error.code, error_message=error.message) for _ in request.filters
        ]
    )
