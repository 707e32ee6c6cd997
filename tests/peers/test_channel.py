"""A broker's way to the active controller."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing

from kafkapy.clock import ManualClock
from kafkapy.peers.channel import ControllerChannel
from kafkapy_wire.message import Message
from kafkapy_wire.messages.alter_partition import AlterPartitionRequest
from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse


class SilentForAlterPartition:
    """A controller at one address. Requests on one connection wait for one another; AlterPartition is not answered."""

    is_active = False

    def __init__(self) -> None:
        self._locks: dict[str, trio.Lock] = {}

    def leader_address(self) -> tuple[str, int]:
        return "controller", 9093

    def at(self, _host: str, _port: int, purpose: str) -> Any:
        lock = self._locks.setdefault(purpose, trio.Lock())

        class Connection:
            async def ask(self, request: Message, *, timeout_ms: float) -> Message:
                del timeout_ms
                async with lock:
                    if isinstance(request, AlterPartitionRequest):
                        await trio.sleep_forever()
                    return BrokerHeartbeatResponse(is_caught_up=True)

        return Connection()


def test_a_heartbeat_does_not_wait_for_an_answer_to_alter_partition() -> None:
    controller: Any = SilentForAlterPartition()

    async def handle_here(_: Message) -> Message:
        raise AssertionError("the controller is elsewhere")

    async def ask() -> Message:
        channel = ControllerChannel(controller, controller, ManualClock(), handle_here)
        async with trio.open_nursery() as nursery:

            async def alter() -> None:
                await channel.ask(AlterPartitionRequest(), timeout_ms=60_000)

            nursery.start_soon(alter)
            await trio.testing.wait_all_tasks_blocked()
            answer = await channel.ask(BrokerHeartbeatRequest(), timeout_ms=60_000)
            nursery.cancel_scope.cancel()
        return answer

    answer = trio.run(ask)
    assert isinstance(answer, BrokerHeartbeatResponse)
    assert answer.is_caught_up
