"""What clients have asked and what they were answered; see `kafkapy.recording`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from kafkapy.control.nodes import LOOK_AGAIN_SECONDS
from kafkapy.control.values import NotYet
from kafkapy.recording.exchanges import Recorded

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes

TIMEOUT = 10.0


async def recorded(nodes: ControlledNodes, /, api: str | None = None, **given: Any) -> Recorded:
    """Requests with their answers that fit all the filters given, oldest first.

    Who accepts application/jsonl gets them as lines for `kafkapy replay`, who accepts application/x-pcapng as a capture
    for Wireshark. Raises InvalidFilter.
    """
    return Recorded(nodes.recording.select(api, **given), nodes.recording.dropped)


async def clear_recording(nodes: ControlledNodes) -> None:
    """Forget what was recorded so far."""
    nodes.recording.clear()


async def wait_for_requests(
    nodes: ControlledNodes, /, api: str | None = None, count: int = 1, timeout: float = TIMEOUT, **given: Any
) -> Recorded:
    """Until so many requests that fit all the filters were recorded. Raises NotYet, InvalidFilter."""
    found = await recorded(nodes, api, **given)
    with trio.move_on_after(timeout):
        while len(found) < count:
            await trio.sleep(LOOK_AGAIN_SECONDS)
            found = await recorded(nodes, api, **given)
        return found
    wanted = " with ".join(
        [api or "requests of any API", *[", ".join(f"{name}={value!r}" for name, value in given.items())] * bool(given)]
    )
    raise NotYet(f"waited {timeout:g} s for {count} of {wanted}; there are {len(found)}")
