"""Notices which clients are served, while there are any that may not reach the address they were told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_wire.api_keys import ApiKey

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.network.dispatch import Dispatcher, Unfinished
    from kafkapy.network.outbox import Outbox
    from kafkapy.told_clients import ToldClients

ASKING: Final = frozenset(
    {
        *(ApiKey.API_VERSIONS, ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE),
        *(ApiKey.METADATA, ApiKey.FIND_COORDINATOR),
        *(ApiKey.INIT_PRODUCER_ID, ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, ApiKey.PUSH_TELEMETRY),
    }
)
"""What clients send to their bootstrap address, too, before they connect to a broker by its advertised one."""


def watch_clients(dispatcher: Dispatcher, told: ToldClients) -> None:
    """Tell `told` of clients that ask for something else, as long as it watches any; otherwise requests cost nothing
    more.
    """
    watch = ClientWatch(dispatcher, told)
    told.on_watching = lambda is_watching: dispatcher.set_watch(watch if is_watching else None)


class ClientWatch:
    def __init__(self, dispatcher: Dispatcher, told: ToldClients) -> None:
        self._dispatcher = dispatcher
        self._told = told

    def answer(self, frame: memoryview, context: NodeContext, outbox: Outbox) -> Unfinished | None:
        api_key = int.from_bytes(frame[:2])
        unfinished = self._dispatcher.tapped(frame, context, outbox)  # which also reads the client id
        if api_key not in ASKING:
            self._told.served(context.client, context.client_id)
        return unfinished
