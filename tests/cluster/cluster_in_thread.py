"""A cluster whose nodes all live in one thread of the tests' process: formed in well under a second."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

from kafkapy.cluster import Cluster, members_of

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 30.0
# A loop that also has the tests' own threads beside it answers later than a process of its own.
SETTINGS = {
    # Who is fenced for a moment leads nothing afterwards, for the 300 s until leaders are balanced.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "100",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "group.initial.rebalance.delay.ms": "0",
}


class ClusterInThread:
    """Nodes 1, 2, ... from entering to leaving; `start`, `stop` and `kill` are those of `kafkapy.cluster.Cluster`."""

    def __init__(self, directory: Path, nodes: int = 3, settings: Mapping[str, str] | None = None) -> None:
        self._cluster = Cluster(
            directory,
            members_of(nodes),
            settings={**SETTINGS, **(settings or {})},
            host="127.0.0.1",
            durable=False,
        )
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)
        self._formed = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._leave: trio.Event | None = None
        self._failure: BaseException | None = None

    @property
    def bootstrap(self) -> str:
        return self._cluster.bootstrap_servers

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._formed.wait(START_SECONDS_MAX), "the cluster does not form"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._leave is not None
        if self._thread.is_alive():
            trio.from_thread.run_sync(self._leave.set, trio_token=self._token)
        self._thread.join(STOP_SECONDS_MAX)
        assert not self._thread.is_alive(), "the cluster does not stop"
        if self._failure is not None:
            raise self._failure

    def start(self, node_id: int) -> None:
        self._call(lambda: self._cluster.start(node_id))

    def stop(self, node_id: int) -> None:
        self._call(lambda: self._cluster.stop(node_id))

    def kill(self, node_id: int) -> None:
        """As SIGKILL does."""
        self._call(lambda: self._cluster.kill(node_id))

    def _call(self, change: Callable[[], Awaitable[object]]) -> None:
        trio.from_thread.run(change, trio_token=self._token)

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # told to the tests' thread
            self._failure = error
        finally:
            self._formed.set()

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._leave = trio.Event()
        async with self._cluster.started():
            self._formed.set()
            await self._leave.wait()
