"""Which ACLs are about a resource, and what they say: the rules of Apache Kafka's StandardAuthorizer. Pure.

A resource is matched by the literal pattern with its name, by `*`, and by every prefix of its name. So a decision looks
at the patterns that match, and of these at the ACLs of the principal and of everybody, not at all ACLs: a client may
ask for a decision about each of a hundred thousand names, and `*` may have ACLs of thousands of users.
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
        self._by_pattern: dict[tuple[int, int, str], dict[str, dict[Acl, None]]] = {}  # and by principal
        # Of each resource type: how many prefixed patterns there are of each length.
        self._lengths: dict[int, dict[int, int]] = {}
        for acl in acls:
            self.add(acl)

    def add(self, acl: Acl) -> None:
        pattern = (acl.resource_type, acl.pattern_type, acl.resource_name)
        by_principal = self._by_pattern.get(pattern)
        if by_principal is None:
            by_principal = self._by_pattern[pattern] = {}
            if acl.pattern_type == PatternType.PREFIXED:
                lengths = self._lengths.setdefault(acl.resource_type, {})
                length = len(acl.resource_name)
                lengths[length] = lengths.get(length, 0) + 1
        by_principal.setdefault(acl.principal, {})[acl] = None

    def remove(self, acl: Acl) -> None:
        """An ACL that is not there is passed over."""
        pattern = (acl.resource_type, acl.pattern_type, acl.resource_name)
        by_principal = self._by_pattern.get(pattern, {})
        acls = by_principal.get(acl.principal, {})
        acls.pop(acl, None)
        if not acls:
            by_principal.pop(acl.principal, None)
        if by_principal or self._by_pattern.pop(pattern, None) is None:
            return
        if acl.pattern_type == PatternType.PREFIXED:
            lengths, length = self._lengths[acl.resource_type], len(acl.resource_name)
            lengths[length] -= 1
            if not lengths[length]:
                del lengths[length]

    def _patterns_about(self, resource_type: int, name: str) -> Iterator[tuple[int, int, str]]:
        """The patterns that match the resource, if they are there."""
        yield (resource_type, PatternType.LITERAL, name)
        # Apache Kafka takes `*` for a name here that is not the whole of `*a`, and not for the wildcard.
        if not name.startswith(WILDCARD):
            yield (resource_type, PatternType.LITERAL, WILDCARD)
        size = len(name)
        for length in self._lengths.get(resource_type, ()):
            if length <= size:
                yield (resource_type, PatternType.PREFIXED, name[:length])

    def _of_type(self, resource_type: int, principal: str) -> Iterator[Acl]:
        """Those of the principal and of everybody."""
        for (its_type, _, _), by_principal in self._by_pattern.items():
            if its_type == resource_type:
                yield from by_principal.get(principal, ())
                yield from by_principal.get(EVERYBODY, ())

    def allows(
        self, principal: str, host: str, operation: int, resource_type: int, name: str, *, without_acls: bool
    ) -> bool:
        """Whether `principal` may do `operation` from `host`: if an ACL allows it, and none denies it.

        `without_acls`: what holds for a resource that no pattern matches.
        """
        has_acls = is_allowed = False
        for pattern in self._patterns_about(resource_type, name):
            by_principal = self._by_pattern.get(pattern)
            if by_principal is None:
                continue
            has_acls = True
            for who in (principal, EVERYBODY):
                for acl in by_principal.get(who, ()):
                    if not _takes(acl.host, host):
                        continue
                    if acl.permission_type == PermissionType.ALLOW:
                        is_allowed = (
                            is_allowed or acl.operation in (operation, AclOperation.ALL) or _implies(acl, operation)
                        )
                    elif acl.operation in (operation, AclOperation.ALL):
                        return False
        return is_allowed if has_acls else without_acls

    def allows_some(self, principal: str, host: str, operation: int, resource_type: int) -> bool:
        """Whether an ACL allows `operation` on any resource of the type, and none that denies covers all of those.

        As Apache Kafka does it: an operation that implies another one does not count here.
        """
        denied: set[tuple[int, str]] = set()
        allowed: set[tuple[int, str]] = set()
        for acl in self._of_type(resource_type, principal):
            if not _takes(acl.host, host):
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
