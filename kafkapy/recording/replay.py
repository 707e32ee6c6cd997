"""A recorded session is sent again, to any broker, until an answer differs.

Requests and answers follow in the order of the recording: a request leaves when all answers that had come before it
have come again. So a fetch that waited for a produce waits for it again. Pauses of the clients are left out. A broker
that is not ready yet where the recorded one was (Apache Kafka's coordinators, when their topics are new) is asked once
more, as clients do.

Requests of a login are left out, as a recording does not have the secrets: who is to log in does so by `connect`.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from kafkapy.log_lines import shown
from kafkapy.recording.differences import IGNORED, Comparison
from kafkapy.recording.exchange import Exchange, Outcome
from kafkapy.recording.learned_ids import LearnedIds
from kafkapy_wire.api_keys import ApiKey, request_class, request_header_version
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.messages.request_header import RequestHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    Connect = Callable[[str, int], socket.socket]

TIMEOUT_SECONDS: Final = 10.0
ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
SHOWN_CHARACTERS_MAX: Final = 200
ASKED_AGAIN_SECONDS: Final = 0.05
NOT_READY: Final = frozenset(
    {
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "NOT_COORDINATOR",
        "CONCURRENT_TRANSACTIONS",
        "LEADER_NOT_AVAILABLE",
        "UNKNOWN_TOPIC_OR_PARTITION",
        "UNKNOWN_TOPIC_ID",
    }
)
"""Errors that clients wait out: nothing was done. Not for Produce, of which a part may have been done."""
LOGIN: Final = frozenset({ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE})
_SIZE: Final = struct.Struct(">i")


class ReplayFailed(Exception):
    """The session could not be sent: the message says why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first answer that was another one than recorded."""

    exchange: Exchange
    what: str
    """A field, such as `responses[0].partitionResponses[0].errorCode`, or `the outcome`."""
    recorded: object
    replayed: object

    def __str__(self) -> str:
        return (
            f"{self.exchange}\n"
            f"{self.what}: recorded was {_told(self.recorded)}, and this time it is {_told(self.replayed)}"
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a session was sent again."""

    requests: int
    """How many were sent."""
    answers: int
    """How many answers were compared."""
    difference: Difference | None
    """None: all answers were as recorded, but for fields that are ignored."""


def replay(
    exchanges: Iterable[Exchange],
    host: str,
    port: int,
    *,
    nodes: Mapping[int, tuple[str, int]] | None = None,
    ignored: Collection[str] = IGNORED,
    timeout_seconds: float = TIMEOUT_SECONDS,
    connect: Connect | None = None,
) -> Replayed:
    """Send the requests to the broker at `host:port`, and compare its answers; blocks.

    `nodes` has the addresses of brokers by the recorded node id: those of a cluster. `ignored`: fields that may differ.
    An answer that takes `timeout_seconds` longer than the recorded one counts as none. `connect` gives a socket to a
    host and a port, with TLS and logged in where the broker wants that; it may raise OSError. None: plain text.
    Raises ReplayFailed: there is no connection.
    """
    player = _Player((host, port), nodes or {}, ignored, timeout_seconds, connect)
    try:
        return player.play([each for each in exchanges if each.api_key not in LOGIN])
    finally:
        player.close()


class _Player:
    def __init__(
        self,
        address: tuple[str, int],
        nodes: Mapping[int, tuple[str, int]],
        ignored: Collection[str],
        timeout_seconds: float,
        connect: Connect | None,
    ) -> None:
        self._address = address
        self._nodes = nodes
        self._ignored = ignored
        self._timeout_seconds = timeout_seconds
        self._open = connect or self._plain
        self._learned = LearnedIds()
        self._sockets: dict[int, socket.socket] = {}

    def close(self) -> None:
        for each in self._sockets.values():
            each.close()

    def play(self, exchanges: list[Exchange]) -> Replayed:
        sends = [(each.begun_ns, each.number, 0, each) for each in exchanges]
        ends = [(each.ended_ns, each.number, 1, each) for each in exchanges if each.outcome is not Outcome.WAITING]
        requests = answers = 0
        for _, _, is_end, exchange in sorted(sends + ends, key=lambda event: event[:3]):
            if not is_end:
                requests += 1
                if not self._send(exchange):
                    return Replayed(requests, answers, _outcome(exchange, "the connection was closed before"))
                continue
            difference = self._end(exchange)
            answers += exchange.outcome is Outcome.ANSWERED
            if difference is not None:
                return Replayed(requests, answers, difference)
        return Replayed(requests, answers, None)

    def _send(self, exchange: Exchange) -> bool:
        """False: the broker has closed the connection. Raises ReplayFailed."""
        sock = self._sockets.get(exchange.connection)
        if sock is None:
            sock = self._sockets[exchange.connection] = self._connect(exchange.node_id)
        frame = self._frame(exchange)
        try:
            sock.sendall(_SIZE.pack(max(len(frame), exchange.request_size_bytes - 4)) + frame)
        except OSError:
            return False
        return True

    def _connect(self, node_id: int) -> socket.socket:
        host, port = self._nodes.get(node_id, self._address)
        try:
            return self._open(host, port)
        except OSError as error:
            raise ReplayFailed(f"cannot connect to {host}:{port} ({error.strerror or error})") from None

    def _plain(self, host: str, port: int) -> socket.socket:
        return socket.create_connection((host, port), self._timeout_seconds)

    def _frame(self, exchange: Exchange) -> bytes:
        """The request with the ids of this run."""
        frame = exchange.request_frame
        if not exchange.is_whole and len(frame) != exchange.request_size_bytes - 4:
            raise ReplayFailed(f"the request was too long to be recorded whole, so it cannot be sent again: {exchange}")
        if exchange.request is None:
            return frame
        key, version = exchange.api_key, exchange.api_version
        _, position = decode_from(RequestHeader, frame, 0, request_header_version(key, version))
        request, _ = decode_from(request_class(key), frame, position, version)  # one that may be changed
        return frame[:position] + encode(request, version) if self._learned.put_into(request) else frame

    def _end(self, exchange: Exchange) -> Difference | None:
        """What the recorded client has seen now: an answer, the end of the connection, or nothing."""
        sock = self._sockets[exchange.connection]
        if exchange.outcome is Outcome.GIVEN_UP:
            self._sockets.pop(exchange.connection).close()
            return None
        if exchange.outcome is Outcome.NOT_ANSWERED:
            return None
        seconds = self._timeout_seconds + (exchange.duration_ms or 0.0) / 1_000
        deadline = monotonic() + seconds
        answer = _receive(sock, seconds)
        while isinstance(answer, bytes) and self._is_not_ready(exchange, answer) and monotonic() < deadline:
            sleep(ASKED_AGAIN_SECONDS)
            if not self._send(exchange):
                answer = None
                break
            answer = _receive(sock, seconds)
        if exchange.outcome is Outcome.CLOSED:
            if answer is not None and not isinstance(answer, str):
                return _outcome(exchange, "an answer")
            self._sockets.pop(exchange.connection).close()
            return None if answer is None else _outcome(exchange, answer)
        if answer is None:
            return _outcome(exchange, "the broker has closed the connection")
        if isinstance(answer, str):
            return _outcome(exchange, answer)
        return self._compare(exchange, answer)

    def _is_not_ready(self, exchange: Exchange, answer: bytes) -> bool:
        """Whether the recorded broker could do it, and this one cannot yet."""
        if NOT_READY.intersection(exchange.errors) or exchange.response is None or exchange.api_key == ApiKey.PRODUCE:
            return False
        errors = exchange.with_answer(answer).errors
        return bool(errors) and NOT_READY.issuperset(errors)

    def _compare(self, exchange: Exchange, answer: bytes) -> Difference | None:
        recorded = exchange.response
        if recorded is None:
            return None  # it was too long to be kept, or an injected fault had made nonsense of it
        again = exchange.with_answer(answer)
        if again.response is None:
            return Difference(exchange, "the answer", "a valid one", "bytes that are none")
        group = str(getattr(exchange.request, "group_id", ""))
        comparison = Comparison(exchange.api, group, self._learned, self._ignored)
        found = comparison.first_difference(recorded, again.response)
        return None if found is None else Difference(exchange, *found)


def _receive(sock: socket.socket, seconds: float) -> bytes | str | None:
    """The next answer without its size; None: the connection is closed; a text: there is none, and why."""
    deadline = monotonic() + seconds
    try:
        head = _exactly(sock, _SIZE.size, deadline)
        if head is None:
            return None
        (size,) = _SIZE.unpack(head)
        if not 0 <= size <= ANSWER_BYTES_MAX:
            return f"an answer of {size} bytes"
        return _exactly(sock, size, deadline)
    except TimeoutError:
        return f"no answer within {seconds:.1f} s"
    except OSError:
        return None


def _exactly(sock: socket.socket, count: int, deadline: float) -> bytes | None:
    """None: the connection ends before. Raises TimeoutError; OSError."""
    data = bytearray()
    while len(data) < count:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        received = sock.recv(min(count - len(data), 1 << 20))
        if not received:
            return None
        data += received
    return bytes(data)


def _outcome(exchange: Exchange, replayed: str) -> Difference:
    recorded = f"that the connection was closed ({exchange.reason})" if exchange.reason else "an answer"
    return Difference(exchange, "the outcome", recorded, replayed)


def _told(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return shown(text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}...")
