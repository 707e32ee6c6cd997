"""Where a node listens, and what it tells clients about it: `listeners`, `advertised.listeners` and the protocol map.

The rules and the messages are those of Apache Kafka's SocketServer settings. Beyond Kafka, an empty element of a list
(a trailing comma) is passed over, and a listener called CONTROLLER needs no entry in the protocol map.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kafkapy.settings.errors import SettingsError

SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
DEFAULT_PROTOCOL_MAP: Mapping[str, str] = {name: name for name in SECURITY_PROTOCOLS}

_LISTENER = re.compile(
    r"(?P<name>.*)://(?:\[(?P<ipv6>[0-9a-zA-Z\-%._:]*)\]|(?P<host>[0-9a-zA-Z\-%._]*)):(?P<port>-?\d+)"
)
_EVERY_INTERFACE = ("0.0.0.0", "::", "")


class Listener:
    """One endpoint. An empty `host` binds every interface; `port` 0 lets the system choose."""

    __slots__ = ("host", "name", "port", "security_protocol")

    def __init__(self, name: str, host: str, port: int, security_protocol: str) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.security_protocol = security_protocol

    def with_port(self, port: int) -> Listener:
        return Listener(self.name, self.host, port, self.security_protocol)

    def reachable(self) -> Listener:
        """What to advertise where nothing was given: this, without a host when it binds every interface."""
        return Listener(self.name, "", self.port, self.security_protocol) if self.host in _EVERY_INTERFACE else self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listener) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, str, int, str]:
        return (self.name, self.host, self.port, self.security_protocol)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"Listener({str(self)!r}, {self.security_protocol})"


def listeners_text(listeners: Iterable[Listener]) -> str:
    """As in a properties file."""
    return ",".join(map(str, listeners))


def parse_protocol_map(text: str, setting: str = "listener.security.protocol.map") -> dict[str, str]:
    """`A:PLAINTEXT,B:SSL` -> listener name -> security protocol, both in capitals; the last of two A wins."""
    protocols: dict[str, str] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        name, colon, protocol = entry.rpartition(":")
        protocol = protocol.strip().upper()
        if not colon:
            raise SettingsError(f"Error parsing configuration property '{setting}': {entry} is not NAME:PROTOCOL")
        if protocol not in SECURITY_PROTOCOLS:
            raise SettingsError(f"Invalid security protocol `{protocol}` defined in {setting}")
        protocols[name.strip().upper()] = protocol
    return protocols


def parse_listeners(setting: str, elements: Iterable[str], protocols: Mapping[str, str]) -> tuple[Listener, ...]:
    """Raises SettingsError: no `name://host:port`, a name without a security protocol, a name used twice."""
    texts = [element.strip() for element in elements if element.strip()]
    if not texts:
        raise SettingsError(f"Configuration '{setting}' must not be empty. Valid values include: any non-empty value")
    shown = f"[{', '.join(texts)}]"
    listeners = tuple(_parse_listener(text, shown, protocols) for text in texts)
    if len({listener.name for listener in listeners}) < len(listeners):
        raise SettingsError(
            f"Error creating broker listeners from '{shown}': "
            f"Each listener must have a different name, {setting}: {shown}"
        )
    return listeners


def _parse_listener(text: str, shown: str, protocols: Mapping[str, str]) -> Listener:
    match = _LISTENER.fullmatch(text)
    if match is None:
        raise SettingsError(f"Unable to parse a listener name from {text}")
    name, port = match["name"].upper(), int(match["port"])
    if not -1 <= port <= 65_535:  # Kafka only fails when it binds
        raise SettingsError(f"Error creating broker listeners from '{shown}': {port} is not a port (0-65535)")
    protocol = protocols.get(name)
    if protocol is None:
        raise SettingsError(
            f"Error creating broker listeners from '{shown}': No security protocol defined for listener {name}"
        )
    host = match["ipv6"] if match["ipv6"] is not None else match["host"]
    return Listener(name, host, max(port, 0), protocol)


def check_ports(setting: str, listeners: Iterable[Listener]) -> None:
    """Ports must differ, but for 0 and for the IPv4 and the IPv6 address of one port (KIP-797)."""
    shown = f"[{', '.join(map(str, listeners))}]"
    by_port: dict[int, list[Listener]] = {}
    for listener in listeners:
        if listener.port:
            by_port.setdefault(listener.port, []).append(listener)
    for sharing in by_port.values():
        if len(sharing) > 2 or (len(sharing) == 2 and len({":" in one.host for one in sharing}) < 2):
            raise SettingsError(
                f"Error creating broker listeners from '{shown}': "
                f"Each listener must have a different port, {setting}: {shown}"
            )


def checked_advertised(
    advertised: tuple[Listener, ...], listeners: tuple[Listener, ...], controller_names: Iterable[str]
) -> tuple[Listener, ...]:
    """What clients are told, without the controllers' listeners. Raises SettingsError: they could not reach it."""
    for listener in advertised:
        if listener.host in ("0.0.0.0", "::"):
            raise SettingsError(
                f"advertised.listeners cannot use the nonroutable meta-address {listener.host}. "
                "Use a routable IP address."
            )
    names = {listener.name for listener in listeners}
    for listener in advertised:
        if listener.name not in names:
            raise SettingsError(
                "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. "
                f"Found {listener.name}. The valid options based on the current configuration are "
                f"{','.join(sorted(names))}"
            )
    return tuple(listener for listener in advertised if listener.name not in controller_names)


def check_inter_broker(name: str, protocols: Mapping[str, str], advertised: tuple[Listener, ...]) -> None:
    """`inter.broker.listener.name` must be a listener that is advertised. Raises SettingsError."""
    if name not in protocols:
        raise SettingsError(
            f"Listener with name {name} defined in inter.broker.listener.name not found in "
            "listener.security.protocol.map."
        )
    names = [listener.name for listener in advertised]
    if name not in names:
        raise SettingsError(
            "inter.broker.listener.name must be a listener name defined in advertised.listeners. "
            f"The valid options based on currently configured listeners are {','.join(names)}"
        )
