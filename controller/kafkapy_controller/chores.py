"""What the active controller does by the clock: which chore is due, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto


class Chore(Enum):
    """Fencing brokers whose session has timed out is none of these: `BrokerHeartbeats` knows its own deadline."""

    ELECT_PREFERRED = auto()
    """Every leader.imbalance.check.interval.seconds, if auto.leader.rebalance.enable."""
    ELECT_FOR_LEADERLESS = auto()
    """Every unclean.leader.election.interval.ms, and when a controller becomes active."""
    WRITE_NO_OP = auto()
    """Every metadata.max.idle.interval.ms: replicas that have an idle log are told from those that lag (KIP-835)."""


class ControllerChores:
    """The chores of one controller; none is due while it is not the active one."""

    def __init__(self) -> None:
        self._intervals_ms: Mapping[Chore, float] = {}
        self._due_ms: dict[Chore, float] = {}

    def activate(self, intervals_ms: Mapping[Chore, float], now_ms: float) -> None:
        """Begin with the chores that have an interval. Leaders that are missing are elected at once."""
        self._intervals_ms = intervals_ms
        self._due_ms = {chore: now_ms + interval_ms for chore, interval_ms in intervals_ms.items()}
        if Chore.ELECT_FOR_LEADERLESS in self._due_ms:
            self._due_ms[Chore.ELECT_FOR_LEADERLESS] = now_ms

    def deactivate(self) -> None:
        self._due_ms.clear()

    def take_due(self, now_ms: float) -> list[Chore]:
        """The chores that are due; each is due again after its interval."""
        due = [chore for chore, due_ms in self._due_ms.items() if due_ms <= now_ms]
        for chore in due:
            self._due_ms[chore] = now_ms + self._intervals_ms[chore]
        return due

    @property
    def deadline_ms(self) -> float | None:
        """When the next chore is due; None while the controller is not active."""
        return min(self._due_ms.values(), default=None)
