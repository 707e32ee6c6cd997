"""What operations work on: the nodes that run in this process, and requests to them without sockets.

Neither faults nor recordings nor authorization meet such requests: they are the test's own look at the state.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import trio

from kafkapy.apis import API_MODULES
from kafkapy.apis.served import Api, answer_of
from kafkapy.bugs import Bugs
from kafkapy.context import Client, NodeContext, RequestContext
from kafkapy.control.values import NotYet
from kafkapy.nearest import did_you_mean
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import KafkaError, error_code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from kafkapy.cluster import Member
    from kafkapy.control.clocks import NodeClocks
    from kafkapy.control.cluster import ControlledCluster
    from kafkapy.faults import FaultEngine
    from kafkapy.node import Node
    from kafkapy.partitions.partition import Partition
    from kafkapy.recording import Recording
    from kafkapy.seeds import Seed
    from kafkapy_controller.decision import Decision, Steps
    from kafkapy_controller.image import MetadataImage, PartitionImage, TopicImage
    from kafkapy_wire.message import Message

R = TypeVar("R", bound="Message")
T = TypeVar("T")

CLIENT_ID = "kafkapy-control"
LOOPBACK = "127.0.0.1"
ANSWER_SECONDS: Final = 30.0
"""Of real time: what waits for nodes that do not run, or for a clock that is frozen, may never come."""
LOOK_AGAIN_SECONDS = 0.005
"""How often a state is looked at that no single event stands for."""


class Beginning(Protocol):
    """A directory that the nodes have begun with; see `origin`."""

    def restore_to(self, directory: Path) -> None:
        """Have the nodes below a directory begin with it, while none runs. Blocks."""

    async def settle(self, nodes: ControlledNodes) -> None:
        """Once they run: leave behind what belongs to the broker that has written it."""


class ControlledNodes:
    """The nodes of one cluster, which may be one node, and their clocks."""

    def __init__(
        self, cluster: ControlledCluster, clocks: NodeClocks, faults: FaultEngine, recording: Recording, snapshots: Path
    ) -> None:
        """`snapshots`: the directory that keeps them. `faults` is the engine that all the nodes have."""
        self.cluster = cluster
        self.clocks = clocks
        self.faults = faults
        self.recording = recording
        self.records = True
        """Whether the requests to nodes that start are recorded."""
        self.snapshots = snapshots
        self.bugs = Bugs()
        """Mistakes that operations have met."""
        self.image_at_start = self.image
        """What the metadata had: `reset` goes back to its settings, users, ACLs, quotas, tokens and features."""
        self.topics_at_start: Mapping[str, int | Mapping[str, object]] = {}
        """Those that the cluster was asked to begin with: `reset` makes them anew."""
        self.origin: Beginning | None = None
        """The directory that it began with; None: an empty one. `reset` goes back to it."""
        self.seed_at_start: Seed | None = None
        """What else it was asked to begin with: `reset` applies it anew."""
        self.changing = {member.node_id: trio.Lock() for member in cluster.members}
        """By node id; see `changing_one`."""
        self.kept_out: set[tuple[str, int, int]] = set()
        """Topic, partition and broker of replicas that `shrink_isr` keeps out of their ISRs."""
        for node in self.running():
            self._keep_out(node)
        self.members_at_start = tuple(cluster.members)
        """The nodes, in their racks, that `reset` goes back to."""
        self.changing_all = trio.Lock()
        """Held by the call that changes the cluster as a whole."""
        self._apis: dict[ApiKey, Api] = {}

    @property
    def brokers(self) -> list[Node]:
        """The running nodes that are brokers, by id, but for those that are paused: they answer nothing."""
        return [node for node in self.running() if not node.is_paused and node.settings.now.quorum.is_broker]

    def asked_brokers(self) -> list[Node]:
        """The brokers that run, at least one. Raises LookupError: none does, so nobody can say what there is."""
        brokers = self.brokers
        if not brokers:
            raise LookupError("no broker is running")
        return brokers

    def broker(self, node_id: int) -> Node:
        """A broker that runs. Raises LookupError: there is none of this id, or it is paused."""
        for node in self.brokers:
            if node.node_id == node_id:
                return node
        running = ", ".join(str(node.node_id) for node in self.brokers) or "none"
        if node_id in self.cluster.running and self.node(node_id).is_paused:
            raise LookupError(f"broker {node_id} is paused: it answers nothing until `resume_node`")
        raise LookupError(f"no broker {node_id} is running; running: {running}")

    def change_members(self, members: Iterable[Member]) -> None:
        """Have these nodes from now on: see `Cluster.set_members`. Raises StartupError."""
        before = dict(self.cluster.nodes)
        self.cluster.set_members(members)
        for node_id in before.keys() - self.cluster.nodes.keys():
            self.recording.detach(before[node_id].dispatcher)
        node_ids = [member.node_id for member in self.cluster.members]
        self.changing = {node_id: self.changing.get(node_id) or trio.Lock() for node_id in node_ids}
        self.kept_out -= {each for each in self.kept_out if each[2] not in self.changing}

    async def start(self, node_ids: Iterable[int]) -> None:
        """Start nodes again, at their addresses; together, as one alone may wait for a quorum.

        One that runs is left alone; one that another call is starting is waited for. Raises StartupError.
        """
        try:
            async with trio.open_nursery() as nursery:
                for node_id in node_ids:
                    nursery.start_soon(self._start_one, node_id)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    @asynccontextmanager
    async def changing_one(self, node_id: int) -> AsyncIterator[None]:
        """In the block no other call starts, stops, empties or removes the node. A kill does not wait for it.

        Raises LookupError: there is no such node; it may have been removed, and another may have its id.
        """
        lock = self.changing.get(node_id)
        if lock is None:
            raise LookupError(f"there is no node {node_id}; there are {', '.join(map(str, self.changing))}")
        async with lock:
            if self.changing.get(node_id) is not lock:
                raise LookupError(f"node {node_id} was removed")
            yield

    async def _start_one(self, node_id: int) -> None:
        async with self.changing_one(node_id):
            if node_id not in self.cluster.running:
                before = self.cluster.nodes.get(node_id)
                node = await self.cluster.start(node_id)
                if before is not None:  # it would be kept with all its parts
                    self.recording.detach(before.dispatcher)
                if self.records:
                    self.record(node)
                self._keep_out(node)

    def _keep_out(self, node: Node) -> None:
        if node.settings.now.quorum.is_broker:
            node.broker.partitions.keep_out_of_isrs(self.kept_out)

    @asynccontextmanager
    async def none_running(self, *, killed: bool) -> AsyncIterator[None]:
        """In the block no node runs, and no other call starts one; those that ran are running again after it.

        They are stopped in order, or `killed`: then all nodes run after the block, which may change the members. Raises
        NotYet, StartupError.
        """
        ran = list(self.cluster.running)
        try:
            async with AsyncExitStack() as held:
                for node_id, lock in self.changing.items():
                    with trio.move_on_after(ANSWER_SECONDS) as patience:
                        await held.enter_async_context(lock)
                    if patience.cancelled_caught:
                        raise NotYet(
                            f"waited {ANSWER_SECONDS:g} s for node {node_id}, which another call starts or stops: "
                            "it may wait for other nodes, which do not run"
                        )
                await self._end_all(killed=killed)
                yield
        finally:
            await self.start(self.changing if killed else ran)

    async def _end_all(self, *, killed: bool) -> None:
        if not killed:
            for node_id in list(self.cluster.running):
                self.cluster.nodes[node_id].kept = True
            await self.cluster.stop()
        for node_id in list(self.cluster.running):
            if node_id in self.cluster.running:  # a `kill_node` does not wait
                await self.cluster.kill(node_id)

    def record(self, node: Node) -> None:
        """Record the requests of clients that come to a node."""
        self.recording.attach(node.dispatcher, node.node_id, node.parts.metadata)

    def node(self, node_id: int) -> Node:
        """A node that runs. Raises LookupError."""
        return self.cluster.nodes[self.running_id(node_id)]

    def running_id(self, node_id: int) -> int:
        """The same id. Raises LookupError: no such node runs."""
        if node_id not in self.cluster.running:
            running = ", ".join(map(str, sorted(self.cluster.running))) or "none"
            raise LookupError(f"no node {node_id} is running; running: {running}")
        return node_id

    def active_controller_id(self) -> int | None:
        """The id of the node whose controller is active; None: there is none now."""
        answering = (node for node in self.running() if not node.is_paused)
        return next((node.node_id for node in answering if node.parts.controller.is_active), None)

    def running(self) -> Iterator[Node]:
        for node_id in sorted(self.cluster.running):
            yield self.cluster.nodes[node_id]

    @property
    def image(self) -> MetadataImage:
        """The newest image that a broker has. Raises LookupError: no broker runs."""
        return max((node.broker.metadata.image for node in self.asked_brokers()), key=lambda image: image.offset)

    @property
    def newest_image(self) -> MetadataImage:
        """The newest that any node has, a controller or a broker. Raises LookupError: no node runs."""
        images = [node.parts.metadata.image for node in self.running()]
        if not images:
            raise LookupError("no node is running")
        return max(images, key=lambda image: image.offset)

    def topic(self, name: str) -> TopicImage:
        """Raises LookupError: there is no such topic."""
        found = self.image.topics.get(name)
        if found is None:
            raise LookupError(f"there is no topic {name!r}{did_you_mean(name, self.image.topics)}")
        return found

    def check_partition(self, topic: str, index: int) -> PartitionImage:
        """Raises LookupError: there is no such topic or partition."""
        partitions = self.topic(topic).partitions
        if not 0 <= index < len(partitions):
            raise LookupError(f"topic {topic!r} has the partitions 0 to {len(partitions) - 1}, and no {index}")
        return partitions[index]

    def leader(self, topic: str, index: int) -> Partition:
        """A partition where it is led. Raises KafkaError: it has no leader now, or that one does not know yet."""
        leader_id = self.check_partition(topic, index).leader
        if leader_id not in self.cluster.running:
            raise LookupError(f"partition {topic}-{index} has no leader that runs")
        return self.broker(leader_id).broker.partitions.leader(topic, index)

    async def controller(self) -> int:
        """The id of the node whose controller is active; waits for one. Raises NotYet."""
        with self.patience("an active controller"):
            while (node_id := self.active_controller_id()) is None:  # noqa: ASYNC110  # nobody sets an event for it
                await trio.sleep(LOOK_AGAIN_SECONDS)
            return node_id
        raise AssertionError  # not reached

    @contextmanager
    def patience(self, wanted: str) -> Iterator[None]:
        """Raises NotYet: the block has not ended in time."""
        with trio.move_on_after(ANSWER_SECONDS) as patience:
            yield
        if patience.cancelled_caught:
            missing = [str(node_id) for node_id in self.changing if node_id not in self.cluster.running]
            paused = ", ".join(str(node.node_id) for node in self.running() if node.is_paused)
            raise NotYet(
                f"waited {ANSWER_SECONDS:g} s for {wanted}; nodes that do not run: {', '.join(missing) or 'none'}"
                f"{f'; paused: {paused}' if paused else ''}"
                f"{'; the clock is frozen' if self.clocks.is_frozen else ''}"
            )

    async def ask(self, node: Node, request: Message, response_class: type[R]) -> R:
        """The answer of one broker to a request in its newest version; errors are in it. Raises NotYet."""
        return await self._answer(request, RequestContext(node.broker, _client(node)), response_class)

    async def ask_controller(self, request: Message, response_class: type[R]) -> R:
        """The answer of the active controller, wherever it is; errors are in it. Raises NotYet."""
        node = self.node(await self.controller())
        return await self._answer(request, NodeContext(node.parts, _client(node)), response_class)

    async def decide(self, decide: Callable[[MetadataImage], Steps[Decision[T]]], wanted: str) -> T:
        """What the active controller decides, when its records are committed. Raises NotYet, KafkaError."""
        controller = self.node(await self.controller()).parts.controller
        with self.patience(wanted):
            return await (await controller.commit_in_steps(decide)).wait()
        raise AssertionError("an end of patience is an error")

    async def follow(self) -> None:
        """Until every broker has the newest image."""
        newest = self.newest_image.offset
        while any(node.broker.metadata.image.offset < newest for node in self.brokers):  # noqa: ASYNC110  # for a moment
            await trio.sleep(LOOK_AGAIN_SECONDS)

    async def _answer(self, request: Message, context: NodeContext, response_class: type[R]) -> R:
        key = ApiKey(type(request).__schema__.api_key)
        api = self._apis.get(key)
        if api is None:
            api = self._apis[key] = Api(key, API_MODULES[key])
        context.client_id = CLIENT_ID
        context.api_version = api.versions[-1]
        with self.patience(f"the answer to {type(request).__name__}"):
            answer = await answer_of(api, request, context)
        assert isinstance(answer, response_class)
        return answer


def _client(node: Node) -> Client:
    return Client(node.settings.now.listeners[0].name, LOOPBACK, 0, LOOPBACK)


def check(code: int, message: str | None = None) -> None:
    """Raises KafkaError, unless the code of an answer is NONE."""
    if code:
        raise KafkaError(error_code(code), message)
