"""Faults: rules that are added, looked at, waited for and removed; see `kafkapy.faults`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kafkapy.control.values import FaultState, NotYet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.faults import Fault

TIMEOUT = 10.0


async def add_faults(nodes: ControlledNodes, rules: Sequence[Mapping[str, object]]) -> list[FaultState]:
    """Add faults by their rules: all of them or none. Raises InvalidRule: field, reason, nearest choice."""
    return states_of(nodes.faults.add_all(rules))


async def list_faults(nodes: ControlledNodes) -> list[FaultState]:
    """The faults that were added and not removed, in their order."""
    return states_of(nodes.faults.faults)


async def describe_fault(nodes: ControlledNodes, fault_id: int) -> FaultState:
    """A fault: its rule, and how often it has fired. Raises UnknownFault."""
    return _state(nodes.faults.fault(fault_id))


async def remove_fault(nodes: ControlledNodes, fault_id: int) -> FaultState:
    """Remove a fault: requests that it holds go on; connections whose answers it withholds are closed.

    Raises UnknownFault.
    """
    return _state(nodes.faults.remove(fault_id))


async def clear_faults(nodes: ControlledNodes) -> None:
    """Remove all faults."""
    nodes.faults.clear()


async def release_fault(nodes: ControlledNodes, fault_id: int, count: int | None = None) -> int:
    """Let requests that are held go on, the first to come first; all of them, and later ones, without a count.

    Returns how many. Raises UnknownFault.
    """
    return nodes.faults.fault(fault_id).release(count)


async def wait_for_fault(
    nodes: ControlledNodes, fault_id: int, fired: int = 1, held: int = 0, timeout: float = TIMEOUT
) -> FaultState:
    """Until a fault has fired so often, and holds so many requests. Raises NotYet, UnknownFault."""
    fault = nodes.faults.fault(fault_id)
    with trio.move_on_after(timeout):
        await fault.wait_fired(fired)
        await fault.wait_held(held)
        return _state(fault)
    raise NotYet(
        f"waited {timeout:g} s for {fault} to fire {fired} times and hold {held} requests; now it has fired "
        f"{fault.fired} times, of {fault.matched} requests that matched, and holds {fault.held}"
    )


async def unfired_faults(nodes: ControlledNodes) -> list[FaultState]:
    """Faults with `must_fire` that never fired, also those that were removed since all were cleared."""
    return states_of(nodes.faults.unfired)


async def missed_faults(nodes: ControlledNodes) -> list[FaultState]:
    """As `unfired_faults`, and those that a `reset` has removed: who made the cluster hears of all of them."""
    return states_of(nodes.faults.missed)


def states_of(faults: Iterable[Fault]) -> list[FaultState]:
    """What is known of faults."""
    return [_state(fault) for fault in faults]


def _state(fault: Fault) -> FaultState:
    return FaultState(
        fault_id=fault.id,
        rule=fault.rule.described(),
        matched=fault.matched,
        fired=fault.fired,
        held=fault.held,
        is_spent=fault.is_spent,
    )
