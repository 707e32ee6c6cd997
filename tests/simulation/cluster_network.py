"""The network of a simulated cluster: requests by address, through Kafka's codec, over connections that break.

A request may come late, twice or never, and so may its answer. Who asks hears of a broken connection at once, or only
by its timeout. A request that was given up may still arrive: behind later ones, at another process of the node.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from kafkapy.peers.unavailable import PeerUnavailable
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, response_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.message import Message
from tests.simulation.environment import EventQueue, Network
from tests.simulation.tasks import Event, Lock, Process, current_task, move_on_after

if TYPE_CHECKING:
    from tests.simulation.cluster_node import ClusterNode

BROKER_PORT = 9000
CONTROLLER_PORT = 9100
REFUSED_MS = 2

Reply = Callable[["bytes | None"], None]
"""Called with the answer; None: the connection is refused, or has broken."""


class ClusterNetwork(Network):
    """Addresses are `node-<id>`; controllers listen at ports from CONTROLLER_PORT on, brokers below."""

    def __init__(self, queue: EventQueue, random: Random) -> None:
        super().__init__(queue, random)
        self.nodes: dict[int, ClusterNode] = {}
        self.says_broken = 0.5
        """The chance that who asks hears that a message was lost, instead of nothing."""
        self._numbers = count(1)
        self.late_ms: dict[ApiKey, tuple[int, int]] = {}
        """How much later requests of these kinds come than others: what they ask for may be out of date by then."""

    def request(
        self,
        sender: int,
        host: str,
        port: int,
        key: ApiKey,
        version: int,
        body: bytes,
        reply: Reply,
    ) -> None:
        """Send a request, each by a connection of its own; `reply` may be called late, several times or never."""
        number = next(self._numbers)
        receiver = self.nodes[int(host.removeprefix("node-"))]
        at_controller = port >= CONTROLLER_PORT

        def arrive() -> None:
            answered = receiver.serve(
                at_controller,
                key,
                version,
                body,
                lambda answer: self._answer(receiver, sender, answer, reply),
                connection=number,
            )
            if not answered:
                self._answer(receiver, sender, None, reply)

        if (sender, receiver.node_id) in self.cut:
            return
        late_ms = self._random.randint(*self.late_ms[key]) if key in self.late_ms else 0
        if late_ms:
            self._queue.after(late_ms, lambda: self.deliver(sender, receiver.node_id, arrive))
        else:
            self.deliver(sender, receiver.node_id, arrive)
        if self.faults.loss and self._random.random() < self.faults.loss * self.says_broken:
            self._queue.after(self._random.randint(1, 50), lambda: reply(None))

    def _answer(self, receiver: ClusterNode, sender: int, answer: bytes | None, reply: Reply) -> None:
        self.deliver(receiver.node_id, sender, lambda: reply(answer))


class SimulatedPeer:
    """In place of `kafkapy.peers.peer.Peer`. One request at a time, as on a connection."""

    network: ClusterNetwork
    """Set by the simulation."""

    def __init__(
        self, host: str, port: int, *, client_id: str, suspension: object, login: object = None, tls: object = None
    ) -> None:
        del client_id, suspension, login, tls
        self.host = host
        self.port = port
        self._lock = Lock()

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def has_hung_up(self) -> bool:
        return False

    def version_of(self, key: ApiKey, version_max: int | None = None) -> int:
        newest = API_VERSIONS[key].max_version
        return newest if version_max is None else min(newest, version_max)

    async def ask(self, request: Message, *, timeout_ms: float, version: int | None = None) -> Message:
        """Raises PeerUnavailable."""
        with move_on_after(timeout_ms / 1_000):
            async with self._lock:
                key = ApiKey(request.__schema__.api_key)
                version = self.version_of(key) if version is None else version
                answer = await self._exchange(request, key, version)
                if answer is None:
                    raise PeerUnavailable(f"lost the connection to {self}")
                response: Message = decode(response_class(key), answer, version)
                return response
        raise PeerUnavailable(f"the node at {self} has not answered within {timeout_ms:.0f} ms")

    async def _exchange(self, request: Message, key: ApiKey, version: int) -> bytes | None:
        process = current_task().process
        assert isinstance(process, Process)
        generation, there = process.generation, Event()
        answers: list[bytes | None] = []

        def take(answer: bytes | None) -> None:
            answers.append(answer)
            there.set()

        def reply(answer: bytes | None) -> None:
            if generation == process.generation:
                process.do(lambda: take(answer))

        sender: int = process.node_id  # type: ignore[attr-defined]
        self.network.request(sender, self.host, self.port, key, version, bytes(encode(request, version)), reply)
        await there.wait()
        return answers[0]

    def close(self) -> None:
        """Nothing is kept."""
