"""Tracebacks of the nodes' own mistakes, so that the test that met one fails."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.bugs import Bug
    from kafkapy.control.nodes import ControlledNodes


async def take_bugs(nodes: ControlledNodes) -> list[str]:
    """What was being done and the traceback, for each bug since the last call; and why nodes ended by themselves."""
    found = [f"node {node.node_id}, {_told(bug)}" for node in nodes.cluster.nodes.values() for bug in node.bugs.take()]
    found += [_told(bug) for bug in nodes.bugs.take()]
    for node_id, failure in nodes.cluster.failures.items():
        found.append(f"node {node_id} has ended: {failure}")
    nodes.cluster.failures.clear()
    return found


def _told(bug: Bug) -> str:
    return f"{bug.where}:\n{''.join(traceback.format_exception(bug.error))}"
