"""Which nodes a cluster has: those that it is started with, without those that were removed, and those added."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.errors import StartupError
from kafkapy.log_lines import shown
from kafkapy_log.durable_files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CHANGED_MEMBERS_FILE: Final = "changed-members.json"
FILE_BYTES_MAX: Final = 1 << 20


class Member(NamedTuple):
    """A node of the cluster before it is started."""

    node_id: int
    roles: str
    rack: str | None = None


def members_of(nodes: int, controllers: int | None = None, racks: Sequence[str] = ()) -> list[Member]:
    """The members of a cluster of `nodes` brokers, which are controllers, too, if no number of controllers is given.

    Racks go round among the brokers.
    """
    roles = "broker,controller" if controllers is None else "broker"
    brokers = [Member(n + 1, roles, racks[n % len(racks)] if racks else None) for n in range(nodes)]
    return brokers + [Member(nodes + 1 + n, "controller") for n in range(controllers or 0)]


class MemberChanges(NamedTuple):
    """In what the nodes of a cluster differ from those that it is started with: what was done while it ran."""

    started_with: tuple[int, ...] = ()
    """The ids of the nodes that it was started with."""
    added: tuple[Member, ...] = ()
    removed: tuple[int, ...] = ()

    @classmethod
    def between(cls, started_with: Sequence[Member], now: Sequence[Member]) -> MemberChanges:
        before, after = {each.node_id for each in started_with}, {each.node_id for each in now}
        return cls(
            tuple(sorted(before)),
            tuple(each for each in now if each.node_id not in before),
            tuple(sorted(before - after)),
        )

    @classmethod
    def read(cls, directory: Path) -> MemberChanges:
        """Those of the cluster in this directory: none, unless `write` has written some. Raises StartupError."""
        path = directory / CHANGED_MEMBERS_FILE
        try:
            with path.open("rb") as file:
                found = json.loads(file.read(FILE_BYTES_MAX))
            return cls(
                _different(map(_node_id, found["started_with"])),
                tuple(
                    Member(node_id, "broker", _rack(each["rack"]))
                    for node_id, each in zip(
                        _different(_node_id(each["node_id"]) for each in found["added"]), found["added"], strict=True
                    )
                ),
                _different(map(_node_id, found["removed"])),
            )
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
            raise StartupError(
                f"{path} does not say which nodes were added and removed while the cluster ran "
                f"({shown(str(error))}): write it again, or delete it if there are none"
            ) from error

    def write(self, directory: Path, *, fsync: bool) -> None:
        """For the next start. Raises StartupError."""
        path = directory / CHANGED_MEMBERS_FILE
        try:
            if not (self.added or self.removed):
                path.unlink(missing_ok=True)
                return
            added = [{"node_id": each.node_id, "rack": each.rack} for each in self.added]
            content = {"started_with": self.started_with, "added": added, "removed": self.removed}
            replace_file(path, f"{json.dumps(content)}\n".encode(), fsync=fsync)
        except OSError as error:
            raise StartupError(f"{path} cannot be written: {error.strerror}") from error

    def applied_to(self, members: Sequence[Member], directory: Path) -> list[Member]:
        """The nodes of a cluster that is started with `members`. Raises StartupError: it has other nodes of these ids.

        `directory`: where it is, for the message.
        """
        ids = {each.node_id for each in members}
        if not (self.added or self.removed):
            return sorted(members)
        if ids != set(self.started_with):
            raise StartupError(
                f"{directory} is of a cluster of the nodes {_listed(self.started_with)}, and while it ran brokers were "
                f"added ({_listed([each.node_id for each in self.added]) or 'none'}) and removed "
                f"({_listed(self.removed) or 'none'}): start it with the same numbers of nodes and controllers as "
                "before, and these changes hold"
            )
        brokers = {each.node_id for each in members if each.roles == "broker"}
        if not ids.isdisjoint(each.node_id for each in self.added) or not brokers.issuperset(self.removed):
            raise StartupError(
                f"{directory / CHANGED_MEMBERS_FILE} adds a node that there is, or removes one that is a controller or "
                "that there is not: write it again, or delete it if no broker was added or removed"
            )
        left = sorted([*(each for each in members if each.node_id not in self.removed), *self.added])
        if not any("broker" in each.roles for each in left):
            raise StartupError(f"{directory / CHANGED_MEMBERS_FILE} removes every broker: write it again")
        return left


def _listed(node_ids: Sequence[int]) -> str:
    return ", ".join(map(str, node_ids))


def _node_id(value: object) -> int:
    """Raises ValueError."""
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise ValueError(f"{value!r:.100} is no node.id")
    return value


def _rack(value: object) -> str | None:
    """Raises ValueError."""
    if value is None or (isinstance(value, str) and value.strip() and value.isprintable()):
        return value
    raise ValueError(f"{value!r:.100} is no rack")


def _different(node_ids: Iterable[int]) -> tuple[int, ...]:
    """Raises ValueError: one is there twice."""
    found = tuple(node_ids)
    if len({*found}) < len(found):
        raise ValueError("a node is there twice")
    return found
