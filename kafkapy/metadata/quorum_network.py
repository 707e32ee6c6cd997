"""Sends the quorum's requests to the other nodes and gives their answers back to it.

Each request has a task of its own while it waits for its answer. Requests of different kinds go over connections of
their own, so that a vote does not wait behind a Fetch that waits for records.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

import trio

from kafkapy.peers import Outage, PeerUnavailable, level_of
from kafkapy_controller.quorum_state import NOBODY
from kafkapy_controller.raft.messages import Fetch, FetchResult, FetchSnapshot, Request, Result
from kafkapy_controller.raft.quorum import Answered, Failed
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import whole_batches_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kafkapy.peers.peers import Peers
    from kafkapy_controller.raft.quorum import Event, Quorum, Send

logger = logging.getLogger("kafkapy.quorum")

FIRST_BOOTSTRAP_SERVER = -2


class QuorumNetwork:
    """The other nodes of the quorum. `run` must run for anything to be sent."""

    def __init__(
        self,
        quorum: Quorum,
        peers: Peers,
        *,
        cluster_id: str,
        listener_name: str,
        bootstrap_servers: Sequence[tuple[str, int]],
        request_timeout_ms: int,
        registered: Callable[[int], tuple[str, int] | None],
    ) -> None:
        """`listener_name` is the listener of controllers; `registered` finds a registered controller in the image."""
        self.step: Callable[[Event], None] = _not_connected
        """Called with each answer, or the failure to get one."""
        self.last_failure = ""
        """Why the last request that failed was not answered; for who asks why there is no leader."""
        self._quorum = quorum
        self._peers = peers
        self._cluster_id = cluster_id
        self._listener_name = listener_name
        self._bootstrap_servers = bootstrap_servers
        self._request_timeout_ms = request_timeout_ms
        self._registered = registered
        self._nursery: trio.Nursery | None = None
        self._unsent: list[Send] = []  # before `run` runs
        self._outages: dict[int, Outage] = defaultdict(Outage)
        self._asking = 0  # requests to be answered that do not wait for records
        self._answered = trio.Event()

    def address_of(self, node_id: int) -> tuple[str, int] | None:
        """Where a node of the quorum serves the others; None if nobody has said so."""
        if node_id <= FIRST_BOOTSTRAP_SERVER:
            return self._bootstrap_servers[FIRST_BOOTSTRAP_SERVER - node_id]
        quorum = self._quorum
        if node_id == quorum.leader_id:
            for endpoint in quorum.leader_endpoints:
                return endpoint.host, endpoint.port
        voter = quorum.membership.voter(node_id)
        if voter is not None:
            for endpoint in voter.endpoints:
                if endpoint.name == self._listener_name or len(voter.endpoints) == 1:
                    return endpoint.host, endpoint.port
        return self._registered(node_id)

    def send(self, send: Send) -> None:
        """Send a request; `step` gets the answer."""
        self._asking += not isinstance(send.request, Fetch)
        if self._nursery is None:
            self._unsent.append(send)
        else:
            self._nursery.start_soon(self._ask, send)

    async def run(self) -> None:
        """Send what is to be sent, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                unsent, self._unsent = self._unsent, []
                for send in unsent:
                    nursery.start_soon(self._ask, send)
                await trio.sleep_forever()
            finally:
                self._nursery = None

    async def drain(self, seconds: float) -> None:
        """Return when every request but the waiting Fetch is answered, or `seconds` have passed."""
        with trio.move_on_after(seconds):
            while self._asking:
                self._answered = trio.Event()
                await self._answered.wait()

    def reaches_any(self, node_ids: Iterable[int]) -> bool:
        """Whether one of these nodes has answered its last request, or was not asked yet."""
        return any(not self._outages[node_id].is_on for node_id in node_ids)

    async def _ask(self, send: Send) -> None:
        request = send.request
        try:
            result = await self._answer_to(send.to, request)
        except (PeerUnavailable, MalformedMessage) as error:
            self._note_failure(send.to, error)
            self.step(Failed(send.to, request))
        else:
            self._note_success(send.to)
            self.step(Answered(send.to, request, result))
        finally:
            self._asking -= not isinstance(request, Fetch)
            self._answered.set()

    async def _answer_to(self, node_id: int, request: Request) -> Result:
        """Raises PeerUnavailable, MalformedMessage."""
        address = self.address_of(node_id)
        if address is None:
            raise PeerUnavailable(f"nobody has said where node {node_id} listens")
        purpose = "quorum-fetch" if isinstance(request, Fetch | FetchSnapshot) else "quorum"
        peer = self._peers.at(*address, purpose)
        from kafkapy_controller.raft.rpc import decode_result, encode_request  # only a node that asks others needs it

        message = encode_request(request, self._cluster_id)
        answer = await peer.ask(message, timeout_ms=self._request_timeout_ms)
        result = decode_result(answer, self._listener_name)
        if isinstance(result, FetchResult) and result.records:
            # Apache Kafka's answer may end in the middle of a batch.
            result = result._replace(records=result.records[: whole_batches_bytes(result.records)])
        return result

    def _note_failure(self, node_id: int, error: Exception) -> None:
        """Say it once, until the node answers again."""
        self.last_failure = str(error)
        if self._outages[node_id].begins(error):
            level = level_of(error, logging.INFO)
            logger.log(level, "node %s of the quorum does not answer: %s", self.name_of(node_id), error)

    def _note_success(self, node_id: int) -> None:
        if self._outages[node_id].ends():
            logger.info("node %s of the quorum answers again", self.name_of(node_id))

    def name_of(self, node_id: int) -> str:
        """Id and address, for a line of the log."""
        address = self.address_of(node_id)
        where = "" if address is None else f"{address[0]}:{address[1]}"
        return where if node_id < NOBODY else f"{node_id} ({where})"


def _not_connected(event: Event) -> None:
    raise AssertionError(f"nobody takes {event}")
