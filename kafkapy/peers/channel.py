"""The active controller, wherever it is: a broker's way to it (Kafka's NodeToControllerChannelManager)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import trio

from kafkapy.peers.unavailable import PeerUnavailable
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy.clock import Clock
    from kafkapy.peers.peers import Peers
    from kafkapy_wire.message import Message

logger = logging.getLogger("kafkapy.peers")

RETRY_MS = 50
"""Before the controller is asked again, or looked for, after it could not answer."""
# A request that has no answer for long must not hold up heartbeats, or the broker is fenced: as in Apache Kafka, what a
# broker sends by itself has connections of its own, and all else shares one.
PURPOSES = {
    ApiKey.BROKER_REGISTRATION: "heartbeat-channel",
    ApiKey.BROKER_HEARTBEAT: "heartbeat-channel",
    ApiKey.ALTER_PARTITION: "alter-partition-channel",
    ApiKey.ASSIGN_REPLICAS_TO_DIRS: "directory-assignments-channel",
}
OTHER_PURPOSES = "controller-channel"


class Leadership(Protocol):
    """Who leads the quorum."""

    @property
    def is_active(self) -> bool:
        """Whether the controller of this node is the active one."""

    def leader_address(self) -> tuple[str, int] | None:
        """Where the leader serves controllers' requests; None while none is known, or it is this node."""


class ControllerChannel:
    """Asks the active controller, and looks for it until the time of the request is up."""

    def __init__(
        self, leadership: Leadership, peers: Peers, clock: Clock, handle_here: Callable[[Message], Awaitable[Message]]
    ) -> None:
        """`handle_here` has the controller of this node handle a request, while it is the active one."""
        self._leadership = leadership
        self._peers = peers
        self._clock = clock
        self._handle_here = handle_here

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        """The answer of the active controller. Raises KafkaError REQUEST_TIMED_OUT: none has answered in time.

        The request may be carried out twice, if an answer was lost.
        """
        why = "no controller is known"
        with trio.move_on_after(timeout_ms / 1_000):
            while True:
                try:
                    answer = await self._ask_once(request, timeout_ms)
                except PeerUnavailable as error:
                    why = str(error)
                else:
                    if answer is not None and not says_not_controller(answer):
                        return answer
                await self._clock.sleep(RETRY_MS)
        message = f"The active controller has not answered within {timeout_ms:.0f} ms: {why}"
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, message)

    async def _ask_once(self, request: Message, timeout_ms: float) -> Message | None:
        """The answer, which may be that of a node that is not the controller; None: none is known."""
        if self._leadership.is_active:
            return await self._handle_here(request)
        address = self._leadership.leader_address()
        if address is None:
            return None
        purpose = PURPOSES.get(ApiKey(request.__schema__.api_key), OTHER_PURPOSES)
        return await self._peers.at(*address, purpose).ask(request, timeout_ms=timeout_ms)


def says_not_controller(answer: Message) -> bool:
    """Whether the answer, or the first part of it (a topic of CreateTopics), has the error NOT_CONTROLLER."""
    code = getattr(answer, "error_code", None)
    if code is not None:
        return bool(code == ErrorCode.NOT_CONTROLLER)
    for field in answer.__fields__:
        parts = getattr(answer, field.name)
        if isinstance(parts, list) and parts and hasattr(parts[0], "error_code"):
            return bool(parts[0].error_code == ErrorCode.NOT_CONTROLLER)
    return False
