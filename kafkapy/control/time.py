"""The nodes' clock. Clients stay on the machine's time: what is waited for on the broker's side comes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.control.values import Time

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes


async def read_time(nodes: ControlledNodes) -> Time:
    """What the clock shows, and when its next timer is due."""
    clock = nodes.clocks
    return Time(now_ms=clock.now_ms(), is_frozen=clock.is_frozen, next_timer_ms=clock.next_timer_ms())


async def freeze_time(nodes: ControlledNodes) -> Time:
    """Time stands still until it is advanced or released."""
    nodes.clocks.freeze()
    return await read_time(nodes)


async def release_time(nodes: ControlledNodes) -> Time:
    """Time passes by itself again, from where it stands."""
    nodes.clocks.release()
    return await read_time(nodes)


async def advance_time(nodes: ControlledNodes, milliseconds: int) -> Time:
    """Move time forward and fire what falls due. Raises ValueError: time does not go back, nor beyond 9999."""
    nodes.clocks.advance(milliseconds)
    return await read_time(nodes)


async def jump_time(nodes: ControlledNodes) -> Time:
    """Move time to the next timer and fire it. Nothing happens if there is none."""
    nodes.clocks.jump()
    return await read_time(nodes)
