"""Which quota a user with a client id has, and with whom it shares what it uses (KIP-55, KIP-546).

The first that exists counts: of the user with the client id, of the user with any client id, of the user; of any user
with the client id, of any user with any client id, of any user; of the client id, of any client id. What a user with a
client id uses is counted for both together, what a user uses for all its client ids, and likewise for a client id.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy_controller.image import QuotaEntity

USER: Final = "user"
CLIENT_ID: Final = "client-id"


UNBOUNDED: Final = 2.0**63
NEXT_TO_NOTHING: Final = 5e-324


def usable(bound: float) -> float:
    """A bound that can be reckoned with. Our controllers take no others, but Apache Kafka's take NaN, which bounds
    nothing there, and clusters that had ZooKeeper may have 0, which lets nothing through.
    """
    if bound <= 0:
        return NEXT_TO_NOTHING
    return bound if isfinite(bound) else UNBOUNDED


class Share(NamedTuple):
    """Who a quota is used by; None: whoever it is."""

    user: str | None
    client_id: str | None


class QuotaTable:
    """The quotas of one key, such as producer_byte_rate."""

    def __init__(self, key: str, quotas: Mapping[QuotaEntity, Mapping[str, float]]) -> None:
        """`quotas`: those of the metadata image; the name of an entity is None for the default."""
        self._of_both: dict[tuple[str | None, str | None], float] = {}
        self._of_users: dict[str | None, float] = {}
        self._of_clients: dict[str | None, float] = {}
        for entity, values in quotas.items():
            if (value := values.get(key)) is None:
                continue
            bound = usable(value)
            parts = dict(entity)
            if USER in parts and CLIENT_ID in parts:
                self._of_both[parts[USER], parts[CLIENT_ID]] = bound
            elif USER in parts:
                self._of_users[parts[USER]] = bound
            elif CLIENT_ID in parts:
                self._of_clients[parts[CLIENT_ID]] = bound

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._of_both or self._of_users or self._of_clients)

    def find(self, user: str, client_id: str) -> tuple[Share, float] | None:
        """Its quota, and by whom that is used; None: it may use as much as it wants. An empty `client_id` is none."""
        both, users = self._of_both, self._of_users
        clients = (client_id, None) if client_id else ()
        for name in (user, None):
            for client in clients:
                if (bound := both.get((name, client))) is not None:
                    return Share(user, client_id), bound
            if (bound := users.get(name)) is not None:
                return Share(user, None), bound
        for client in clients:
            if (bound := self._of_clients.get(client)) is not None:
                return Share(None, client_id), bound
        return None
