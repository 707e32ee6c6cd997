"""What API handlers ask: may the client of this request do that? Without an authorizer it may do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from kafkapy.security.denied_log import note_allowed
from kafkapy.security.hosts import java_host
from kafkapy_controller.acl import CLUSTER_NAME, AclOperation, ResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.security.authorizer import StandardAuthorizer
    from kafkapy.security.principal import KafkaPrincipal


class _Node(Protocol):
    @property
    def authorizer(self) -> StandardAuthorizer | None: ...


class _Client(Protocol):
    principal: KafkaPrincipal
    peer_host: str


class Asker(Protocol):
    """The part of a request's context that is needed here."""

    @property
    def node(self) -> _Node: ...

    @property
    def client(self) -> _Client: ...


OPERATIONS: Final[Mapping[ResourceType, tuple[AclOperation, ...]]] = {
    ResourceType.TOPIC: (
        *(AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE, AclOperation.DELETE, AclOperation.ALTER),
        *(AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS),
    ),
    ResourceType.GROUP: (
        *(AclOperation.READ, AclOperation.DELETE, AclOperation.DESCRIBE),
        *(AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS),
    ),
    ResourceType.CLUSTER: (
        *(AclOperation.CREATE, AclOperation.ALTER, AclOperation.DESCRIBE, AclOperation.CLUSTER_ACTION),
        *(AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS, AclOperation.IDEMPOTENT_WRITE),
    ),
}
"""Those that answers list, of each type of resource."""

REFUSED: Final[Mapping[ResourceType, ErrorCode]] = {
    ResourceType.TOPIC: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    ResourceType.GROUP: ErrorCode.GROUP_AUTHORIZATION_FAILED,
    ResourceType.CLUSTER: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    ResourceType.TRANSACTIONAL_ID: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


def is_allowed(
    context: Asker, operation: AclOperation, resource_type: ResourceType, name: str, *, is_logged: bool = True
) -> bool:
    """`is_logged`: a refusal goes to the log, and at debug level what is allowed."""
    authorizer = context.node.authorizer
    if authorizer is None:
        return True
    client = context.client
    principal, host = str(client.principal), java_host(client.peer_host)
    if authorizer.allows(principal, host, operation, resource_type, name):
        if is_logged:
            note_allowed(principal, host, operation, resource_type, name)
        return True
    if is_logged:
        authorizer.note_denied(principal, host, operation, resource_type, name)
    return False


def is_allowed_in_cluster(context: Asker, operation: AclOperation, *, is_logged: bool = True) -> bool:
    return is_allowed(context, operation, ResourceType.CLUSTER, CLUSTER_NAME, is_logged=is_logged)


def is_allowed_somewhere(context: Asker, operation: AclOperation, resource_type: ResourceType) -> bool:
    """Whether any resource of the type will do (KIP-679)."""
    authorizer = context.node.authorizer
    if authorizer is None:
        return True
    return authorizer.allows_some(
        str(context.client.principal), java_host(context.client.peer_host), operation, resource_type
    )


def check(context: Asker, operation: AclOperation, resource_type: ResourceType, name: str) -> None:
    """Raises KafkaError: the authorization error of the type of resource."""
    if not is_allowed(context, operation, resource_type, name):
        raise KafkaError(REFUSED[resource_type])


def check_cluster(context: Asker, operation: AclOperation) -> None:
    """Raises KafkaError CLUSTER_AUTHORIZATION_FAILED."""
    if not is_allowed_in_cluster(context, operation):
        raise KafkaError(
            ErrorCode.CLUSTER_AUTHORIZATION_FAILED, f"The request needs {operation.name} permission on the cluster."
        )


def operation_bits(context: Asker, resource_type: ResourceType, name: str) -> int:
    """The operations that the client may do to the resource, as answers list them: a bit for each."""
    return sum(
        1 << operation
        for operation in OPERATIONS[resource_type]
        if is_allowed(context, operation, resource_type, name, is_logged=False)
    )
