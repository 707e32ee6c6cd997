"""The cluster that operations work on: all nodes of `kafkapy.cluster.Cluster`, or one node that is a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kafkapy.cluster import Member, MemberChanges
from kafkapy.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from kafkapy.errors import ShutdownError
    from kafkapy.node import Node
    from kafkapy.settings import Settings


class ControlledCluster(Protocol):
    """What `ControlledNodes` needs; see `kafkapy.cluster.Cluster`."""

    nodes: dict[int, Node]
    failures: dict[int, ShutdownError]

    @property
    def members(self) -> Sequence[Member]: ...
    @property
    def started_with(self) -> Sequence[Member]: ...
    @property
    def changes(self) -> MemberChanges: ...
    @property
    def running(self) -> Collection[int]: ...
    def addresses(self, node_id: int) -> list[tuple[str, int]]: ...
    def broker_address(self, node_id: int) -> str | None: ...
    def directory_of(self, node_id: int) -> Path: ...
    async def start(self, node_id: int) -> Node: ...
    async def stop(self, node_id: int | None = None) -> None: ...
    async def kill(self, node_id: int) -> None: ...
    def pause(self, node_id: int) -> None: ...
    def resume(self, node_id: int) -> None: ...
    def move_to_rack(self, node_id: int, rack: str | None) -> None: ...
    def new_member(self, rack: str | None, taken: Collection[int], /) -> Member: ...
    def set_members(self, members: Iterable[Member], /) -> None: ...
    def check_can_restart(self, what_not: str) -> None:
        """Raises IsThisProcess: its nodes cannot be started again."""


class IsThisProcess(RuntimeError):
    """A node cannot be stopped by what runs inside of it."""


def check_alone(settings: Settings, what: str, instead: str) -> None:
    """Raises StartupError: the node's cluster has others, which this process cannot ask."""
    quorum = settings.quorum
    if not (quorum.is_broker and quorum.is_controller) or quorum.has_other_voters:
        raise StartupError(
            f"{what} of `kafkapy start` is for a node that is alone, broker and controller: use "
            f"`kafkapy cluster --nodes N {instead}` for a cluster"
        )


class OneNode:
    """A node that is a process of its own, and runs as long as that does."""

    def __init__(self, node: Node) -> None:
        self.nodes = {node.node_id: node}
        self.failures: dict[int, ShutdownError] = {}
        self._node = node

    @property
    def members(self) -> Sequence[Member]:
        settings = self._node.settings.now
        quorum = settings.quorum
        roles = [*(["broker"] if quorum.is_broker else []), *(["controller"] if quorum.is_controller else [])]
        return (Member(self._node.node_id, ",".join(roles), settings.node.broker_rack),)

    @property
    def started_with(self) -> Sequence[Member]:
        return self.members

    @property
    def changes(self) -> MemberChanges:
        return MemberChanges()

    @property
    def running(self) -> Collection[int]:
        return self.nodes.keys()

    def addresses(self, node_id: int) -> list[tuple[str, int]]:
        return [(each.host, each.port) for each in self.nodes[node_id].settings.now.listeners]

    def broker_address(self, node_id: int) -> str | None:
        return self.nodes[node_id].bootstrap_address

    def directory_of(self, node_id: int) -> Path:
        return self.nodes[node_id].data_directory

    async def start(self, node_id: int) -> Node:
        raise self._refused(node_id)

    async def stop(self, node_id: int | None = None) -> None:
        raise self._refused(node_id)

    async def kill(self, node_id: int) -> None:
        raise self._refused(node_id)

    def pause(self, node_id: int) -> None:
        self.nodes[node_id].pause()

    def resume(self, node_id: int) -> None:
        self.nodes[node_id].resume()

    def move_to_rack(self, node_id: int, rack: str | None) -> None:
        self.nodes[node_id].move_to_rack(rack)

    def new_member(self, _rack: str | None, _taken: Collection[int]) -> Member:
        raise self._refused(None)

    def set_members(self, _members: Iterable[Member]) -> None:
        raise self._refused(None)

    def check_can_restart(self, what_not: str) -> None:
        raise IsThisProcess(f"{what_not}: {self._refused(None)}")

    def _refused(self, node_id: int | None) -> IsThisProcess:
        node_id = self._node.node_id if node_id is None else node_id
        return IsThisProcess(
            f"node {node_id} is the process that serves this API, so that it cannot be started, stopped or killed "
            "here: signal the process, or use `kafkapy cluster --control`"
        )
