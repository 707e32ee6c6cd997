"""Which nodes a cluster has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


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
