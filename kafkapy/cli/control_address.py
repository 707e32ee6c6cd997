"""Where the control API is, as its variables and options say."""

from __future__ import annotations

from typing import Final

CONTROL_VARIABLE: Final = "KAFKAPY_CONTROL"
TOKEN_VARIABLE: Final = "KAFKAPY_CONTROL_TOKEN"
PORT_MAX: Final = 65_535
PORT_DIGITS_MAX: Final = 5


def parse_address(text: str, default_host: str) -> tuple[str, int]:
    """(host, port) of `PORT`, `HOST:PORT`, `[::1]:PORT` or `http://HOST:PORT`. Raises ValueError."""
    host, colon, port = text.removeprefix("http://").removesuffix("/").rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    is_port = port.isascii() and port.isdecimal() and len(port) <= PORT_DIGITS_MAX and int(port) <= PORT_MAX
    if not is_port or (colon and not host) or "/" in host:
        raise ValueError(f"{text!r:.100} is no address: it is PORT, HOST:PORT or http://HOST:PORT")
    return host or default_host, int(port)
