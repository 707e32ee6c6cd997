"""A record without an offset (`NewRecord`), and one with its offset (`Record`).

```
length varint | attributes i8 (0) | timestamp delta varlong | offset delta varint |
key length varint, -1 null | key | value length varint, -1 null | value |
header count varint | each: key length varint | key, UTF-8 | value length varint, -1 null | value
```
"""

from collections.abc import Sequence

Headers = Sequence[tuple[str, bytes | None]]
"""A key may come several times. Bytes of it that are not UTF-8 are kept as surrogate escapes: Kafka stores them too."""


class NewRecord:
    """A record to be put in a batch. `timestamp` in ms since the epoch; None as key or value is Kafka's null."""

    __slots__ = ("headers", "key", "timestamp", "value")

    def __init__(self, timestamp: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers

    def __repr__(self) -> str:
        return f"NewRecord({self.timestamp}, {self.key!r}, {self.value!r}, {self.headers!r})"


class Record:
    """A record of a batch, with its offset in the log."""

    __slots__ = ("headers", "key", "offset", "timestamp", "value")

    def __init__(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
    ) -> None:
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return (self.offset, self.timestamp, self.key, self.value, self.headers) == (
            other.offset,
            other.timestamp,
            other.key,
            other.value,
            other.headers,
        )

    __hash__ = None  # type: ignore[assignment]  # mutable, as lists are

    def __repr__(self) -> str:
        return f"Record({self.offset}, {self.timestamp}, {self.key!r}, {self.value!r}, {self.headers!r})"
