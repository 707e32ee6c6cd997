"""One member of a share group: a value. A heartbeat makes the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkapy.coordinators.group.assignors.specification import Target

JOINING_EPOCH = 0
LEAVING_EPOCH = -1
NO_EPOCH = -1


class ShareMember(NamedTuple):
    """`assigned` is what it reads; others may read it, too."""

    member_id: str
    epoch: int = JOINING_EPOCH
    previous_epoch: int = NO_EPOCH
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topics: frozenset[str] = frozenset()
    assigned: Target = {}
