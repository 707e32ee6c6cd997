"""Memory of connections that are open and ask nothing: 10,000 of them, each served twice before and once after.

What counts is the resident memory of the broker's processes; the kernel's own for a socket is nobody's choice.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import time

from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Peer
from benchmarks.raw_client import (
    API_VERSIONS_VERSION,
    METADATA_VERSION,
    Connection,
    UnexpectedAnswer,
    decode_answer,
    metadata_request,
    ready_topic,
    request_frame,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest
from kafkapy_wire.messages.metadata import MetadataResponse

CONNECTION_COUNT = 10_000
DESCRIPTORS_BESIDES = 1_000  # of a broker: its files, and what kafkapy keeps free for logs
TOPIC = "idle-connections"

CONNECTION_KB = Metric("idle_connection_kb", f"Memory of an idle connection, {CONNECTION_COUNT:,} open", "kB")
SERVED_AGAIN_MS = Metric("idle_connections_again_ms", "... all asked once more", "ms")


class TooFewDescriptors(OSError):
    """This user may not open so many sockets at once."""


def measure(peer: Peer, scale: Scale) -> Figures:
    """kB (1,000 bytes) that each connection adds, and milliseconds to ask all of them again, one after the other."""
    _check_descriptors()
    with peer.running() as broker, contextlib.ExitStack() as stack:
        asker = Asker()
        first = stack.enter_context(Connection(broker.address))
        ready_topic(first, TOPIC, broker.served)
        asker.greet(first)  # all code that serves them is loaded
        time.sleep(scale.rest_seconds)
        before_mb = broker.resident_mb()
        connections = []
        for _ in range(CONNECTION_COUNT):
            connections.append(stack.enter_context(Connection(broker.address)))
            asker.greet(connections[-1])
        time.sleep(scale.rest_seconds)
        added_mb = broker.resident_mb() - before_mb
        begin = time.perf_counter()
        for connection in connections:
            asker.ask(connection)
        again_ms = (time.perf_counter() - begin) * 1e3
    return {CONNECTION_KB.key: added_mb * 1e3 / CONNECTION_COUNT, SERVED_AGAIN_MS.key: again_ms}


def _check_descriptors() -> None:
    """Raises TooFewDescriptors. A broker inherits the limit, which `python -m benchmarks` raises as far as it may."""
    needed = CONNECTION_COUNT + DESCRIPTORS_BESIDES
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise TooFewDescriptors(
            errno.EMFILE, f"{needed:,} open files are needed and {limit:,} are allowed (ulimit -Hn)"
        )


class Asker:
    """The requests of a client that has just connected, and their answers checked."""

    def __init__(self) -> None:
        self._greeting = request_frame(ApiKey.API_VERSIONS, ApiVersionsRequest(), API_VERSIONS_VERSION)
        self._metadata = request_frame(ApiKey.METADATA, metadata_request([TOPIC]), METADATA_VERSION)
        self._answer: bytes | None = None

    def greet(self, connection: Connection) -> None:
        """ApiVersions and Metadata, as clients begin."""
        connection.socket.sendall(self._greeting)
        connection.receive_bytes()
        self.ask(connection)

    def ask(self, connection: Connection) -> None:
        """Metadata. Raises UnexpectedAnswer: not the topic with its partition."""
        connection.socket.sendall(self._metadata)
        answer = connection.receive_bytes()
        if answer == self._answer:
            return  # the same bytes as an answer that was looked at
        response = decode_answer(ApiKey.METADATA, METADATA_VERSION, answer, MetadataResponse)
        (topic,) = response.topics
        if topic.error_code != ErrorCode.NONE or len(topic.partitions) != 1:
            raise UnexpectedAnswer(f"Metadata: {topic}")
        self._answer = answer


IDLE_CONNECTIONS = LifecycleRow(
    name="idle_connections",
    metrics=(CONNECTION_KB, SERVED_AGAIN_MS),
    measure=measure,
    time_limit_seconds=180.0,
    rounds_max=3,
)
