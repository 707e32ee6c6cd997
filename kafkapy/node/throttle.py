"""Clients are measured and throttled as long as there are quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.broker import Broker
    from kafkapy.context import Client
    from kafkapy.network.connection import Connection
    from kafkapy.network.dispatch import Dispatcher
    from kafkapy.network.throttling import Throttling


def throttle(dispatcher: Dispatcher, broker: Broker, connection_of: Callable[[Client], Connection | None]) -> None:
    """From now on those of the dispatcher. Without quotas nothing is measured, and nothing imported."""
    throttling: Throttling | None = None

    def look(*_: object) -> None:
        nonlocal throttling
        if broker.quotas.are_any:
            if throttling is None:
                from kafkapy.network.throttling import Throttling

                throttling = Throttling(dispatcher, broker.quotas, broker.fetch_sessions, connection_of)
            throttling.begin()
        elif throttling is not None:
            throttling.end()

    look()
    broker.metadata.subscribe(look)
