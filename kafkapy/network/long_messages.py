"""Large requests and long answers, decoded and encoded in turns of the event loop.

A request of a hundred thousand entries takes a tenth of a second to decode, its answer another one to encode. Both
codecs have a form that pauses (`kafkapy_wire.codec.decoder_in_steps`); work that takes longer than one turn
continues in a task that shares its turns with others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from kafkapy.turns import Turn
from kafkapy_wire.message import Struct

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from kafkapy_wire.message import Message

T = TypeVar("T")

AT_ONCE_BYTES_MAX: Final = 16 * 1024
"""A request of so many bytes has a few thousand entries at most: a millisecond or two."""
ENTRIES_AT_ONCE_MAX: Final = 64
ELEMENTS_MAX: Final = 100_000
"""Of all arrays of a request together. A broker is said to hold 4,000 partitions, and a client names each of them once
at most. More are no request but an attack on the broker's memory: a hundred megabytes, as large as a request may be,
could be 50 million elements, which take several gigabytes."""


def within_turn(steps: Generator[None, None, T], turn: Turn) -> T | None:
    """Run the generator for one turn. Returns its result; None if the turn was over before."""
    try:
        while True:
            next(steps)
            if turn.is_over:
                return None
    except StopIteration as end:
        value: T = end.value
        return value


class EncodedAnswer:
    """The bytes of a response, and the records among them that are not bytes-like (see `codec.encode_segments`)."""

    __slots__ = ("data", "ranges")

    def __init__(self) -> None:
        self.data = bytearray()
        self.ranges: list[tuple[int, object]] = []


def has_many_entries(response: Message) -> bool:
    """Whether an array of the response, or of one of its entries, is so long that encoding it takes a while."""
    return any(
        len(entries) > ENTRIES_AT_ONCE_MAX
        or any(len(inner) > ENTRIES_AT_ONCE_MAX for entry in entries for inner in _arrays(entry))
        for entries in _arrays(response)
    )


def _arrays(struct: object) -> Iterator[list[object]]:
    if isinstance(struct, Struct):
        for described in struct.__fields__:
            if isinstance(described.kind, list):
                entries = getattr(struct, described.name)
                if entries:
                    yield entries
