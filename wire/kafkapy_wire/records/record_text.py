"""Keys, values and header names of records as JSON and as text, whatever bytes they are."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy_wire.json_format import JsonValue


def json_bytes(data: bytes | None) -> JsonValue:
    """UTF-8 text as a string; other bytes as `{"base64": ...}`; null for null."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}


def header_name(name: str) -> str:
    """The name of a header as text; bytes of it that are not UTF-8 are replaced."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
