"""What an assignor is given, and what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from kafkapy_wire.uuid import Uuid

Target = dict["Uuid", frozenset[int]]
"""topic id -> partitions: what one member is to own. Topics without a partition are left out."""

NOTHING: Target = {}


class MemberSpec(NamedTuple):
    """One member: what it reads, and what it was to own so far."""

    topic_ids: AbstractSet[Uuid]
    """Topics that exist. Members of one group may share the set."""
    assigned: Target
    group_instance_id: str | None = None


class GroupSpec(NamedTuple):
    """What an assignor is given. `members` are in the order in which it is to consider them."""

    members: Mapping[str, MemberSpec]
    partition_counts: Mapping[Uuid, int]
    """Of every topic that a member reads."""
    is_homogeneous: bool
    """Whether all members read the same topics."""
