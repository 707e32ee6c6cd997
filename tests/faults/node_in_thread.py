"""A node in a thread of the tests' process, with faults: for clients that block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import trio

from kafkapy.clock import WallClock
from kafkapy.faults import Fault, FaultEngine
from tests.shell.running_node import Client, connect, port_of, running_node

T = TypeVar("T")
SECONDS_MAX = 30.0


class NodeInThread:
    """From entering to leaving."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._settings = settings
        self.engine = FaultEngine()
        self._thread = threading.Thread(target=lambda: trio.run(self._main), name="node", daemon=True)
        self._ready = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._leave: trio.Event | None = None
        self._port = 0
        self.bug_count = 0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(SECONDS_MAX), "the node does not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._leave is not None
        self._call(self._leave.set)
        self._thread.join(SECONDS_MAX)
        assert not self._thread.is_alive(), "the node does not stop"
        assert self.bug_count == 0

    def add(self, *rules: Mapping[str, object]) -> tuple[Fault, ...]:
        return self._call(lambda: self.engine.add_all(rules))

    def clear(self) -> None:
        self._call(self.engine.clear)

    def release(self, fault: Fault) -> None:
        self._call(fault.release)

    def wait_held(self, fault: Fault) -> None:
        trio.from_thread.run(fault.wait_held, trio_token=self._token)

    def wait_fired(self, fault: Fault, count: int = 1) -> None:
        trio.from_thread.run(fault.wait_fired, count, trio_token=self._token)

    def create_topic(self, name: str, partitions: int = 1) -> None:
        async def create(client: Client) -> None:
            await client.create_topic(name, partitions)

        self._ask(create)

    def values(self, topic: str, partition: int = 0) -> list[bytes | None]:
        async def read(client: Client) -> None:
            found.extend(await client.values(topic, partition))

        found: list[bytes | None] = []
        self._ask(read)
        return found

    def _ask(self, ask: Callable[[Client], object]) -> None:
        async def run() -> None:
            async with connect(self._node) as client:
                await ask(client)  # type: ignore[misc]  # a coroutine function

        trio.from_thread.run(run, trio_token=self._token)

    def _call(self, function: Callable[[], T]) -> T:
        return trio.from_thread.run_sync(function, trio_token=self._token)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._leave = trio.Event()
        async with running_node(self._directory, self._settings, clock=WallClock(), faults=self.engine) as self._node:
            self._port = port_of(self._node)
            self._ready.set()
            await self._leave.wait()
        self.bug_count = self._node.bugs.count + self.engine.bugs.count
