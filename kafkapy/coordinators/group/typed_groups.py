"""The groups of one type in a shard's directory: found by their names, made by their first record, removed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from kafkapy.coordinators.group.group import Group, GroupType
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkapy.coordinators.group.group import GroupDirectory
    from kafkapy.coordinators.ports import CoordinatorRecord

logger = logging.getLogger("kafkapy.groups")


class GroupOfMembers(Group, Protocol):
    """A `Group` whose members are values, put and removed one by one by replayed records."""

    def __init__(self, group_id: str) -> None: ...

    @property
    def members(self) -> Mapping[str, object]: ...

    def remove_member(self, member_id: str) -> None:
        """Forget it, and cancel its timers."""

    def cancel_timers(self) -> None:
        """Those of all members, and of the group."""


G = TypeVar("G", bound=GroupOfMembers)


class TypedGroups(Generic[G]):
    """A view of a `GroupDirectory`."""

    def __init__(self, directory: GroupDirectory, of: type[G], group_type: GroupType) -> None:
        self._directory = directory
        self._of = of
        self._type = group_type

    def __iter__(self) -> Iterator[G]:
        return (group for group in self._directory if isinstance(group, self._of))

    def get(self, group_id: str) -> G | None:
        """None: nobody has the name, or a group of another type."""
        group = self._directory.get(group_id)
        return group if isinstance(group, self._of) else None

    def named(self, group_id: str) -> G:
        """Raises KafkaError(GROUP_ID_NOT_FOUND)."""
        group = self._directory.get(group_id)
        if isinstance(group, self._of):
            return group
        what = "not found" if group is None else f"is not a {self._type.value} group"
        raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} {what}.")

    def to_join(self, group_id: str, written: list[CoordinatorRecord], *, creates: bool) -> G:
        """The group; a new one, also in place of an empty classic group, whose offsets it inherits: what that takes is
        added to `written`. A new one is not stored before a record about it is.

        Raises KafkaError(GROUP_ID_NOT_FOUND): a member that only goes on, which cannot create it (`creates` is false).
        """
        group = self._directory.get(group_id)
        if group is None and not creates:
            message = f"{self._type.value.capitalize()} group {group_id} not found."
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, message)
        if group is None:
            return self._of(group_id)
        if creates and group.group_type is GroupType.CLASSIC and group.is_empty:
            logger.info("the empty classic group %s is a %s group from now on", group_id, self._type.value)
            written += group.tombstones()
            return self._of(group_id)
        return self.named(group_id)

    def of_record(self, group_id: str, record: CoordinatorRecord) -> G | None:
        """The group that a record is about, made by its first one. None: a tombstone of a group that is gone.

        Raises MalformedMessage: the name is that of a group of another type.
        """
        if record.value is None:
            return self.get(group_id)
        group = self._directory.held(group_id, self._type)
        if isinstance(group, self._of):
            return group
        made = self._of(group_id)
        self._directory.put(made)
        return made

    def remove(self, group_id: str) -> None:
        """A record tells that the group is deleted."""
        group = self.get(group_id)
        if group is not None:
            group.cancel_timers()
            for member_id in [*group.members]:
                group.remove_member(member_id)
            self._directory.remove(group_id)
