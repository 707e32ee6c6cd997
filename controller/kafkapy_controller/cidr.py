"""Blocks of addresses in CIDR notation as hosts of ACLs: `10.0.0.0/8`, `fd00::/8`."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address

from kafkapy_wire.integer_text import INT32_MAX, parse_integer

_ADDRESS = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})", re.ASCII)
_BLOCK = re.compile(_ADDRESS.pattern + r"/(\d{1,2})", re.ASCII)
IPV4_BITS, IPV6_BITS = 32, 128


class Block:
    """All addresses that begin with the same `prefix_length` bits."""

    __slots__ = ("_first", "_is_ipv6", "_last")

    def __init__(self, address: int, prefix_length: int, *, is_ipv6: bool) -> None:
        host_bits = (IPV6_BITS if is_ipv6 else IPV4_BITS) - prefix_length
        self._is_ipv6 = is_ipv6
        self._first = address >> host_bits << host_bits
        self._last = self._first | (1 << host_bits) - 1

    def __contains__(self, host: str) -> bool:
        """`host`: an address as text; what is none is in no block."""
        try:
            address = _parse_ipv6(host) if self._is_ipv6 else _parse_ipv4(host)
        except ValueError:
            return False
        # Apache Kafka has 0.0.0.0 in no block.
        return self._first <= address <= self._last and (self._is_ipv6 or address != 0)


def parse_block(text: str) -> Block:
    """Raises ValueError with Apache Kafka's words: it is no block."""
    if ":" in text:
        return _parse_ipv6_block(text)
    match = _BLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"Could not parse [{text}]")
    *octets, prefix_length = map(int, match.groups())
    return Block(_of_octets(octets), _checked(prefix_length, IPV4_BITS), is_ipv6=False)


@lru_cache(maxsize=1_000)
def block_or_none(text: str) -> Block | None:
    """The block that `text` is; None if it is none."""
    try:
        return parse_block(text) if "/" in text else None
    except ValueError:
        return None


def _parse_ipv6_block(text: str) -> Block:
    address, slash, prefix = text.partition("/")
    if not slash:
        raise ValueError(f"Could not parse [{text}] - missing prefix length")
    prefix_length = parse_integer(prefix, -INT32_MAX - 1, INT32_MAX)
    if prefix_length is None:
        raise ValueError(f"Could not parse [{text}] - invalid prefix length")
    if not 0 <= prefix_length <= IPV6_BITS:
        raise ValueError(f"Could not parse [{text}] - prefix length must be between 0 and {IPV6_BITS}")
    return Block(_parse_ipv6(address), prefix_length, is_ipv6=True)


def _parse_ipv4(text: str) -> int:
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"Could not parse [{text}]")
    return _of_octets(list(map(int, match.groups())))


def _of_octets(octets: list[int]) -> int:
    return int.from_bytes(bytes([_checked(octet, 255) for octet in octets]), "big")


def _checked(value: int, highest: int) -> int:
    if value > highest:
        raise ValueError(f"Value [{value}] not in range [0,{highest}]")
    return value


def _parse_ipv6(text: str) -> int:
    try:
        address = IPv6Address(text.partition("%")[0])
    except ValueError:
        raise ValueError(f"Could not parse [{text}]") from None
    if address.ipv4_mapped is not None:
        raise ValueError(f"Could not parse [{text}] - not an IPv6 address")
    return int(address)
