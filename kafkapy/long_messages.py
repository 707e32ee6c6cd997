"""Large requests and long answers, decoded and encoded in turns of the event loop.

A request of a hundred thousand entries takes a tenth of a second to decode, its answer another one to encode. Both
codecs have a form that pauses (`kafkapy_wire.codec.decoder_in_steps`); work that takes longer than one turn
continues in a task that shares its turns with others. So does what frees such messages (`free_in_turns`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import trio

from kafkapy.turns import Turn, to_the_end
from kafkapy_wire.codec import decoder, decoder_in_steps, encoder, encoder_in_steps
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.message import Message, Struct

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

T = TypeVar("T")
M = TypeVar("M", bound=Message)

AT_ONCE_BYTES_MAX: Final = 16 * 1024
"""A request of so many bytes has a few thousand entries at most: a millisecond or two."""
ENTRIES_AT_ONCE_MAX: Final = 256
ELEMENTS_MAX: Final = 100_000
"""Of all arrays of a request together. A broker is said to hold 4,000 partitions, and a client names each of them once
at most. More are no request but an attack on the broker's memory: a hundred megabytes, as large as a request may be,
could be 50 million elements, which take several gigabytes."""
FREED_AT_ONCE: Final = 64


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


async def decoded(
    cls: type[M], data: memoryview, position: int, version: int, *, elements_max: int = ELEMENTS_MAX
) -> M:
    """The message that `data` has from `position` to its end.

    Raises MalformedMessage: it is none, or a long one with more than `elements_max` elements.
    """
    message: M
    if len(data) - position <= AT_ONCE_BYTES_MAX:
        message, end = decoder(cls, version)(data, position)
    else:
        message, end = await to_the_end(decoder_in_steps(cls, version)(data, position, elements_max))
    if end != len(data):
        raise MalformedMessage(f"{cls.__name__} v{version}: {len(data) - end} bytes after the message's end")
    return message


async def encoded(message: Message, version: int) -> bytearray:
    """The bytes of a message without records."""
    out = bytearray()
    if has_many_entries(message):
        await to_the_end(encoder_in_steps(type(message), version)(message, out, None))
    else:
        encoder(type(message), version)(message, out, None)
    return out


class EncodedAnswer:
    """The bytes of a response, and the records among them that are not bytes-like (see `codec.encode_segments`)."""

    __slots__ = ("data", "ranges")

    def __init__(self) -> None:
        self.data = bytearray()
        self.ranges: list[tuple[int, object]] = []


def has_many_entries(response: Message) -> bool:
    """Whether its arrays have so many entries, all together, that encoding it takes a while."""
    count = 0
    unread: list[object] = [response]
    while unread:
        struct = unread.pop()
        for name in _names_of_parts(struct):
            inner = getattr(struct, name)
            if isinstance(inner, list):
                count += len(inner)
                if count > ENTRIES_AT_ONCE_MAX:
                    return True
                unread += inner
            else:
                unread.append(inner)
    return False


def free_in_turns(message: Message) -> None:
    """Let a message go that is not needed any more: its entries are freed in turns, in a task of the background.

    Its last reference frees all of them in one go, which takes a quarter of a microsecond for each and more.
    """
    trio.lowlevel.spawn_system_task(_free, [message])


async def _free(last_reference: list[Message]) -> None:
    """Hold each part by itself, the outer ones first: when a struct goes, its array goes, but not the entries."""
    parts = await to_the_end(_all_parts(last_reference.pop()))
    parts.reverse()
    turn = Turn()
    while parts:
        del parts[-FREED_AT_ONCE:]
        await turn.share()


def _all_parts(message: Message) -> Generator[None, None, list[object]]:
    """All entries of all arrays, and all nested structs; a struct comes before what it has."""
    parts: list[object] = [message]
    unread: list[Sequence[object]] = [parts[:]]
    while unread:
        for number, struct in enumerate(unread.pop()):
            for name in _names_of_parts(struct):
                inner = getattr(struct, name)
                inner = inner if isinstance(inner, list) else [inner]
                if inner:
                    parts += inner
                    if _names_of_parts(inner[0]):
                        unread.append(inner)
            if not number % FREED_AT_ONCE:
                yield
    return parts


def _names_of_parts(of: object) -> tuple[str, ...]:
    """The fields that are arrays or structs; none of what is no struct."""
    names = _names_of_class.get(of.__class__)
    if names is None:
        fields = of.__fields__ if isinstance(of, Struct) else ()
        names = tuple(described.name for described in fields if isinstance(described.kind, (list, type)))
        _names_of_class[of.__class__] = names
    return names


_names_of_class: Final[dict[type, tuple[str, ...]]] = {}
