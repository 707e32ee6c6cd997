"""DER, as far as certificates and keys need it: a walk over tags and lengths.

Everything is checked against the bytes that are there: what a peer sends cannot make it read or allocate more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTC_TIME: Final = 0x17
SEQUENCE: Final = 0x30
SET: Final = 0x31
_LENGTH_BYTES_MAX: Final = 4
_LONG_FORM: Final = 0x80
_HIGH_TAG: Final = 0x1F


class MalformedDer(ValueError):
    """These bytes are not the DER that they should be."""


class Element(NamedTuple):
    """One value: `data[start:end]` is its content, `data[head:end]` all of it."""

    data: bytes
    tag: int
    head: int
    start: int
    end: int

    @property
    def content(self) -> bytes:
        return self.data[self.start : self.end]

    @property
    def whole(self) -> bytes:
        return self.data[self.head : self.end]

    def children(self) -> list[Element]:
        """The values inside. Raises MalformedDer."""
        found = []
        position = self.start
        while position < self.end:
            child = _element(self.data, position, self.end)
            found.append(child)
            position = child.end
        return found


def parse(data: bytes) -> Element:
    """The one value that `data` is. Raises MalformedDer."""
    element = _element(data, 0, len(data))
    if element.end != len(data):
        raise MalformedDer(f"{len(data) - element.end} bytes follow the value")
    return element


def object_identifier(content: bytes) -> str:
    """`2.5.4.3`. Raises MalformedDer."""
    numbers: list[int] = []
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & _LONG_FORM:
            numbers.append(number)
            number = 0
    if not numbers or content[-1] & _LONG_FORM:
        raise MalformedDer("an object identifier ends early")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def encoded(tag: int, *contents: bytes) -> bytes:
    """A value with these contents, one after the other."""
    content = b"".join(contents)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def _element(data: bytes, head: int, limit: int) -> Element:
    if head + 2 > limit:
        raise MalformedDer("a value ends early")
    tag, length = data[head], data[head + 1]
    start = head + 2
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise MalformedDer("a tag has more than one byte")
    if length & _LONG_FORM:
        count = length & ~_LONG_FORM
        if not 0 < count <= _LENGTH_BYTES_MAX or start + count > limit:
            raise MalformedDer("the length of a value is not valid")
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > limit:
        raise MalformedDer("a value is longer than what holds it")
    return Element(data, tag, head, start, start + length)
