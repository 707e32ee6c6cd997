"""Where a node listens, and what it tells clients about it: `listeners`, `advertised.listeners` and the protocol map.

The rules and the messages are those of Apache Kafka's SocketServer settings. Beyond Kafka, an empty element of a list
(a trailing comma) is passed over, and a listener called CONTROLLER needs no entry in the protocol map.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from kafkapy.settings.errors import SettingsError, shortened
from kafkapy_wire.integer_text import parse_integer

VOTERS = "controller.quorum.voters"
BOOTSTRAP_SERVERS = "controller.quorum.bootstrap.servers"
NOT_ROUTABLE = ("0.0.0.0", "::")
SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
DEFAULT_PROTOCOL_MAP: Mapping[str, str] = {name: name for name in SECURITY_PROTOCOLS}

_LISTENER = re.compile(
    r"(?P<name>.*)://(?:\[(?P<ipv6>[0-9a-zA-Z\-%._:]*)\]|(?P<host>[0-9a-zA-Z\-%._]*)):(?P<port>-?\d+)"
)
_EVERY_INTERFACE = (*NOT_ROUTABLE, "")


class Listener:
    """One endpoint. An empty `host` binds every interface; `port` 0 lets the system choose."""

    __slots__ = ("host", "name", "port", "security_protocol")

    def __init__(self, name: str, host: str, port: int, security_protocol: str) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.security_protocol = security_protocol

    @property
    def has_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def has_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    def with_port(self, port: int) -> Listener:
        return Listener(self.name, self.host, port, self.security_protocol)

    def with_host(self, host: str) -> Listener:
        return Listener(self.name, host, self.port, self.security_protocol)

    def reachable(self) -> Listener:
        """The listener to advertise if none was given: this one, without a host if it binds every interface."""
        return self.with_host("") if self.host in _EVERY_INTERFACE else self

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


def has_sasl(security_protocol: str) -> bool:
    return security_protocol.startswith("SASL_")


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
            raise SettingsError(
                f"Error parsing configuration property '{setting}': {entry} is not NAME:PROTOCOL", setting
            )
        if protocol not in SECURITY_PROTOCOLS:
            raise SettingsError(f"Invalid security protocol `{protocol}` defined in {setting}", setting)
        protocols[name.strip().upper()] = protocol
    return protocols


def parse_listeners(setting: str, elements: Iterable[str], protocols: Mapping[str, str]) -> tuple[Listener, ...]:
    """Raises SettingsError: not `name://host:port`, a name without a security protocol, or a name used twice."""
    texts = [element.strip() for element in elements if element.strip()]
    if not texts:
        raise SettingsError(
            f"Configuration '{setting}' must not be empty. Valid values include: any non-empty value", setting
        )
    shown = shortened(f"[{', '.join(texts)}]")
    listeners = tuple(_parse_listener(setting, text, shown, protocols) for text in texts)
    if len({listener.name for listener in listeners}) < len(listeners):
        raise SettingsError(
            f"Error creating broker listeners from '{shown}': "
            f"Each listener must have a different name, {setting}: {shown}",
            setting,
        )
    return listeners


def _parse_listener(setting: str, text: str, shown: str, protocols: Mapping[str, str]) -> Listener:
    match = _LISTENER.fullmatch(text)
    if match is None:
        raise SettingsError(f"Unable to parse a listener name from {shortened(text)}", setting)
    name, port = match["name"].upper(), parse_integer(match["port"], -1, 65_535)
    if port is None:  # Kafka only fails when it binds
        told = shortened(match["port"])
        raise SettingsError(f"Error creating broker listeners from '{shown}': {told} is not a port (0-65535)", setting)
    protocol = protocols.get(name)
    if protocol is None:
        raise SettingsError(
            f"Error creating broker listeners from '{shown}': No security protocol defined for listener {name}",
            setting,
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
                f"Each listener must have a different port, {setting}: {shown}",
                setting,
            )


def check_routable(advertised: Iterable[Listener]) -> None:
    """Raises SettingsError: nobody could connect to one of these."""
    for listener in advertised:
        if listener.host in NOT_ROUTABLE:
            raise SettingsError(
                f"advertised.listeners cannot use the nonroutable meta-address {listener.host}. "
                "Use a routable IP address.",
                "advertised.listeners",
            )


def check_advertised_names(advertised: Iterable[Listener], listeners: Iterable[Listener]) -> None:
    """What a broker advertises must be listeners. Raises SettingsError."""
    names = {listener.name for listener in listeners}
    for listener in advertised:
        if listener.name not in names:
            raise SettingsError(
                "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. "
                f"Found {listener.name}. The valid options based on the current configuration are "
                f"{','.join(sorted(names))}",
                "advertised.listeners",
            )


def check_inter_broker(name: str, protocols: Mapping[str, str], advertised: tuple[Listener, ...]) -> None:
    """`inter.broker.listener.name` must be a listener that is advertised. Raises SettingsError."""
    if name not in protocols:
        raise SettingsError(
            f"Listener with name {name} defined in inter.broker.listener.name not found in "
            "listener.security.protocol.map.",
            "inter.broker.listener.name",
        )
    names = [listener.name for listener in advertised]
    if name not in names:
        raise SettingsError(
            "inter.broker.listener.name must be a listener name defined in advertised.listeners. "
            f"The valid options based on currently configured listeners are {','.join(names)}",
            "inter.broker.listener.name",
        )


def with_address(text: str, wanted: Callable[[str], bool], *, host: str | None, port: int | None) -> tuple[str, str]:
    """(`text` of a list of listeners, with another address for the first that is `wanted` by its name; that name).

    A host or port of None is not changed. The name is empty if no listener is wanted or the text is invalid, which
    later checks report.
    """
    elements = text.split(",")
    for index, element in enumerate(elements):
        match = _LISTENER.fullmatch(element.strip())
        if match is not None and wanted(match["name"].upper()):
            own_host = f"[{match['ipv6']}]" if match["ipv6"] is not None else match["host"]
            new_host = own_host if host is None else f"[{host}]" if ":" in host else host
            elements[index] = f"{match['name']}://{new_host}:{match['port'] if port is None else port}"
            return ",".join(elements), match["name"].upper()
    return text, ""


# Hosts that connections are counted by

OVERRIDES = "max.connections.per.ip.overrides"
_HOST = re.compile(r"[0-9a-zA-Z\-%._:]*")  # what Apache Kafka takes for one
_LABEL_MAX, _NAME_MAX = 63, 253  # RFC 1035: no resolver takes more, and Python's raises UnicodeError
_INT_MAX = 2_147_483_647


def parse_counts_by_host(text: str) -> dict[str, int]:
    """`host:count,host:count` -> the connections that each host may have.

    Raises SettingsError: an entry is not `host:count`, or its host is neither a name nor an address.
    """
    counts: dict[str, int] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        host, colon, digits = entry.rpartition(":")
        count = parse_integer(digits.strip(), 0, _INT_MAX)
        if not colon or count is None:
            told = shortened(entry)
            raise SettingsError(
                f"Error parsing configuration property '{OVERRIDES}': {told} is not HOST:COUNT", OVERRIDES
            )
        counts[host.strip()] = count
    invalid = [host for host in counts if not _may_be_a_host(host)]
    if invalid:
        raise SettingsError(f"{OVERRIDES} contains invalid addresses : {shortened(','.join(invalid))}", OVERRIDES)
    return counts


def _may_be_a_host(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    return (
        _HOST.fullmatch(host) is not None
        and len(host) <= _NAME_MAX
        and all(0 < len(label) <= _LABEL_MAX for label in labels)
    )
