"""Kafka's Uuid: 16 bytes on the wire, url-safe base64 without padding in text (KIP-516).

`Uuid` is `bytes` at run time, so reading one costs one slice and comparing or hashing one costs nothing extra.
Nothing checks the 16 at run time: make one with the functions here, or `Uuid(...)` of 16 bytes.
"""

import binascii
import os
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from random import Random

Uuid = NewType("Uuid", bytes)

ZERO_UUID = Uuid(bytes(16))
ONE_UUID = Uuid(bytes(15) + b"\x01")
"""Reserved: Apache Kafka never gives the ids 0 and 1 to a topic or directory."""


def random_uuid(random: "Random | None" = None) -> Uuid:
    """A version 4 UUID that is not reserved and whose text does not begin with `-`; by `random` when it is given.

    A leading dash would read as an option on a command line; Apache Kafka avoids it for the same reason.
    """
    while True:
        value = bytearray(os.urandom(16) if random is None else random.randbytes(16))
        value[6] = value[6] & 0x0F | 0x40
        value[8] = value[8] & 0x3F | 0x80
        if value[0] >> 2 != 62:  # 62 is `-` in the url-safe alphabet
            return Uuid(bytes(value))


def uuid_text(value: Uuid) -> str:
    """22 characters, as Kafka's tools print it."""
    return binascii.b2a_base64(value, newline=False).decode().translate(_TO_URL_SAFE).rstrip("=")


def parse_uuid(text: str) -> Uuid:
    """The inverse of `uuid_text`. Raises ValueError: not the text of 16 bytes."""
    if len(text) != 22 or not text.isascii() or any(character in text for character in "+/="):
        raise ValueError(f"not a Kafka uuid (22 characters of url-safe base64): {text!r}")
    try:
        value = binascii.a2b_base64(text.translate(_FROM_URL_SAFE) + "==", strict_mode=True)
    except binascii.Error:
        raise ValueError(f"not a Kafka uuid (22 characters of url-safe base64): {text!r}") from None
    return Uuid(value)


_TO_URL_SAFE = str.maketrans("+/", "-_")
_FROM_URL_SAFE = str.maketrans("-_", "+/")
