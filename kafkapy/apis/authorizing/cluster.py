"""APIs that are about the cluster as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.apis.authorizing.rule import CLUSTER_REFUSED, Served, then
from kafkapy.apis.metadata import NO_OPERATIONS
from kafkapy.security.access import check, check_cluster, is_allowed_in_cluster, operation_bits
from kafkapy_controller.acl import CLUSTER_NAME, AclOperation, ResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_log_dirs import DescribeLogDirsResponse

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy_wire.messages.describe_cluster import DescribeClusterResponse


FIRST_VERSION_OF_ELECTIONS_WITH_ERROR = 1


def alter(served: Served, request: Any, context: NodeContext) -> Any:
    check_cluster(context, AclOperation.ALTER)
    return served.handle(request, context)


def alter_voters(served: Served, request: Any, context: NodeContext) -> Any:
    """Apache Kafka says in these answers that something is refused, and not what would be needed."""
    return _with_standard_text(served, request, context, AclOperation.ALTER)


def register_controller(served: Served, request: Any, context: NodeContext) -> Any:
    return _with_standard_text(served, request, context, AclOperation.CLUSTER_ACTION)


def _with_standard_text(served: Served, request: Any, context: NodeContext, operation: AclOperation) -> Any:
    if not is_allowed_in_cluster(context, operation):
        raise KafkaError(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, CLUSTER_REFUSED)
    return served.handle(request, context)


def describe(served: Served, request: Any, context: NodeContext) -> Any:
    check_cluster(context, AclOperation.DESCRIBE)
    return served.handle(request, context)


def alter_configs(served: Served, request: Any, context: NodeContext) -> Any:
    check_cluster(context, AclOperation.ALTER_CONFIGS)
    return served.handle(request, context)


def describe_configs(served: Served, request: Any, context: NodeContext) -> Any:
    check_cluster(context, AclOperation.DESCRIBE_CONFIGS)
    return served.handle(request, context)


def describe_quotas(served: Served, request: Any, context: NodeContext) -> Any:
    check(context, AclOperation.DESCRIBE_CONFIGS, ResourceType.CLUSTER, CLUSTER_NAME)
    return served.handle(request, context)


def describe_users(served: Served, request: Any, context: NodeContext) -> Any:
    check(context, AclOperation.DESCRIBE, ResourceType.CLUSTER, CLUSTER_NAME)
    return served.handle(request, context)


def describe_quorum(served: Served, request: Any, context: NodeContext) -> Any:
    return _with_standard_text(served, request, context, AclOperation.DESCRIBE)


def describe_log_dirs(served: Served, request: Any, context: NodeContext) -> Any:
    if not is_allowed_in_cluster(context, AclOperation.DESCRIBE):
        return DescribeLogDirsResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    return served.handle(request, context)


def elect_leaders(served: Served, request: Any, context: NodeContext) -> Any:
    try:
        return alter(served, request, context)
    except KafkaError as error:
        refusal = served.error_response(request, error)
        has_error = context.api_version >= FIRST_VERSION_OF_ELECTIONS_WITH_ERROR
        refusal.error_code = error.code if has_error else ErrorCode.NONE
        return refusal


def action(served: Served, request: Any, context: NodeContext) -> Any:
    """Requests between nodes."""
    check_cluster(context, AclOperation.CLUSTER_ACTION)
    return served.handle(request, context)


def describe_cluster(served: Served, request: Any, context: NodeContext) -> Any:
    """Brokers tell everybody; controllers only those that may alter the cluster."""
    if context.at_controller:
        check_cluster(context, AclOperation.ALTER)

    def with_operations(answer: DescribeClusterResponse) -> DescribeClusterResponse:
        if answer.cluster_authorized_operations != NO_OPERATIONS:
            answer.cluster_authorized_operations = cluster_operations(context)
        return answer

    return then(served.handle(request, context), with_operations)


def cluster_operations(context: NodeContext) -> int:
    if not is_allowed_in_cluster(context, AclOperation.DESCRIBE):
        return 0
    return operation_bits(context, ResourceType.CLUSTER, CLUSTER_NAME)
