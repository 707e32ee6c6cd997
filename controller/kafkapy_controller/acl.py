"""ACLs: what a principal may or must not do from a host to the resources of a pattern; and filters of ACLs.

The fields are the numbers of records and requests. A number that these enumerations do not have (`UNKNOWN` to Apache
Kafka) is kept as it is and matches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from kafkapy_wire.record_formats.metadata import AccessControlEntryRecord
from kafkapy_wire.uuid import Uuid

WILDCARD = "*"
"""As the name of a literal pattern: every resource of the type. As a host: every host."""
CLUSTER_NAME = "kafka-cluster"
"""The only resource of type CLUSTER."""


class ResourceType(IntEnum):
    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(IntEnum):
    ANY = 1
    """Of a filter: either type."""
    MATCH = 2
    """Of a filter: those patterns that the name would match."""
    LITERAL = 3
    PREFIXED = 4


class AclOperation(IntEnum):
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class PermissionType(IntEnum):
    ANY = 1
    DENY = 2
    ALLOW = 3


class Acl(NamedTuple):
    """The same ACL is stored once, so that it is compared by value."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    """`User:alice`; `User:*` is everybody."""
    host: str
    operation: int
    permission_type: int


def acl_of(record: AccessControlEntryRecord) -> Acl:
    return Acl(
        record.resource_type,
        record.resource_name,
        record.pattern_type,
        record.principal,
        record.host,
        record.operation,
        record.permission_type,
    )


def acl_record(acl_id: Uuid, acl: Acl) -> AccessControlEntryRecord:
    return AccessControlEntryRecord(
        id=acl_id,
        resource_type=acl.resource_type,
        resource_name=acl.resource_name,
        pattern_type=acl.pattern_type,
        principal=acl.principal,
        host=acl.host,
        operation=acl.operation,
        permission_type=acl.permission_type,
    )


class AclFilter(NamedTuple):
    """Which ACLs are meant. None is every name, principal or host."""

    resource_type: int
    resource_name: str | None
    pattern_type: int
    principal: str | None
    host: str | None
    operation: int
    permission_type: int

    def matches(self, acl: Acl) -> bool:
        return (
            self.resource_type in (ResourceType.ANY, acl.resource_type)
            and self.operation in (AclOperation.ANY, acl.operation)
            and self.permission_type in (PermissionType.ANY, acl.permission_type)
            and self.principal in (None, acl.principal)
            and self.host in (None, acl.host)
            and self._matches_pattern(acl)
        )

    def _matches_pattern(self, acl: Acl) -> bool:
        name = self.resource_name
        if self.pattern_type != PatternType.MATCH:
            return self.pattern_type in (PatternType.ANY, acl.pattern_type) and name in (None, acl.resource_name)
        if name is None:
            return True
        if acl.pattern_type == PatternType.PREFIXED:
            return name.startswith(acl.resource_name)
        return acl.resource_name in (name, WILDCARD)


_KNOWN: Mapping[type[IntEnum], frozenset[int]] = {
    each: frozenset(map(int, each)) for each in (ResourceType, PatternType, AclOperation, PermissionType)
}


def name_of(kind: type[IntEnum], number: int) -> str:
    """As Apache Kafka names it in messages."""
    return kind(number).name if number in _KNOWN[kind] else "UNKNOWN"


def is_unknown(kind: type[IntEnum], number: int) -> bool:
    return number not in _KNOWN[kind]
