"""PEM: keys and certificates as text."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import Final, NamedTuple

_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\s*(.*?)-----END \1-----", re.DOTALL)
_LINE_LETTERS: Final = 64
PEM: Final = "PEM"
CERTIFICATE: Final = "CERTIFICATE"
PRIVATE_KEY: Final = "PRIVATE KEY"
ENCRYPTED_PRIVATE_KEY: Final = "ENCRYPTED PRIVATE KEY"


class MalformedPem(ValueError):
    """The text between BEGIN and END is not base64."""


class Block(NamedTuple):
    label: str
    content: bytes

    @property
    def text(self) -> str:
        return encode(self.label, self.content)


def blocks(text: str) -> list[Block]:
    """Everything between a BEGIN and its END. Raises MalformedPem."""
    found = []
    for match in _BLOCK.finditer(text):
        try:
            found.append(Block(match[1], b64decode("".join(match[2].split()), validate=True)))
        except binascii.Error as error:
            raise MalformedPem(f"what follows BEGIN {match[1]} is not base64: {error}") from None
    return found


def encode(label: str, content: bytes) -> str:
    base64 = binascii.b2a_base64(content, newline=False).decode("ascii")
    lines = [base64[start : start + _LINE_LETTERS] for start in range(0, len(base64), _LINE_LETTERS)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))
