"""Exchanges in the order in which their requests came: looked through, counted, compared with what was expected."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from kafkapy.recording.selection import tests_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from typing import TypeAlias, Unpack

    from kafkapy.recording.exchange import Exchange
    from kafkapy.recording.selection import Filter

    Api: TypeAlias = str | int | Iterable[str | int] | None
    Expected: TypeAlias = str | Mapping[str, object]

SHOWN_MAX: Final = 40
"""Exchanges in the message of a failed assertion."""
CLIENTS_SHOWN_MAX: Final = 10


class NotRecorded(AssertionError):
    """What was expected is not in the recording; the message shows what is."""


class Exchanges(ABC):
    """What looks alike in a recording that still grows, and in one that was taken from another thread or process."""

    dropped: int
    """How many of the oldest exchanges were dropped."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def everything(self) -> list[Exchange]:
        """All that there are now, oldest first."""

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self.select())

    def select(self, api: Api = None, /, **given: Unpack[Filter]) -> list[Exchange]:
        """The exchanges that are meant, oldest first: of an API or several, by name or key, and of a `Filter`.

        Raises InvalidFilter.
        """
        tests = tests_of(api, given)
        return [exchange for exchange in self.everything() if all(test(exchange) for test in tests)]

    def count(self, api: Api = None, /, **given: Unpack[Filter]) -> int:
        """How many are meant. Raises InvalidFilter."""
        return len(self.select(api, **given))

    def last(self, api: Api = None, /, **given: Unpack[Filter]) -> Exchange:
        """The newest that is meant. Raises NotRecorded: there is none; InvalidFilter."""
        __tracebackhide__ = True
        found = self.select(api, **given)
        if not found:
            raise NotRecorded(f"no exchange {_described(api, given)} was recorded{self._summary(given)}")
        return found[-1]

    def by_client(self, api: Api = None, /, **given: Unpack[Filter]) -> dict[str | None, list[Exchange]]:
        """The same exchanges as `select` finds, by client id. Raises InvalidFilter."""
        clients: dict[str | None, list[Exchange]] = {}
        for exchange in self.select(api, **given):
            clients.setdefault(exchange.client_id, []).append(exchange)
        return clients

    def assert_sequence(self, *expected: Expected, exactly: bool = False, **given: Unpack[Filter]) -> list[Exchange]:
        """These came in this order: each an API's name, or a filter with `api` in it. Returns them.

        Others may come between, unless `exactly`; `given` says which are looked at.
        Raises NotRecorded: they did not; InvalidFilter.
        """
        __tracebackhide__ = True  # a report of pytest shows the test and not this
        steps = [(step, _tests_of_step(step)) for step in expected]
        exchanges = self.select(None, **given)
        if expected and not exchanges:
            raise NotRecorded(f"no exchange {_described(None, given)} was recorded{self._summary(given)}")
        found: list[int] = []
        position = 0
        for step, tests in steps:
            while position < len(exchanges) and not all(test(exchanges[position]) for test in tests):
                if exactly:
                    raise NotRecorded(_unlike(step, tests, exchanges, found, position, self.dropped))
                position += 1
            if position == len(exchanges):
                raise NotRecorded(_unlike(step, tests, exchanges, found, position, self.dropped))
            found.append(position)
            position += 1
        if exactly and position < len(exchanges):
            raise NotRecorded(_unlike("nothing more", [], exchanges, found, position, self.dropped))
        return [exchanges[position] for position in found]

    def timeline(self, api: Api = None, /, **given: Unpack[Filter]) -> str:
        """A line for each exchange that is meant, after one that says how many older ones were dropped."""
        lines = [str(exchange) for exchange in self.select(api, **given)]
        if self.dropped:
            lines.insert(0, f"({self.dropped} older exchanges were dropped)")
        return "\n".join(lines)

    def write_json_lines(self, path: str | PathLike[str], api: Api = None, /, **given: Unpack[Filter]) -> int:
        """Write the exchanges that are meant to a file, a line of JSON each. From it they can be sent again.

        Returns their number. Raises InvalidFilter; OSError.
        """
        from kafkapy.recording.session import write_json_lines

        return write_json_lines(self.select(api, **given), path)

    def write_pcapng(self, path: str | PathLike[str], api: Api = None, /, **given: Unpack[Filter]) -> int:
        """Write the exchanges that are meant as a capture for Wireshark, whose Kafka dissector reads it.

        Returns the number of its packets. Raises InvalidFilter; OSError.
        """
        from kafkapy.recording.pcapng import write_pcapng

        return write_pcapng(self.select(api, **given), path)

    def _summary(self, given: Mapping[str, object]) -> str:
        exchanges = self.select()
        counts = Counter(exchange.api for exchange in exchanges)
        told = ", ".join(f"{number} {api}" for api, number in counts.most_common()) or "nothing"
        dropped = f"; {self.dropped} older exchanges were dropped" if self.dropped else ""
        clients = sorted({str(exchange.client_id) for exchange in exchanges}) if "client" in given else []
        of_clients = f", of {', '.join(map(repr, clients[:CLIENTS_SHOWN_MAX]))}" if clients else ""
        return f": there is {told}{of_clients}{dropped}"


def _tests_of_step(step: Expected) -> list[Callable[[Exchange], bool]]:
    if isinstance(step, str):
        return tests_of(step, {})
    given = dict(step)
    api = given.pop("api", None)
    return tests_of(api, given)  # type: ignore[arg-type]  # which refuses what is none


def _described(api: Api, given: Mapping[str, object]) -> str:
    words = [] if api is None else [f"of {api if isinstance(api, str | int) else ', '.join(map(str, api))}"]
    words += [f"with {name} {value!r}" for name, value in given.items()]
    return " ".join(words) or "at all"


def _unlike(
    step: object,
    tests: list[Callable[[Exchange], bool]],
    exchanges: list[Exchange],
    found: list[int],
    position: int,
    dropped: int,
) -> str:
    """The message: which one was not found, and what was recorded. Numbers mark what was found; `>` marks where the
    next one was looked for in vain.
    """
    wanted = step if isinstance(step, str) else ", ".join(f"{name}={value!r}" for name, value in dict(step).items())  # type: ignore[call-overload]
    marks = {place: str(number) for number, place in enumerate(found, 1)}
    marks[position] = ">"
    width = len(str(len(found)))
    begin = max(0, min(position, len(exchanges)) - SHOWN_MAX // 2)
    shown = exchanges[begin : begin + SHOWN_MAX]
    lines = [f"{marks.get(begin + i, ''):{width}} {exchange}" for i, exchange in enumerate(shown)]
    if position >= len(exchanges):
        lines.append(f"{'>':{width}} (the end)")
    if begin or dropped:
        lines.insert(0, f"{'':{width}} ({begin} earlier ones are not shown, {dropped} were dropped)")
    after = f" after number {len(found)}" if found else ""
    earlier = 0
    if tests and found:
        free = [exchange for place, exchange in enumerate(exchanges[: found[-1]]) if place not in marks]
        earlier = sum(all(test(exchange) for test in tests) for exchange in free)
    before = f" (but {'once' if earlier == 1 else f'{earlier} times'} before it)" if earlier else ""
    head = f"number {len(found) + 1} of what was expected, {wanted}, was not recorded there{after}{before}:"
    return "\n".join([head, *lines])


class Recorded(Exchanges):
    """Exchanges that were taken out of a recording."""

    def __init__(self, exchanges: Iterable[Exchange], dropped: int = 0) -> None:
        self.dropped = dropped
        self._exchanges = list(exchanges)

    def __len__(self) -> int:
        return len(self._exchanges)

    def everything(self) -> list[Exchange]:
        return list(self._exchanges)
