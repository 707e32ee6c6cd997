"""The voters and the bootstrap servers of a quorum, as settings name them. Imported only where there are any."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from kafkapy.settings.errors import SettingsError, shortened
from kafkapy.settings.listeners import BOOTSTRAP_SERVERS, NOT_ROUTABLE, VOTERS
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

_ADDRESS = re.compile(r"\[?(?P<host>[0-9a-zA-Z\-%._:]+?)\]?:(?P<port>\d+)")


class HostPort(NamedTuple):
    """Where a controller is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class QuorumVoter(NamedTuple):
    """A controller that votes in a static quorum (kraft.version 0), and where it is."""

    node_id: int
    host: str
    port: int


def parse_voters(entries: Iterable[str]) -> tuple[QuorumVoter, ...]:
    """`id@host:port` each -> the voters; of two entries with one id the last counts. Raises SettingsError."""
    voters: dict[int, QuorumVoter] = {}
    for entry in entries:
        id_text, _, address = entry.partition("@")
        node_id = parse_integer(id_text, 0, INT32_MAX)
        if node_id is None:
            raise SettingsError(f"Failed to parse voter ID as an integer from {shortened(id_text)}", VOTERS)
        host, port = _parse_address(address, entry, VOTERS, "{id}@{host}:{port}")
        voters[node_id] = QuorumVoter(node_id, host, port)
    return tuple(voters.values())


def parse_bootstrap_servers(entries: Iterable[str]) -> tuple[HostPort, ...]:
    """`host:port` each. Raises SettingsError."""
    return tuple(dict.fromkeys(_parse_address(one, one, BOOTSTRAP_SERVERS, "{host}:{port}") for one in entries))


def _parse_address(text: str, entry: str, setting: str, form: str) -> HostPort:
    match = _ADDRESS.fullmatch(text.rpartition("://")[2])
    if match is None:
        raise SettingsError(
            f"Failed to parse host name from entry {shortened(entry)} for the configuration {setting}. Each entry "
            f"should be in the form `{form}`.",
            setting,
        )
    port = parse_integer(match["port"], 0, 65_535)
    if port is None:
        raise SettingsError(f"{setting}: the port of {shortened(entry)} is out of range (0-65535)", setting)
    if match["host"] in NOT_ROUTABLE:
        raise SettingsError(
            f"{setting}: Host string ({match['host']}) is not routeable; write the address at which the other nodes "
            "find that controller",
            setting,
        )
    return HostPort(match["host"], port)
