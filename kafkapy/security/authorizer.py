"""`StandardAuthorizer`: who may do what, by the ACLs of the metadata log (KIP-801)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from kafkapy.security.acl_index import AclIndex
from kafkapy.security.denied_log import DeniedLog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage

    _Question: TypeAlias = tuple[str, str, int, int, str] | tuple[str, str, int, int]

DECISIONS_MAX: Final = 50_000
"""That are remembered. A decision is some hundred bytes."""
NAME_CHARACTERS_MAX: Final = 300
"""Of a resource in a decision that is remembered: a client may name as many as it likes, of 32 kB each. Topics have at
most 249.
"""

SOME_NAME: Final = "hardcode"
"""The resource that Apache Kafka asks for first where any resource of a type will do."""


class StandardAuthorizer:
    """Decides by the published image. Each decision is remembered until an ACL changes: most are about the same few
    resources, and a decision that is remembered takes less than a microsecond.
    """

    def __init__(self, super_users: Iterable[str], *, allows_without_acls: bool) -> None:
        """`allows_without_acls`: whether everybody may do everything to a resource that no ACL is about."""
        self._super_users = frozenset(super_users)
        self._allows_without_acls = allows_without_acls
        self._index = AclIndex()
        self._denied = DeniedLog()
        self._decisions: dict[_Question, bool] = {}

    def take_image(self, image: MetadataImage) -> None:
        """Begin with the ACLs that were published before this follows."""
        self._index = AclIndex(image.acls.values())
        self._decisions.clear()

    def follow_metadata(self, _image: MetadataImage, delta: MetadataDelta) -> None:
        if not delta.changed_acls:
            return
        before = delta.base.acls
        for acl_id, acl in delta.changed_acls.items():
            if acl_id in before:
                self._index.remove(before[acl_id])
            if acl is not None:
                self._index.add(acl)
        self._decisions.clear()

    def allows(self, principal: str, host: str, operation: int, resource_type: int, name: str) -> bool:
        """Whether `principal` (`User:alice`) may do `operation` to the resource from `host` (of `hosts.java_host`)."""
        key = (principal, host, operation, resource_type, name)
        decision = self._decisions.get(key)
        if decision is None:
            decision = principal in self._super_users or self._index.allows(
                principal, host, operation, resource_type, name, without_acls=self._allows_without_acls
            )
            if len(name) <= NAME_CHARACTERS_MAX:
                self._remember(key, decision)
        return decision

    def note_denied(self, principal: str, host: str, operation: int, resource_type: int, name: str) -> None:
        """A client was refused that."""
        self._denied.note(principal, host, operation, resource_type, name)

    def allows_some(self, principal: str, host: str, operation: int, resource_type: int) -> bool:
        """Whether `principal` may do `operation` to any resource of the type (KIP-679)."""
        key = (principal, host, operation, resource_type)
        decision = self._decisions.get(key)
        if decision is None:
            decision = self.allows(principal, host, operation, resource_type, SOME_NAME) or self._index.allows_some(
                principal, host, operation, resource_type
            )
            self._remember(key, decision)
        return decision

    def _remember(self, key: _Question, decision: bool) -> None:
        if len(self._decisions) >= DECISIONS_MAX:
            self._decisions.clear()
        self._decisions[key] = decision
