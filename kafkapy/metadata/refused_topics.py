"""Log lines about topics that clients ask for and that cannot be created: one a minute for each reason.

A client asks again every 0.1 to 1 second for a topic that it wants to write to.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from kafkapy.log_lines import shown, shown_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.clock import Clock

logger = logging.getLogger("kafkapy.apis.metadata")

PERIOD_MS: Final = 60_000
REASONS_MAX: Final = 20
"""In a period; what cannot be created for a further reason has no line."""
NAMES_MAX: Final = 3


class RefusedTopics:
    """The reasons that were told lately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_ms: dict[str, float] = {}  # oldest first

    def log(self, names: Sequence[str], client_id: str | None, reason: str) -> None:
        now_ms = self._clock.monotonic_ms()
        told_ms = self._told_ms
        while told_ms and now_ms - next(iter(told_ms.values())) >= PERIOD_MS:
            del told_ms[next(iter(told_ms))]
        reason = shown_reason(reason)
        if reason in told_ms or len(told_ms) >= REASONS_MAX:
            return
        told_ms[reason] = now_ms
        others = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
        logger.warning(
            "cannot create topics that client %r asks for (auto.create.topics.enable): %s%s: %s",
            shown(client_id or ""),
            ", ".join([shown(name) for name in names[:NAMES_MAX]]),
            others,
            reason,
        )
