"""What `kafkapy acls` asks and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import check
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from kafkapy_wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest, DeleteAclsResponse
from kafkapy_wire.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse

ANY = 1
RESOURCE_TYPES = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5, "delegation-token": 6, "user": 7}
LITERAL, PREFIXED = 3, 4
OPERATIONS = {
    "all": 2,
    "read": 3,
    "write": 4,
    "create": 5,
    "delete": 6,
    "alter": 7,
    "describe": 8,
    "cluster-action": 9,
    "describe-configs": 10,
    "alter-configs": 11,
    "idempotent-write": 12,
    "create-tokens": 13,
    "describe-tokens": 14,
    "two-phase-commit": 15,
}
ALL = "ALL"
SUPPORTED: Mapping[str, Sequence[str]] = {
    "TOPIC": (*("READ", "WRITE", "CREATE", "DESCRIBE", "DELETE", "ALTER", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"), ALL),
    "GROUP": ("READ", "DESCRIBE", "DELETE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", ALL),
    "CLUSTER": (
        *("CREATE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "ALTER", "DESCRIBE"),
        ALL,
    ),
    "TRANSACTIONAL_ID": ("DESCRIBE", "WRITE", "TWO_PHASE_COMMIT", ALL),
    "DELEGATION_TOKEN": ("DESCRIBE", ALL),
    "USER": ("CREATE_TOKENS", "DESCRIBE_TOKENS", ALL),
}
"""Kafka's names of resource types -> the operations that count for them. Brokers store other ACLs, too."""
DENY, ALLOW = 2, 3
CLUSTER_NAME = "kafka-cluster"

_RESOURCE_NAMES = {number: name for name, number in RESOURCE_TYPES.items()}
_OPERATION_NAMES = {number: name for name, number in OPERATIONS.items()}


class Acl(NamedTuple):
    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    host: str
    operation: int
    permission_type: int

    @property
    def resource_words(self) -> str:
        return _RESOURCE_NAMES.get(self.resource_type, str(self.resource_type))

    @property
    def operation_words(self) -> str:
        return _OPERATION_NAMES.get(self.operation, str(self.operation))

    @property
    def permission_words(self) -> str:
        return {DENY: "deny", ALLOW: "allow"}.get(self.permission_type, str(self.permission_type))

    @property
    def pattern_words(self) -> str:
        return {LITERAL: "literal", PREFIXED: "prefixed"}.get(self.pattern_type, str(self.pattern_type))

    def __str__(self) -> str:
        name = f"{self.resource_name}*" if self.pattern_type == PREFIXED else self.resource_name
        host = "" if self.host == "*" else f" from {self.host}"
        return (
            f"{self.permission_words} {self.principal}{host} to {self.operation_words} {self.resource_words} {name!r}"
        )


class AclFilter(NamedTuple):
    """None, and 1 (any) of the numbers, takes every value."""

    resource_type: int = ANY
    resource_name: str | None = None
    pattern_type: int = ANY
    principal: str | None = None
    host: str | None = None
    operation: int = ANY
    permission_type: int = ANY


def describe_acls(cluster: Cluster, wanted: AclFilter) -> list[Acl]:
    """Raises Refused."""
    request = DescribeAclsRequest(
        resource_type_filter=wanted.resource_type,
        resource_name_filter=wanted.resource_name,
        pattern_type_filter=wanted.pattern_type,
        principal_filter=wanted.principal,
        host_filter=wanted.host,
        operation=wanted.operation,
        permission_type=wanted.permission_type,
    )

    def attempt() -> list[Acl]:
        answer = cluster.ask_once(cluster.any_broker(), request, DescribeAclsResponse)
        check(answer.error_code, "ACLs", answer.error_message)
        return [
            Acl(
                resource.resource_type,
                resource.resource_name,
                resource.pattern_type,
                acl.principal,
                acl.host,
                acl.operation,
                acl.permission_type,
            )
            for resource in answer.resources
            for acl in resource.acls
        ]

    return sorted(cluster.retrying(attempt))


def create_acls(cluster: Cluster, acls: Sequence[Acl]) -> None:
    """Raises Refused."""
    request = CreateAclsRequest(
        creations=[
            AclCreation(
                resource_type=acl.resource_type,
                resource_name=acl.resource_name,
                resource_pattern_type=acl.pattern_type,
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission_type,
            )
            for acl in acls
        ]
    )

    def attempt() -> None:
        answer = cluster.ask_once(cluster.any_broker(), request, CreateAclsResponse)
        for acl, result in zip(acls, answer.results, strict=True):
            check(result.error_code, str(acl), result.error_message)

    cluster.retrying(attempt)


def delete_acls(cluster: Cluster, wanted: Sequence[AclFilter]) -> list[Acl]:
    """Those that were deleted. Raises Refused."""
    request = DeleteAclsRequest(
        filters=[
            DeleteAclsFilter(
                resource_type_filter=each.resource_type,
                resource_name_filter=each.resource_name,
                pattern_type_filter=each.pattern_type,
                principal_filter=each.principal,
                host_filter=each.host,
                operation=each.operation,
                permission_type=each.permission_type,
            )
            for each in wanted
        ]
    )

    def attempt() -> list[Acl]:
        deleted = set()
        answer = cluster.ask_once(cluster.any_broker(), request, DeleteAclsResponse)
        for result in answer.filter_results:
            check(result.error_code, "ACLs", result.error_message)
            deleted |= {
                Acl(
                    acl.resource_type,
                    acl.resource_name,
                    acl.pattern_type,
                    acl.principal,
                    acl.host,
                    acl.operation,
                    acl.permission_type,
                )
                for acl in result.matching_acls
            }
        return sorted(deleted)

    return cluster.retrying(attempt)
