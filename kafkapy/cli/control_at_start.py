"""`--control [HOST:]PORT`: the control API of a node or a cluster. Nothing of it is imported unless asked for."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final

from kafkapy.cli.control_address import CONTROL_VARIABLE, TOKEN_VARIABLE, parse_address
from kafkapy.errors import StartupError

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kafkapy.control.cluster import ControlledCluster
    from kafkapy.faults import FaultEngine
    from kafkapy.node import Node
    from kafkapy.seeds import Seed

LOOPBACK: Final = "127.0.0.1"


def add_control_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--control",
        metavar="[HOST:]PORT",
        help="serve the control API there, see docs/control-api.md; 0 takes a free port, which is printed. Other "
        f"machines need the token of ${TOKEN_VARIABLE} (default: ${CONTROL_VARIABLE}, else none)",
    )


class ControlAtStart:
    """The API's port, bound, and what it needs of the nodes that are to be started."""

    def __init__(self, host: str, port: int, token: str | None, faults: FaultEngine | None) -> None:
        """Raises StartupError."""
        from kafkapy.control.clocks import NodeClocks
        from kafkapy.control.http.serve import ControlApi
        from kafkapy.faults import FaultEngine
        from kafkapy.recording import Recording

        self._api = ControlApi(host, port, token)
        self.url = self._api.url
        self.clocks = NodeClocks()
        self.faults = FaultEngine() if faults is None else faults
        self._recording = Recording()

    @asynccontextmanager
    async def serving(
        self, cluster: ControlledCluster, snapshots: Path, seed: Seed | None = None
    ) -> AsyncIterator[None]:
        """The API is served within the block. `seed`: what the cluster has begun with."""
        import trio

        from kafkapy.control.nodes import ControlledNodes

        nodes = ControlledNodes(cluster, self.clocks, self.faults, self._recording, snapshots)
        nodes.seed_at_start = seed
        for node in nodes.running():
            nodes.record(node)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._api.serve, nodes)
            yield
            nursery.cancel_scope.cancel()

    def serving_one(self, node: Node, snapshots: Path, seed: Seed | None = None) -> AbstractAsyncContextManager[None]:
        """The same for a node that is this process."""
        from kafkapy.control.cluster import OneNode

        return self.serving(OneNode(node), snapshots, seed)


def control_from_start(arguments: argparse.Namespace, faults: FaultEngine | None) -> ControlAtStart | None:
    """None: it was not asked for. Raises StartupError."""
    given = arguments.control if arguments.control is not None else os.environ.get(CONTROL_VARIABLE)
    if not given:
        return None
    try:
        host, port = parse_address(given, LOOPBACK)
    except ValueError as error:
        raise StartupError(f"{'--control' if arguments.control is not None else CONTROL_VARIABLE}: {error}") from None
    return ControlAtStart(host, port, os.environ.get(TOKEN_VARIABLE) or None, faults)
