"""Every scenario, by its kind. A new kind is a module with `SCENARIOS`, and a name here."""

from __future__ import annotations

from tests.attack.scenarios import clients, compressed, groups, handshakes, logins, long_requests, rights

__all__ = ["ALL"]

ALL = [
    *long_requests.SCENARIOS,
    *compressed.SCENARIOS,
    *clients.SCENARIOS,
    *groups.SCENARIOS,
    *handshakes.SCENARIOS,
    *logins.SCENARIOS,
    *rights.SCENARIOS,
]
