"""Who may connect: max.connections, max.connections.per.ip and its overrides, and the limit of open files."""

from __future__ import annotations

import logging
import resource
import socket
from collections import Counter
from typing import TYPE_CHECKING

from kafkapy_log.file_pool import default_open_files_max

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.clock import Clock
    from kafkapy.settings.current import CurrentSettings

logger = logging.getLogger("kafkapy.server")

DESCRIPTORS_BESIDES = 64  # listeners, checkpoints and flushes under way, the interpreter's own
FULL_WARNING_INTERVAL_MS = 60_000


def descriptors_for_clients() -> int:
    """How many connections leave enough descriptors for the logs: one that cannot open its file takes no records."""
    soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft_limit == resource.RLIM_INFINITY:
        return 1 << 31
    return max(16, soft_limit - default_open_files_max() - DESCRIPTORS_BESIDES)


class Admission:
    """Counts the connections of each address."""

    def __init__(self, settings: CurrentSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._count = 0
        self._per_host: Counter[str] = Counter()
        self._warned_ms = -float(FULL_WARNING_INTERVAL_MS)
        self._overrides: tuple[Mapping[str, int], dict[str, int]] = ({}, {})

    def has_room(self) -> bool:
        """Kafka leaves connections beyond max.connections in the backlog until one closes."""
        asked, possible = self._settings.now.network.max_connections, descriptors_for_clients()
        if self._count < min(asked, possible):
            return True
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._warned_ms >= FULL_WARNING_INTERVAL_MS:
            self._warned_ms = now_ms
            reason = "max.connections" if asked <= possible else "the limit of open files (`ulimit -n`)"
            logger.warning("%d connections: %s is reached; new clients wait", self._count, reason)
        return False

    def admits(self, host: str) -> bool:
        """Whether one more of this address is within max.connections.per.ip."""
        network = self._settings.now.network
        allowed = self._allowed_by_host(network.max_connections_per_ip_overrides).get(
            host, network.max_connections_per_ip
        )
        if self._per_host[host] < allowed:
            return True
        logger.warning("refusing a connection from %s: it has %d, max.connections.per.ip is reached", host, allowed)
        return False

    def connected(self, host: str) -> None:
        self._count += 1
        self._per_host[host] += 1

    def disconnected(self, host: str) -> None:
        self._count -= 1
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]

    def _allowed_by_host(self, overrides: Mapping[str, int]) -> dict[str, int]:
        """max.connections.per.ip.overrides by address: names are resolved once for each value of the setting."""
        if self._overrides[0] is not overrides:
            allowed: dict[str, int] = {}
            for name, count in overrides.items():
                try:
                    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                except OSError as error:
                    logger.warning("cannot resolve %s of max.connections.per.ip.overrides: %s", name, error.strerror)
                    continue
                allowed.update((str(entry[4][0]), count) for entry in found)
            self._overrides = (overrides, allowed)
        return self._overrides[1]
