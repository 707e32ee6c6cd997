"""The line that scripts wait for while they tell a broker its addresses: not before the broker has taken them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from kafkapy.cli.kafka_log_lines import BALANCING_SECONDS, say_balancing
from kafkapy.metadata.publisher import MetadataPublisher
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import BrokerImage, Endpoint, MetadataImage
from kafkapy_wire.uuid import ZERO_UUID

LINE = "Checking need to trigger auto leader balancing"
AT_START = {"PLAINTEXT": Endpoint("PLAINTEXT", "localhost", 9093, 0)}
MOVED = {"PLAINTEXT": Endpoint("PLAINTEXT", "127.0.0.1", 32768, 0)}


class Waiting:
    """A publisher, with somebody who waits for the line."""

    def __init__(self, clock: MockClock, printed: Callable[[], str]) -> None:
        self.clock, self.printed = clock, printed
        self.metadata = MetadataPublisher()
        self.register(AT_START)

    def register(self, endpoints: dict[str, Endpoint], broker_id: int = 1) -> None:
        broker = BrokerImage(broker_id, 1, ZERO_UUID, endpoints, {}, fenced=False)
        brokers = {**self.metadata.image.brokers, broker_id: broker}
        self.metadata.publish(MetadataImage(brokers=brokers), MetadataDelta(self.metadata.image))

    async def wait(self, seconds: float) -> str:
        """What is printed in that time."""
        await wait_all_tasks_blocked()
        self.clock.jump(seconds)
        await wait_all_tasks_blocked()
        return self.printed()


def play(scenario: Callable[[Waiting], Awaitable[None]], capsys: pytest.CaptureFixture[str]) -> None:
    clock = MockClock()

    async def main() -> None:
        waiting = Waiting(clock, lambda: capsys.readouterr().out)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say_balancing, 1, waiting.metadata, AT_START)
            await scenario(waiting)

    trio.run(main, clock=clock)


def test_the_line_comes_when_apache_kafka_has_it_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(waiting: Waiting) -> None:
        assert await waiting.wait(BALANCING_SECONDS - 0.5) == ""
        assert (await waiting.wait(0.5)).count(LINE) == 1
        waiting.register(MOVED)
        assert await waiting.wait(BALANCING_SECONDS) == ""

    play(scenario, capsys)


def test_the_line_comes_as_soon_as_clients_are_told_other_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(waiting: Waiting) -> None:
        waiting.register(AT_START)
        waiting.register(MOVED, broker_id=2)
        assert await waiting.wait(0.5) == "", "nothing has changed for clients of this broker"
        waiting.register(MOVED)
        assert (await waiting.wait(0)).count(LINE) == 1
        assert await waiting.wait(BALANCING_SECONDS) == ""

    play(scenario, capsys)


def test_addresses_that_changed_before_anybody_looked_count(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(waiting: Waiting) -> None:
        waiting.register(MOVED)
        assert (await waiting.wait(0)).count(LINE) == 1

    play(scenario, capsys)
