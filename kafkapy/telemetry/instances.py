"""What is known of one client that takes part in KIP-714, and whether its next request comes too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google_crc32c import value as crc32c

from kafkapy_wire.errors import ErrorCode

if TYPE_CHECKING:
    from kafkapy.telemetry.subscriptions import Asked
    from kafkapy_wire.uuid import Uuid

_NEVER_MS = 0


class ClientInstance:
    """A client, by the id that it was given; it is made anew when subscriptions change, which lets it ask at once."""

    __slots__ = (
        "_last_get_ms",
        "_last_push_ms",
        "asked",
        "client_instance_id",
        "expires_at_ms",
        "is_terminating",
        "last_error",
        "subscription_id",
        "subscriptions_version",
    )

    def __init__(
        self,
        client_instance_id: Uuid,
        asked: Asked,
        subscriptions_version: int,
    ) -> None:
        self.client_instance_id = client_instance_id
        self.asked = asked
        self.subscriptions_version = subscriptions_version
        self.subscription_id = subscription_id(asked, client_instance_id)
        self.is_terminating = False
        """Whether it has said that its last push was the last one."""
        self.last_error = ErrorCode.NONE
        self.expires_at_ms = 0
        self._last_get_ms = _NEVER_MS
        self._last_push_ms = _NEVER_MS

    def may_get(self, now_ms: int) -> bool:
        """Whether it is time for GetTelemetrySubscriptions; if so, it has come now."""
        if now_ms - max(self._last_get_ms, self._last_push_ms) < self.asked.push_interval_ms:
            return False
        self._last_get_ms = now_ms
        return True

    def may_push(self, now_ms: int) -> bool:
        """Whether it is time for a push, which the first one after a GetTelemetrySubscriptions always has."""
        if self._last_get_ms <= self._last_push_ms and now_ms - self._last_push_ms < self.asked.push_interval_ms:
            return False
        self._last_push_ms = now_ms
        return True


def subscription_id(asked: Asked, client_instance_id: Uuid) -> int:
    """Tells whether a client was asked for the same before, at any broker: those of Apache Kafka compute it alike."""
    text = f"[{', '.join(asked.metrics)}]{asked.push_interval_ms}"
    both = int.from_bytes(client_instance_id[:8]) ^ int.from_bytes(client_instance_id[8:])
    number: int = (crc32c(text.encode()) ^ both >> 32 ^ both) & 0xFFFFFFFF
    return number - (number >> 31 << 32)
