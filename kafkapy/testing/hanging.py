"""Whether a cluster still does anything: its event loop may stand still, by a mistake of kafkapy's or of a test's."""

from __future__ import annotations

from typing import Final, Protocol

from kafkapy.testing.errors import HangingKafka

TURN_SECONDS: Final = 10.0
"""Turns of the event loop take milliseconds; on a machine that is very busy a second."""


class Turning(Protocol):
    """A cluster with an event loop, in a thread or in a process."""

    def turns(self, seconds: float) -> bool:
        """Whether its event loop comes round within that time, or is over."""

    def where(self) -> str:
        """The stack of its event loop, for a message."""

    def give_up(self, reason: HangingKafka) -> None:
        """From now on it is asked nothing: who tries gets this raised."""


def check_turning(run: Turning) -> None:
    """Raises HangingKafka: its event loop has not come round for TURN_SECONDS."""
    if not run.turns(TURN_SECONDS):
        reason = HangingKafka(
            f"the Kafka answers nothing: its event loop has stood still for {TURN_SECONDS:.0f} s here:\n{run.where()}"
        )
        run.give_up(reason)
        raise reason
