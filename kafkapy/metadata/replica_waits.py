"""Waits until other nodes have applied what this node, which leads the quorum, has committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy_controller.raft.roles import Leader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.clock import Clock
    from kafkapy_controller.raft.quorum import Quorum


class ReplicaWaits:
    """Who waits for which nodes. Nodes say by their fetches what they have applied (KIP-1166)."""

    def __init__(self, quorum: Quorum, clock: Clock) -> None:
        self._quorum = quorum
        self._clock = clock
        self._waiting: list[tuple[frozenset[int], int, trio.Event]] = []

    async def applied_by(self, node_ids: Iterable[int], end_offset: int, timeout_ms: float) -> None:
        """Return when these nodes have applied everything below `end_offset`, but after `timeout_ms` at the latest.

        Returns, too, when this node does not lead any more.
        """
        awaited = frozenset(node_ids)
        if self._have_applied(awaited, end_offset):
            return
        entry = (awaited, end_offset, trio.Event())
        self._waiting.append(entry)
        try:
            await self._clock.wait(entry[2], timeout_ms)
        finally:
            self._waiting.remove(entry)

    def note_step(self) -> None:
        """The quorum has made a step: some may have fetched, or this node may have resigned."""
        for node_ids, end_offset, event in self._waiting:
            if self._have_applied(node_ids, end_offset):
                event.set()

    def _have_applied(self, node_ids: frozenset[int], end_offset: int) -> bool:
        role = self._quorum.role
        return not isinstance(role, Leader) or role.have_applied(node_ids, end_offset)
