"""`--seed FILE`: topics, records and committed offsets that a new broker or cluster begins with.

It is applied once to a data directory, which keeps a mark of that: a restart must not store the records again.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kafkapy.errors import StartupError

if TYPE_CHECKING:
    import argparse

    import trio

    from kafkapy.control.cluster import ControlledCluster
    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.control.values import SeedCounts
    from kafkapy.node import Node
    from kafkapy.seeds import Seed

VARIABLE: Final = "KAFKAPY_SEED"
MARK: Final = "kafkapy-seed-applied"
"""A file in the data directory."""

logger = logging.getLogger("kafkapy.start")


def add_seed_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--seed",
        metavar="FILE",
        help="topics, records and committed offsets that a new data directory begins with: JSON lines or YAML, or a "
        f"directory of such files, see docs/seeds.md (default: ${VARIABLE}, else none)",
    )


class SeedAtStart:
    """A seed that was looked through, and is to be applied once the nodes serve."""

    def __init__(self, option: str, seed: Seed) -> None:
        self.seed = seed
        self._option = option

    async def apply_to_one(self, node: Node, stop: trio.Event) -> None:
        """As `apply_to`, for a node that is this process."""
        from kafkapy.control.cluster import OneNode

        await self.apply_to(OneNode(node), node.data_directory, stop)

    async def apply_to(self, cluster: ControlledCluster, directory: Path, stop: trio.Event) -> None:
        """Unless the directory has the mark. Given up when the process is to stop. Raises StartupError."""
        import trio

        from kafkapy.control.clocks import NodeClocks
        from kafkapy.control.nodes import ControlledNodes
        from kafkapy.faults import FaultEngine
        from kafkapy.recording import Recording

        mark = directory / MARK
        if mark.exists():
            logger.info("%s is left out: %s has had its seed", self._option, directory)
            return
        nodes = ControlledNodes(cluster, NodeClocks(), FaultEngine(), Recording(), directory)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_give_up, stop, nursery.cancel_scope)
            counts = await self._applied(nodes)
            mark.write_text(
                f"{counts.topics} topics, {counts.records} records, {counts.groups} groups, {counts.acls} ACLs\n"
            )
            nursery.cancel_scope.cancel()

    async def _applied(self, nodes: ControlledNodes) -> SeedCounts:
        from kafkapy.control.records import count_records
        from kafkapy.control.seeding import apply_seed
        from kafkapy.control.values import NotYet
        from kafkapy.seeds import InvalidSeed
        from kafkapy.seeds.plan import Plan
        from kafkapy_wire.errors import KafkaError

        try:
            for topic in (await Plan.of(self.seed)).record_counts:
                if topic in nodes.image.topics and count_records(nodes, topic, "read_uncommitted"):
                    raise StartupError(
                        f"{self._option}: topic {topic!r} has records already, which the seed would add to: use a new "
                        "data directory, or `kafkapy control seed` if that is what you want"
                    )
            return await apply_seed(nodes, self.seed)
        except (InvalidSeed, KafkaError, LookupError, NotYet) as error:
            raise StartupError(f"{self._option}: {error}") from error


async def _give_up(stop: trio.Event, scope: trio.CancelScope) -> None:
    await stop.wait()
    scope.cancel()


def seed_from_start(arguments: argparse.Namespace) -> SeedAtStart | None:
    """None: none was given. Raises StartupError: it is wrong, and nothing is started."""
    given = arguments.seed if arguments.seed is not None else os.environ.get(VARIABLE)
    if not given:
        return None
    from kafkapy.seeds import InvalidSeed, Seed
    from kafkapy.seeds.plan import Plan

    option = "--seed" if arguments.seed is not None else VARIABLE
    try:
        seed = Seed.read(Path(given))
        Plan.checked(seed)
    except InvalidSeed as error:
        raise StartupError(f"{option}: {error}") from error
    return SeedAtStart(option, seed)
