"""What clients have used of their quotas, and how long they must wait for that."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from kafkapy.quotas.quota_table import QuotaTable, Share, usable
from kafkapy.quotas.sampled_rate import SampledRate, Windows
from kafkapy.quotas.token_bucket import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.clock import Clock
    from kafkapy.security.principal import KafkaPrincipal
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage

PRODUCER_BYTE_RATE: Final = "producer_byte_rate"
CONSUMER_BYTE_RATE: Final = "consumer_byte_rate"
REQUEST_PERCENTAGE: Final = "request_percentage"
CONTROLLER_MUTATION_RATE: Final = "controller_mutation_rate"
CONNECTION_CREATION_RATE: Final = "connection_creation_rate"
IP: Final = "ip"
RATES: Final = (PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE)

UNUSED_MS: Final = 3_600_000.0
"""What was not used for so long is forgotten, as in Apache Kafka."""
USES_MAX: Final = 100_000
"""Whoever uses a quota under ever new client ids pays with those that were used longest ago: 50 MB."""
CLIENT_ID_CHARACTERS_MAX: Final = 300
"""Of a longer one, which may have 32 kB, a digest is kept."""


class _Use:
    """What one share has used of one quota."""

    __slots__ = ("bucket", "last_ms", "rate")

    def __init__(self) -> None:
        self.rate = SampledRate()
        self.bucket = TokenBucket()
        self.last_ms = 0.0


class ClientQuotas:
    """The quotas of the metadata image, and their use at this node."""

    def __init__(self, settings: CurrentSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._quotas: object = None
        self._tables: dict[str, QuotaTable] = {}
        self._uses: dict[tuple[str, Share], _Use] = {}  # that used longest ago first
        self.connection_rates: Mapping[str | None, float] = {}
        """connection_creation_rate of addresses and host names; None: of all others."""
        self.bounds_fetches = False
        """Whether anybody has a quota of consumer_byte_rate."""

    def follow_metadata(self, image: MetadataImage, _delta: MetadataDelta) -> None:
        """A new image is published."""
        self.load(image)

    def load(self, image: MetadataImage) -> None:
        """The quotas are those of this image."""
        if image.client_quotas is self._quotas:
            return
        self._quotas = image.client_quotas
        tables = {key: QuotaTable(key, image.client_quotas) for key in (*RATES, CONTROLLER_MUTATION_RATE)}
        self._tables = {key: table for key, table in tables.items() if table}
        self.bounds_fetches = CONSUMER_BYTE_RATE in self._tables
        rates = {
            name: usable(values[CONNECTION_CREATION_RATE])
            for entity, values in image.client_quotas.items()
            for kind, name in entity
            if kind == IP and CONNECTION_CREATION_RATE in values
        }
        if rates != self.connection_rates:
            self.connection_rates = rates
        if not self._tables and not rates:
            self._uses = {}

    def has(self, key: str) -> bool:
        """Whether anybody has a quota of this key."""
        return key in self._tables

    @property
    def now_ms(self) -> float:
        """What the clock shows by which they are measured."""
        return self._clock.monotonic_ms()

    @property
    def are_any(self) -> bool:
        """Whether anybody has a quota."""
        return bool(self._tables)

    def record(self, key: str, principal: KafkaPrincipal, client_id: str | None, value: float) -> int:
        """So much was used. Returns how many milliseconds the client must wait."""
        return self._record(key, principal, client_id, value, is_checked=True)

    def take_back(self, key: str, principal: KafkaPrincipal, client_id: str | None, value: float) -> None:
        """What was recorded was not used after all."""
        self._record(key, principal, client_id, -value, is_checked=False)

    def most(self, key: str, principal: KafkaPrincipal, client_id: str | None) -> float | None:
        """How much may be used in all windows but the present one; None: there is no bound."""
        found = self._find(key, principal, client_id)
        if found is None:
            return None
        windows = self._windows()
        return found[1] * (windows.number - 1) * (windows.ms / 1_000)

    def connection_throttle_ms(self, host: str, bound: float) -> int:
        """One more connection from this address. Returns how long it must wait, and does not count it then."""
        now_ms, windows = self._clock.monotonic_ms(), self._windows()
        rate = self._use(CONNECTION_CREATION_RATE, Share(host, None), now_ms).rate
        rate.record(1, now_ms, windows)
        throttle_ms = min(rate.throttle_ms(bound, now_ms, windows), windows.number * windows.ms)
        if throttle_ms:
            rate.record(-1, now_ms, windows)
        return throttle_ms

    def mutation_throttle_ms(self, principal: KafkaPrincipal, client_id: str | None) -> int:
        """How long until the client may make or delete partitions again; 0: it may now."""
        found = self._find(CONTROLLER_MUTATION_RATE, principal, client_id)
        if found is None:
            return 0
        now_ms = self._clock.monotonic_ms()
        use = self._use(CONTROLLER_MUTATION_RATE, found[0], now_ms)
        return use.bucket.throttle_ms(found[1], now_ms, self._mutation_windows())

    def record_mutations(self, principal: KafkaPrincipal, client_id: str | None, count: float) -> None:
        """So many partitions are made or deleted."""
        found = self._find(CONTROLLER_MUTATION_RATE, principal, client_id)
        if found is not None:
            now_ms = self._clock.monotonic_ms()
            use = self._use(CONTROLLER_MUTATION_RATE, found[0], now_ms)
            use.bucket.take(count, found[1], now_ms, self._mutation_windows())

    def _record(
        self, key: str, principal: KafkaPrincipal, client_id: str | None, value: float, *, is_checked: bool
    ) -> int:
        found = self._find(key, principal, client_id)
        if found is None:
            return 0
        share, bound = found
        now_ms, windows = self._clock.monotonic_ms(), self._windows()
        rate = self._use(key, share, now_ms).rate
        rate.record(value, now_ms, windows)
        if not is_checked:
            return 0
        throttle_ms = rate.throttle_ms(bound, now_ms, windows)
        return min(throttle_ms, windows.ms) if key == REQUEST_PERCENTAGE else throttle_ms

    def _find(self, key: str, principal: KafkaPrincipal, client_id: str | None) -> tuple[Share, float] | None:
        table = self._tables.get(key)
        return None if table is None else table.find(principal.name, client_id or "")

    def _use(self, key: str, share: Share, now_ms: float) -> _Use:
        uses = self._uses
        client_id = share.client_id
        if client_id is not None and len(client_id) > CLIENT_ID_CHARACTERS_MAX:
            share = Share(share.user, sha256(client_id.encode("utf-8", "surrogatepass")).hexdigest())
        use = uses.pop((key, share), None)
        if use is None or now_ms - use.last_ms > UNUSED_MS:
            use = _Use()
            oldest = next(iter(uses), None)
            while oldest is not None and (len(uses) >= USES_MAX or now_ms - uses[oldest].last_ms > UNUSED_MS):
                del uses[oldest]
                oldest = next(iter(uses), None)
        uses[key, share] = use
        use.last_ms = now_ms
        return use

    def _windows(self) -> Windows:
        quotas = self._settings.now.quotas
        return Windows(quotas.quota_window_num, quotas.quota_window_size_seconds * 1_000)

    def _mutation_windows(self) -> Windows:
        quotas = self._settings.now.quotas
        return Windows(quotas.controller_quota_window_num, quotas.controller_quota_window_size_seconds * 1_000)
