"""Who may connect, and when: max.connections and max.connection.creation.rate, both also by listener,
max.connections.per.ip and its overrides, quotas of addresses (connection_creation_rate, KIP-612), and the limit of open
files.

Where there are several listeners, the one that brokers use among themselves (inter.broker.listener.name) is protected,
as in Apache Kafka: the limits for all listeners together do not apply to it.
"""

from __future__ import annotations

import logging
import math
import resource
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, TypedDict

from kafkapy.network.complaints import Complaints
from kafkapy.network.connection_rate import ConnectionRate
from kafkapy.network.host_limits import HostLimits
from kafkapy_log.file_pool import default_open_files_max

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.clock import Clock
    from kafkapy.quotas.client_quotas import ClientQuotas
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings

logger = logging.getLogger("kafkapy.server")

DESCRIPTORS_BESIDES = 64  # listeners, checkpoints and flushes under way, the interpreter's own
FULL_WARNING_INTERVAL_MS = 60_000
_ALL = ""  # all listeners together


def descriptors_for_clients() -> int:
    """How many connections leave enough descriptors for the logs, which cannot append without an open file."""
    soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft_limit == resource.RLIM_INFINITY:
        return 1 << 31
    return max(16, soft_limit - default_open_files_max() - DESCRIPTORS_BESIDES)


class Admission:
    """Counts the connections of each listener and each address."""

    def __init__(self, settings: CurrentSettings, clock: Clock, quotas: ClientQuotas) -> None:
        self._settings = settings
        self._clock = clock
        self._complaints = Complaints(logger, clock)
        self._count = 0
        self._per_listener: Counter[str] = Counter()
        self._per_host: Counter[str] = Counter()
        self._rates: defaultdict[str, ConnectionRate] = defaultdict(ConnectionRate)
        self._warned_ms = -float(FULL_WARNING_INTERVAL_MS)
        self.host_limits = HostLimits[int]("max.connections.per.ip.overrides")
        self.host_rates = HostLimits[float]("the quotas of connection_creation_rate")
        self._quotas = quotas
        self._rates_known: Mapping[str | None, float] = {}
        self.follow_settings(settings.now)
        settings.subscribe(self.follow_settings)

    def follow_settings(self, settings: Settings) -> None:
        self.host_limits.use(settings.network.max_connections_per_ip_overrides)

    def delay_ms(self, listener: str, *, has_waited: bool) -> float:
        """How long the next connection of a listener must wait; infinity: until another connection closes.

        Kafka leaves connections beyond its limits in the backlog. `has_waited`: this one has waited for the rate.
        """
        if self._count >= descriptors_for_clients():
            return self._full("the limit of open files (`ulimit -n`)")
        settings = self._settings.now
        is_protected = self.is_protected(listener)
        if not is_protected and self._count >= settings.network.max_connections:
            return self._full("max.connections")
        listener_max = settings.listener_number(listener, "max.connections")
        if listener_max is not None and self._per_listener[listener] >= listener_max:
            return self._full(f"max.connections of listener {listener}")
        if has_waited:
            return 0.0
        delay_ms = 0.0
        listener_rate = settings.listener_number(listener, "max.connection.creation.rate")
        if listener_rate is not None:
            delay_ms = self._rate_delay_ms(listener, listener_rate, settings)
        if not is_protected:
            delay_ms = max(delay_ms, self._rate_delay_ms(_ALL, settings.network.max_connection_creation_rate, settings))
        if delay_ms:
            self._warn("connections come faster than max.connection.creation.rate; new clients wait")
        return delay_ms

    def is_protected(self, listener: str) -> bool:
        """Whether this is the inter-broker listener, and there are others for clients."""
        settings = self._settings.now
        return len(settings.broker_listeners) > 1 and listener == settings.inter_broker_listener_name

    def is_beyond_max(self) -> bool:
        """Whether there are more than max.connections: the protected listener may exceed it; close another's."""
        return self._count > self._settings.now.network.max_connections

    def admits(self, host: str) -> bool:
        """Whether max.connections.per.ip allows one more connection from this address."""
        allowed = self.host_limits.allowed(host)
        if allowed is None:
            allowed = self._settings.now.network.max_connections_per_ip
        if self._per_host[host] < allowed:
            return True
        self._complaints.warn(
            "refusing a connection from %s: it has %d, max.connections.per.ip is reached", host, allowed
        )
        return False

    def throttle_ms(self, host: str) -> int:
        """How long an accepted connection of this address must wait to be closed; 0: it may be served.

        Where connections come faster than its quota allows, Apache Kafka, too, accepts them and closes them late.
        """
        rates = self._quotas.connection_rates
        if rates is not self._rates_known:
            self._rates_known = rates
            self.host_rates.use({name: rate for name, rate in rates.items() if name is not None})
        if not rates:
            return 0
        rate = self.host_rates.allowed(host)
        if rate is None:
            rate = rates.get(None)
        throttle_ms = 0 if rate is None else self._quotas.connection_throttle_ms(host, rate)
        if throttle_ms:
            self._complaints.warn("refusing a connection from %s: they come faster than its quota allows", host)
        return throttle_ms

    def count_accepted(self, listener: str) -> None:
        """Count an accepted connection for the rates, even if it is closed at once."""
        settings = self._settings.now
        for name in (listener, _ALL):
            self._rates[name].record(self._clock.monotonic_ms(), **_windows(settings))

    def connected(self, listener: str, host: str) -> None:
        self._count += 1
        self._per_listener[listener] += 1
        self._per_host[host] += 1

    def disconnected(self, listener: str, host: str) -> None:
        self._count -= 1
        self._per_listener[listener] -= 1
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]

    def _rate_delay_ms(self, name: str, limit: int, settings: Settings) -> float:
        return self._rates[name].delay_ms(limit, self._clock.monotonic_ms(), **_windows(settings))

    def _full(self, reason: str) -> float:
        self._warn(f"{self._count} connections: {reason} is reached; new clients wait")
        return math.inf

    def _warn(self, line: str) -> None:
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._warned_ms >= FULL_WARNING_INTERVAL_MS:
            self._warned_ms = now_ms
            logger.warning("%s", line)


class _Windows(TypedDict):
    window_ms: float
    window_count: int


def _windows(settings: Settings) -> _Windows:
    quotas = settings.quotas
    return {"window_ms": quotas.quota_window_size_seconds * 1_000.0, "window_count": quotas.quota_window_num}
