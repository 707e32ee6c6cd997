"""Brokers, leaders and coordinators of one cluster, and trying again until they answer."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Self, TypeVar

from kafkapy.client.connection import Connection, Security
from kafkapy.client.deadline import Deadline
from kafkapy.client.errors import ClientError, ConnectionLost, NotConnected, Refused, TryAgain, check
from kafkapy.client.login import Login
from kafkapy.client.patience import Patience
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.integer_text import parse_integer
from kafkapy_wire.message import Message
from kafkapy_wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)

R = TypeVar("R", bound=Message)
T = TypeVar("T")

BACKOFF_MIN_SECONDS = 0.02
BACKOFF_MAX_SECONDS = 0.5
CONTROLLERS = 2
"""The type of endpoint, in DescribeCluster, of controllers' listeners (KIP-919)."""
_FIRST_FIND_COORDINATOR_WITH_KEYS = 4  # Kafka 3.0
UNKNOWN_TOPIC_SECONDS = 3.0
"""How long a topic may stay unknown: a broker that creates topics automatically answers so until it is there."""


_GROUP, _TRANSACTION = 0, 1
"""Types of keys in FindCoordinator."""


class Cluster:
    """A view of one cluster through the brokers at `bootstrap`. Connections are made when needed and kept."""

    def __init__(
        self,
        bootstrap: Sequence[tuple[str, int]],
        *,
        timeout_seconds: float,
        tell: Callable[[str], None] = lambda _: None,
        security: Security | None = None,
        login: Login | None = None,
    ) -> None:
        """`tell` is called with what an operation waits for, once if it is slow, from a thread (see `patience`).
        `security`: of the connections; None: plain text. `login`: at each of them; None: without SASL.
        """
        self._security = security
        self._login = login
        self.timeout_seconds = timeout_seconds
        self._patience = Patience(tell)
        self._bootstrap = list(bootstrap)
        self._addresses: dict[int, tuple[str, int]] = {}
        self._connections: dict[tuple[str, int], Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._patience.close()

    def hurry(self, seconds: float) -> None:
        """From now on wait no longer than that: the command is about to end."""
        self.timeout_seconds = min(self.timeout_seconds, seconds)

    def doing(self, what: str, seconds: float | None = None) -> AbstractContextManager[None]:
        """What the user is told if the block takes long; `seconds` is how long it may take."""
        return self._patience.doing(what, self.timeout_seconds if seconds is None else seconds)

    def retrying(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns once it raises no more TryAgain. Raises the last one when the timeout is over."""
        deadline = Deadline(self.timeout_seconds)
        backoff_seconds = BACKOFF_MIN_SECONDS
        with self._patience.operation(self.timeout_seconds):
            while True:
                try:
                    return attempt()
                except TryAgain as error:
                    if deadline.remaining() <= backoff_seconds:
                        raise
                    self._patience.failed(str(error))
                time.sleep(backoff_seconds * random.uniform(0.8, 1.2))
                backoff_seconds = min(2 * backoff_seconds, BACKOFF_MAX_SECONDS)

    def changing(self, attempt: Callable[[], object], done: ErrorCode) -> None:
        """As `retrying`, for a change that is made once: from the second attempt on, `done` says that it was made.

        A connection may be lost after the request has left, and before its answer comes.
        """
        attempts = 0

        def once_more() -> None:
            nonlocal attempts
            attempts += 1
            try:
                attempt()
            except Refused as error:
                if attempts == 1 or error.code != done:
                    raise

        self.retrying(once_more)

    def any_broker(self) -> Connection:
        """An open connection to any broker. Raises ConnectionLost: none can be reached."""
        for connection in self._connections.values():
            if connection.is_open:
                return connection
        failure = None
        for address in [*self._bootstrap, *self._addresses.values()]:
            try:
                return self._connection(address)
            except ConnectionLost as error:
                failure = failure or error
        assert failure is not None, "no bootstrap server"
        if not isinstance(failure, NotConnected):
            raise failure
        raise NotConnected(
            f"{failure}: start a broker there with `kafkapy start`, or name yours with -b HOST:PORT"
        ) from None

    def for_administration(self) -> Connection:
        """A connection for what the active controller decides: to any broker, which passes it on.

        Where the bootstrap server is a controller's listener, it is to the active controller.
        """
        connection = self.any_broker()
        if connection.supports(ApiKey.METADATA):
            return connection
        from kafkapy_wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse

        request = DescribeClusterRequest(endpoint_type=CONTROLLERS)
        answer = self.ask_once(connection, request, DescribeClusterResponse)
        check(answer.error_code, "the cluster", answer.error_message)
        for controller in answer.brokers:
            if controller.broker_id == answer.controller_id:
                return self._connection((controller.host, controller.port))
        raise TryAgain("the controllers have no leader")

    def broker(self, node_id: int) -> Connection:
        """An open connection to one broker. Raises TryAgain: it is not known (yet) or cannot be reached."""
        if node_id not in self._addresses:
            self.metadata([])
        address = self._addresses.get(node_id)
        if address is None:
            raise TryAgain(f"there is no broker {node_id} in the cluster", refresh_metadata=True)
        return self._connection(address)

    def new_connection(self, node_id: int) -> Connection:
        """One more connection to a broker, for requests that must not wait behind others; its owner closes it."""
        return self._connect(*self._addresses[node_id])

    def new_socket(self, host: str, port: int) -> socket.socket:
        """Connected, secured and logged in as all connections of this cluster. Raises ConnectionLost, ClientError."""
        return self._connect(host, port).detached()

    def broker_ids(self) -> list[int]:
        self.retrying(lambda: self.metadata([]))
        return sorted(self._addresses)

    def ask(self, message: Message, response_class: type[R], *, version_max: int | None = None) -> R:
        """The answer of any broker. A lost connection is tried again: only for what may be done twice."""
        return self.retrying(lambda: self.ask_once(self.any_broker(), message, response_class, version_max=version_max))

    def ask_once(
        self, connection: Connection, message: Message, response_class: type[R], *, version_max: int | None = None
    ) -> R:
        with self.doing(f"waiting for an answer of {connection.address}"):
            return connection.request(
                message, response_class, timeout_seconds=self.timeout_seconds, version_max=version_max
            )

    def metadata(self, topics: Iterable[str] | None, *, create: bool = False) -> MetadataResponse:
        """Of these topics, of all with None, of the brokers alone with none. Errors inside are the caller's."""
        request = MetadataRequest(
            topics=None if topics is None else [MetadataRequestTopic(name=name) for name in topics],
            allow_auto_topic_creation=create,
        )
        answer = self.ask_once(self.any_broker(), request, MetadataResponse)
        self._addresses = {broker.node_id: (broker.host, broker.port) for broker in answer.brokers}
        return answer

    def topic(self, name: str, *, create: bool = False) -> MetadataResponseTopic:
        """Metadata of one topic that has a leader for every partition.

        With `create` a topic that is not there is made, if the broker does that for clients.
        Raises Refused: the topic does not exist and is not auto-created, or its name is not allowed.
        """
        unknown_deadline = Deadline(min(UNKNOWN_TOPIC_SECONDS if create else 0, self.timeout_seconds))

        def attempt() -> MetadataResponseTopic:
            (topic,) = self.metadata([name], create=create).topics
            if topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION and unknown_deadline.is_over():
                raise Refused(
                    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                    f"topic {name!r} does not exist: make it with `kafkapy topics create {name}`",
                )
            check(topic.error_code, f"topic {name!r}")
            for partition in topic.partitions:
                check(partition.error_code, f"partition {name}-{partition.partition_index}")
            topic.partitions.sort(key=lambda partition: partition.partition_index)
            return topic

        return self.retrying(attempt)

    def coordinator_id(self, group_id: str) -> int:
        """The broker that coordinates a group. Raises TryAgain, Refused."""
        return self._coordinator_id(_GROUP, group_id, f"group {group_id!r}")

    def transaction_coordinator_id(self, transactional_id: str) -> int:
        """The broker that coordinates a transactional id. Raises TryAgain, Refused."""
        return self._coordinator_id(_TRANSACTION, transactional_id, f"transactional id {transactional_id!r}")

    def _coordinator_id(self, key_type: int, key: str, what: str) -> int:
        from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse

        connection = self.any_broker()
        is_old = not connection.supports(ApiKey.FIND_COORDINATOR, _FIRST_FIND_COORDINATOR_WITH_KEYS)
        request = FindCoordinatorRequest(key=key) if is_old else FindCoordinatorRequest(coordinator_keys=[key])
        request.key_type = key_type
        answer = self.ask_once(connection, request, FindCoordinatorResponse)
        found = answer if is_old else answer.coordinators[0]
        check(found.error_code, what, found.error_message)
        self._addresses.setdefault(found.node_id, (found.host, found.port))
        return found.node_id

    def coordinator(self, group_id: str) -> Connection:
        """A connection to the coordinator of a group. Raises TryAgain, Refused."""
        return self.broker(self.coordinator_id(group_id))

    def supports(self, key: ApiKey) -> bool:
        """Whether the brokers know an API."""
        return self.retrying(self.any_broker).supports(key)

    def _connection(self, address: tuple[str, int]) -> Connection:
        connection = self._connections.get(address)
        if connection is None or not connection.is_open:
            connection = self._connections[address] = self._connect(*address)
        return connection

    def _connect(self, host: str, port: int) -> Connection:
        with self.doing(f"connecting to {host}:{port}"):
            return Connection(
                host, port, timeout_seconds=self.timeout_seconds, security=self._security, login=self._login
            )


def parse_bootstrap(text: str) -> list[tuple[str, int]]:
    """`HOST:PORT` or `HOST`, several with commas between them; an IPv6 address stands in brackets.

    As Java clients do, it passes over the name of a listener in front (`PLAINTEXT://HOST:PORT`).
    Raises ClientError: an entry is not HOST:PORT.
    """
    addresses = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        place = entry.rpartition("://")[2]
        host, colon, port = place.rpartition(":")
        if not colon or (place.startswith("[") and place.endswith("]")):
            host, port = place, "9092"
        number = parse_integer(port, 1, 65_535)
        if number is None or not host.strip("[]"):
            raise ClientError(f"{entry!r} is not HOST:PORT")
        addresses.append((host.strip("[]"), number))
    if not addresses:
        raise ClientError("no bootstrap server is given: -b HOST:PORT")
    return addresses
