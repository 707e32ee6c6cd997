"""Which ACLs are about a resource, and what they say: the rules of Apache Kafka's StandardAuthorizer. Pure.

A resource is matched by the literal pattern with its name, by `*`, and by every prefix of its name. So a decision looks
at the patterns that match, and not at all ACLs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_controller.acl import WILDCARD, Acl, AclOperation, PatternType, PermissionType
from kafkapy_controller.cidr import block_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EVERYBODY: Final = "User:*"

_IMPLY: Final = {
    AclOperation.DESCRIBE: frozenset(
        {AclOperation.DESCRIBE, AclOperation.READ, AclOperation.WRITE, AclOperation.DELETE, AclOperation.ALTER}
    ),
    AclOperation.DESCRIBE_CONFIGS: frozenset({AclOperation.DESCRIBE_CONFIGS, AclOperation.ALTER_CONFIGS}),
}
"""Who may do one of these may do the operation. Only what is allowed implies anything, not what is denied."""


class AclIndex:
    """A set of ACLs, by their patterns."""

    def __init__(self, acls: Iterable[Acl] = ()) -> None:
        self._by_pattern: dict[tuple[int, int, str], dict[Acl, None]] = {}
        # Of each resource type: how many prefixed patterns there are of each length.
        self._lengths: dict[int, dict[int, int]] = {}
        for acl in acls:
            self.add(acl)

    def add(self, acl: Acl) -> None:
        pattern = (acl.resource_type, acl.pattern_type, acl.resource_name)
        acls = self._by_pattern.get(pattern)
        if acls is None:
            acls = self._by_pattern[pattern] = {}
            if acl.pattern_type == PatternType.PREFIXED:
                lengths = self._lengths.setdefault(acl.resource_type, {})
                length = len(acl.resource_name)
                lengths[length] = lengths.get(length, 0) + 1
        acls[acl] = None

    def remove(self, acl: Acl) -> None:
        """An ACL that is not there is passed over."""
        pattern = (acl.resource_type, acl.pattern_type, acl.resource_name)
        acls = self._by_pattern.get(pattern, {})
        acls.pop(acl, None)
        if not acls and self._by_pattern.pop(pattern, None) is not None and acl.pattern_type == PatternType.PREFIXED:
            lengths, length = self._lengths[acl.resource_type], len(acl.resource_name)
            lengths[length] -= 1
            if not lengths[length]:
                del lengths[length]

    def about(self, resource_type: int, name: str) -> Iterator[Acl]:
        """The ACLs whose pattern matches the resource."""
        by_pattern = self._by_pattern
        yield from by_pattern.get((resource_type, PatternType.LITERAL, name), ())
        # Apache Kafka takes `*` for a name here that is not the whole of `*a`, and not for the wildcard.
        if not name.startswith(WILDCARD):
            yield from by_pattern.get((resource_type, PatternType.LITERAL, WILDCARD), ())
        size = len(name)
        for length in self._lengths.get(resource_type, ()):
            if length <= size:
                yield from by_pattern.get((resource_type, PatternType.PREFIXED, name[:length]), ())

    def of_type(self, resource_type: int) -> Iterator[Acl]:
        for (its_type, _, _), acls in self._by_pattern.items():
            if its_type == resource_type:
                yield from acls

    def allows(
        self, principal: str, host: str, operation: int, resource_type: int, name: str, *, without_acls: bool
    ) -> bool:
        """Whether `principal` may do `operation` from `host`: if an ACL allows it, and none denies it.

        `without_acls`: what holds for a resource that no pattern matches.
        """
        has_acls = is_allowed = False
        for acl in self.about(resource_type, name):
            has_acls = True
            if acl.principal not in (principal, EVERYBODY) or not _takes(acl.host, host):
                continue
            if acl.permission_type == PermissionType.ALLOW:
                is_allowed = is_allowed or acl.operation in (operation, AclOperation.ALL) or _implies(acl, operation)
            elif acl.operation in (operation, AclOperation.ALL):
                return False
        return is_allowed if has_acls else without_acls

    def allows_some(self, principal: str, host: str, operation: int, resource_type: int) -> bool:
        """Whether an ACL allows `operation` on any resource of the type, and none that denies covers all of those.

        As Apache Kafka does it: an operation that implies another one does not count here.
        """
        denied: set[tuple[int, str]] = set()
        allowed: set[tuple[int, str]] = set()
        for acl in self.of_type(resource_type):
            if acl.principal not in (principal, EVERYBODY) or not _takes(acl.host, host):
                continue
            if acl.operation not in (operation, AclOperation.ALL):
                continue
            pattern = (acl.pattern_type, acl.resource_name)
            if acl.permission_type == PermissionType.ALLOW:
                allowed.add(pattern)
            elif pattern == (PatternType.LITERAL, WILDCARD):
                return False
            else:
                denied.add(pattern)
        if (PatternType.LITERAL, WILDCARD) in allowed:
            return True
        return any(not _is_covered(pattern, denied) for pattern in allowed)


def _takes(acl_host: str, host: str) -> bool:
    if acl_host in (host, WILDCARD):
        return True
    block = block_or_none(acl_host)
    return block is not None and host in block


def _implies(acl: Acl, operation: int) -> bool:
    return acl.operation in _IMPLY.get(operation, ())  # type: ignore[call-overload]  # looked up by its number


def _is_covered(pattern: tuple[int, str], denied: set[tuple[int, str]]) -> bool:
    pattern_type, name = pattern
    if pattern_type == PatternType.LITERAL and pattern in denied:
        return True
    return any((PatternType.PREFIXED, name[:length]) in denied for length in range(1, len(name) + 1))
