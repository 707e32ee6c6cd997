"""CreateAcls (API key 30), versions 1-3: stores ACLs in the metadata log.

v2 flexible   v3 resource type USER (KIP-373)

If one ACL fails, the others are stored all the same. One that exists already is no error.

Errors  SECURITY_DISABLED    there is no authorizer
        CLUSTER_AUTHORIZATION_FAILED  the client may not alter the cluster
        UNKNOWN_SERVER_ERROR one of them has a filter's value (ANY, MATCH): as Apache Kafka 4.4.0, for all of them
        INVALID_REQUEST      an unknown type, operation or permission, an empty name, a principal without a colon, no
                             host, a block of addresses that is none, a resource of type CLUSTER that is not
                             kafka-cluster
        UNSUPPORTED_VERSION  a block of addresses as host, with metadata.version below 4.4-IV1
        POLICY_VIOLATION     more than 10,000 new ACLs; then none is stored
        KAFKA_STORAGE_ERROR  the metadata log cannot be written
A request whose resource type, pattern type, operation or permission type is 0 ends its connection, as in Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.apis.acl_numbers import check_numbers
from kafkapy.security.access import check_cluster
from kafkapy.turns import each_in_turns
from kafkapy_controller.access_control import decide_create_acls
from kafkapy_controller.acl import Acl, AclOperation, PatternType, PermissionType, ResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_acls import AclCreation, AclCreationResult, CreateAclsRequest, CreateAclsResponse
from kafkapy_wire.uuid import random_uuid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending


def before_forwarding(request: CreateAclsRequest, _context: NodeContext) -> None:
    for each in request.creations:
        check_numbers(each.resource_type, each.resource_pattern_type, each.operation, each.permission_type)


async def handle(request: CreateAclsRequest, context: NodeContext) -> Pending[CreateAclsResponse]:
    before_forwarding(request, context)
    check_cluster(context, AclOperation.ALTER)
    if context.node.authorizer is None:
        raise KafkaError(ErrorCode.SECURITY_DISABLED, "No Authorizer is configured.")
    asked = await each_in_turns(_acl, request.creations)
    if any(map(_is_of_filters, asked)):
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
    errors = await context.node.controller.commit_in_steps(lambda image: decide_create_acls(image, asked, random_uuid))
    return errors.map(_response)


def _is_of_filters(acl: Acl) -> bool:
    """Whether it has a value that only filters have."""
    return (
        acl.resource_type == ResourceType.ANY
        or acl.pattern_type in (PatternType.ANY, PatternType.MATCH)
        or acl.operation == AclOperation.ANY
        or acl.permission_type == PermissionType.ANY
    )


def _acl(creation: AclCreation) -> Acl:
    return Acl(
        creation.resource_type,
        creation.resource_name,
        creation.resource_pattern_type,
        creation.principal,
        creation.host,
        creation.operation,
        creation.permission_type,
    )


def _response(errors: Iterable[KafkaError | None]) -> CreateAclsResponse:
    return CreateAclsResponse(
        results=[
            AclCreationResult()
            if error is None
            else AclCreationResult(error_code=error.code, error_message=error.message)
            for error in errors
        ]
    )


def error_response(request: CreateAclsRequest, error: KafkaError) -> CreateAclsResponse:
    return _response([error] * len(request.creations))
