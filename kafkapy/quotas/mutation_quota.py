"""What one request may change of controller_mutation_rate (KIP-599).

From the version on that knows THROTTLING_QUOTA_EXCEEDED a topic is refused while the client owes tokens. Older clients
get what they ask for, and wait afterwards.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from kafkapy.quotas.client_quotas import CONTROLLER_MUTATION_RATE
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from kafkapy.quotas.client_quotas import ClientQuotas
    from kafkapy.security.principal import KafkaPrincipal


class MutationQuota:
    """Of one request. Its topics are charged once, however often the decision is made."""

    def __init__(
        self, quotas: ClientQuotas, principal: KafkaPrincipal, client_id: str | None, *, is_strict: bool
    ) -> None:
        self._quotas = quotas
        self._who = principal, client_id
        self._is_strict = is_strict
        self._charged: set[str] = set()
        self._wait_ms = 0
        self._since_ms = 0.0

    @property
    def throttle_ms(self) -> int:
        """How long the client must wait from now on."""
        return max(0, self._wait_ms - floor(self._quotas.now_ms - self._since_ms))

    def charge(self, topic: str, partition_count: int) -> None:
        """Partitions of a topic are made or deleted. Raises KafkaError THROTTLING_QUOTA_EXCEEDED."""
        if topic in self._charged:
            return
        if not self._is_strict:
            self._quotas.record_mutations(*self._who, partition_count)
        throttle_ms = self._quotas.mutation_throttle_ms(*self._who)
        if throttle_ms:
            self._wait_ms, self._since_ms = throttle_ms, self._quotas.now_ms
            if self._is_strict:
                raise KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED)
        elif self._is_strict:
            self._quotas.record_mutations(*self._who, partition_count)
        self._charged.add(topic)


def mutation_quota(
    quotas: ClientQuotas, principal: KafkaPrincipal, client_id: str | None, *, is_strict: bool
) -> MutationQuota | None:
    """None: nobody has such a quota."""
    if not quotas.has(CONTROLLER_MUTATION_RATE):
        return None
    return MutationQuota(quotas, principal, client_id, is_strict=is_strict)
