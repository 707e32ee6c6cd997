"""Addresses of clients as Java writes them, which is how ACLs must have them: IPv6 with all its zeros."""

from __future__ import annotations

import socket
from functools import lru_cache

IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"


@lru_cache(maxsize=10_000)
def java_host(address: str) -> str:
    """`0:0:0:0:0:0:0:1` for `::1`; an IPv4 address within an IPv6 one by itself."""
    if ":" not in address:
        return address
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    if packed.startswith(IPV4_IN_IPV6):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return ":".join(f"{int.from_bytes(packed[at : at + 2], 'big'):x}" for at in range(0, 16, 2))
