"""What API handlers ask: may the client of this request do that? Without an authorizer it may do everything."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, TypeVar

from kafkapy.security.hosts import java_host
from kafkapy_controller.acl import CLUSTER_NAME, AclOperation, ResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from kafkapy.security.authorizer import StandardAuthorizer
    from kafkapy.security.principal import KafkaPrincipal

T = TypeVar("T")

logger = logging.getLogger("kafkapy.authorizer")


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


def is_allowed(context: Asker, operation: AclOperation, resource_type: ResourceType, name: str) -> bool:
    authorizer = context.node.authorizer
    if authorizer is None:
        return True
    client = context.client
    return authorizer.allows(str(client.principal), java_host(client.peer_host), operation, resource_type, name)


def check_cluster(context: Asker, operation: AclOperation) -> None:
    """Raises KafkaError CLUSTER_AUTHORIZATION_FAILED."""
    if context.node.authorizer is not None and not is_allowed(context, operation, ResourceType.CLUSTER, CLUSTER_NAME):
        raise KafkaError(
            ErrorCode.CLUSTER_AUTHORIZATION_FAILED, f"The request needs the permission {operation.name} on the cluster."
        )
