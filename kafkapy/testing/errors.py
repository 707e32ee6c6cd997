"""What the test kit raises. All of it can be pickled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.control.values import NotYet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkapy.control.values import FaultState

__all__ = ["FaultsNotFired", "HangingKafka", "HangingTeardown", "KafkaNotStarted", "KafkaStopped", "NotYet"]


class KafkaNotStarted(Exception):
    """The cluster could not be started; the message says why and what to do."""


class KafkaStopped(Exception):
    """The cluster has stopped: nothing can be asked of it any more."""


class HangingKafka(KafkaStopped):
    """The cluster answers nobody any more: its event loop stands still. The message says where."""


class HangingTeardown(Exception):
    """The cluster did not stop in time; the message says where it hangs."""


class FaultsNotFired(AssertionError):
    """Faults with `must_fire` never fired; the message has each of them."""


def not_fired(faults: Iterable[FaultState]) -> list[str]:
    """A line for each."""
    return [f"{each}: {each.matched} requests matched" for each in faults]


def check_fired(missed: Iterable[FaultState]) -> None:
    """Raises FaultsNotFired: there is one."""
    if lines := not_fired(missed):
        raise FaultsNotFired("\n".join(["faults that must fire have not fired:", *lines]))
