"""Whether requests are logged: while the level of their logger says so, which clients can change (KIP-412)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.loggers import Loggers
    from kafkapy.network.dispatch import Dispatcher
    from kafkapy.network.request_log import RequestLog

logger = logging.getLogger("kafkapy.requests")


def log_requests(dispatcher: Dispatcher, loggers: Loggers) -> Callable[[], None]:
    """Log every request to a dispatcher while debug lines are on. Returns what ends it, and gives levels back."""
    log: RequestLog | None = None

    def follow_level() -> None:
        nonlocal log
        is_wanted = logger.isEnabledFor(logging.DEBUG)
        if is_wanted and log is None:
            from kafkapy.network.request_log import RequestLog

            log = RequestLog(dispatcher)
            log.start()
        elif not is_wanted and log is not None:
            log.stop()
            log = None

    loggers.on_change = follow_level
    follow_level()
    return loggers.restore
