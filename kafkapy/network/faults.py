"""The one door for injected faults: tried once after a request is decoded and once before it is answered.

A dispatcher without rules has `faults = None`, which costs each request one attribute test. Whoever injects faults
implements `FaultDoor`; the door never changes an operation half way: what it refuses after decoding was not done, what
it withholds before the answer was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_wire.api_keys import ApiKey
    from kafkapy_wire.message import Message


class FaultDoor(Protocol):
    """Both calls may wait (a delay, a barrier), return an answer in place of the real one, or raise CloseConnection."""

    async def after_decoding(self, api_key: ApiKey, request: Message, context: RequestContext) -> Message | None:
        """An answer to give without doing the work, or None: go on."""

    async def before_answering(
        self, api_key: ApiKey, request: Message, response: Message | None, context: RequestContext
    ) -> Message | None:
        """The answer to give for work that was done; None gives none. `response` is None for acks=0."""
