"""Applying the roles that new metadata gives to many replicas, in turns of the event loop.

When a broker fails, thousands of partitions get another leader at once, and a broker that starts has thousands of logs
to open before it can follow. Until a replica's turn comes it keeps its role, as if the metadata were still on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kafkapy.clock import Clock

AT_ONCE_MAX: Final = 64
"""Replicas: a millisecond, or a few where logs must be opened."""


class RoleChanges:
    """The replicas, by topic and partition, whose role is yet to be applied by `apply(topic, index)`."""

    def __init__(self, clock: Clock, apply: Callable[[str, int], None]) -> None:
        self._clock = clock
        self._apply = apply
        self._waiting: dict[tuple[str, int], None] = {}
        self._is_going_on = False

    def add(self, changed: Collection[tuple[str, int]]) -> None:
        """Apply the roles of `changed`, at once if they are few: `apply` uses the newest metadata in any case."""
        if len(changed) > AT_ONCE_MAX:
            self.add_later(changed)
            return
        for key in changed:
            self._waiting.pop(key, None)
            self._apply(*key)

    def add_later(self, changed: Collection[tuple[str, int]]) -> None:
        """Apply the roles of `changed` in later turns."""
        self._waiting.update(dict.fromkeys(changed))
        if self._waiting and not self._is_going_on:
            self._is_going_on = True
            self._clock.call_in_turn(self._go_on)

    def _go_on(self) -> None:
        turn = Turn()
        while self._waiting:
            key = next(iter(self._waiting))
            del self._waiting[key]
            self._apply(*key)
            if turn.is_over:
                break
        if self._waiting:
            self._clock.call_in_turn(self._go_on)
        else:
            self._is_going_on = False
