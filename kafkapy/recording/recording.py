"""What was recorded: looked through, counted, compared with what was expected."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from kafkapy.recording.exchange import Exchange
from kafkapy.recording.names import TopicNames
from kafkapy.recording.selection import tests_of
from kafkapy.recording.tap import OpenExchange, Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TypeAlias, Unpack

    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.network.dispatch import Dispatcher
    from kafkapy.recording.exchange import Entry
    from kafkapy.recording.selection import Filter

    Api: TypeAlias = str | int | Iterable[str | int] | None
    Expected: TypeAlias = str | Mapping[str, object]

BYTES_MAX: Final = 64 * 1024 * 1024
ENTRY_BYTES: Final = 400
"""What an exchange takes besides its bytes."""
SHOWN_MAX: Final = 40
"""Exchanges in the message of a failed assertion."""


class NotRecorded(AssertionError):
    """What was expected is not in the recording; the message shows what is."""


class Recording:
    """Exchanges in the order in which their requests came. Bounded: the oldest are dropped, and counted.

    It grows in the loop of its nodes, and may be looked through in any thread.
    """

    def __init__(self, *, bytes_max: int = BYTES_MAX, with_nodes: bool = False) -> None:
        """`bytes_max`: of memory. `with_nodes`: requests that nodes of the cluster send one another are wanted, too."""
        self.bytes_max = bytes_max
        self.with_nodes = with_nodes
        self.dropped = 0
        """How many of the oldest exchanges were dropped."""
        self._entries: deque[Entry | OpenExchange] = deque()
        self._bytes = 0
        self._first_kept = 0  # entries with a lower number are dropped
        self._taps: dict[Dispatcher, Tap] = {}
        self._watchers: tuple[Callable[[Exchange], None], ...] = ()

    # -- what is recorded

    def attach(self, dispatcher: Dispatcher, node_id: int, metadata: MetadataPublisher) -> None:
        """Record the requests of a node from now on. Several nodes may be recorded, and a node by several recordings.

        `dispatcher` is the node's for clients, or that of its controller listeners; `metadata` knows its topics.
        """
        if dispatcher in self._taps:
            return
        tap = dispatcher.tap
        if not isinstance(tap, Tap):
            tap = dispatcher.tap = Tap(dispatcher, node_id, TopicNames(metadata))
        tap.add(self)
        self._taps[dispatcher] = tap

    def detach(self, dispatcher: Dispatcher) -> None:
        """Record that node no longer. What was recorded stays. Requests that still wait are answered in it."""
        tap = self._taps.pop(dispatcher, None)
        if tap is not None:
            tap.remove(self)

    def stop(self) -> None:
        """Record nothing more. What was recorded stays."""
        for dispatcher in list(self._taps):
            self.detach(dispatcher)

    def clear(self) -> None:
        """Forget what was recorded so far."""
        if self._entries:
            self._first_kept = _number(self._entries[-1]) + 1
        self._entries.clear()
        self._bytes = 0
        self.dropped = 0

    def watch(self, callback: Callable[[Exchange], None]) -> Callable[[], None]:
        """Call `callback` with each exchange from now on, when it has ended; returns what ends that.

        It is called in the loop of the nodes, before the answer is sent: it must neither wait nor raise.
        """
        self._watchers = (*self._watchers, callback)

        def end() -> None:
            self._watchers = tuple(each for each in self._watchers if each is not callback)

        return end

    def add(self, entry: Entry | OpenExchange, size_bytes: int, /) -> None:
        """Called by taps."""
        self._entries.append(entry)
        self._bytes += size_bytes + ENTRY_BYTES
        if self._bytes > self.bytes_max:
            self._drop()
        if self._watchers and entry.__class__ is tuple:
            self._tell(Exchange(entry))

    def answered(self, exchange: OpenExchange, /) -> None:
        """Called by taps, when an exchange has ended that was open when it was added."""
        if exchange.number >= self._first_kept:
            self._bytes += len(exchange.answer)
            if self._bytes > self.bytes_max:
                self._drop()
        if self._watchers:
            self._tell(Exchange(exchange.entry()))

    def _tell(self, exchange: Exchange) -> None:
        for callback in self._watchers:
            callback(exchange)

    def _drop(self) -> None:
        entries = self._entries
        while self._bytes > self.bytes_max and entries:
            entry = entries.popleft()
            self._first_kept = _number(entry) + 1
            self._bytes -= _bytes_of(entry) + ENTRY_BYTES
            self.dropped += 1

    # -- looking

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self.select())

    def select(self, api: Api = None, /, **given: Unpack[Filter]) -> list[Exchange]:
        """The exchanges that are meant, oldest first: of an API or several, by name or key, and of a `Filter`.

        Raises InvalidFilter.
        """
        tests = tests_of(api, given)
        entries = list(self._entries)  # at once: it may grow meanwhile in another thread
        exchanges = (Exchange(each.entry() if isinstance(each, OpenExchange) else each) for each in entries)
        return [exchange for exchange in exchanges if all(test(exchange) for test in tests)]

    def count(self, api: Api = None, /, **given: Unpack[Filter]) -> int:
        """How many are meant. Raises InvalidFilter."""
        return len(self.select(api, **given))

    def last(self, api: Api = None, /, **given: Unpack[Filter]) -> Exchange:
        """The newest that is meant. Raises NotRecorded: there is none; InvalidFilter."""
        found = self.select(api, **given)
        if not found:
            raise NotRecorded(f"no exchange {_described(api, given)} was recorded{self._summary()}")
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
        steps = [(step, _tests_of_step(step)) for step in expected]
        exchanges = self.select(None, **given)
        found: list[Exchange] = []
        position = 0
        for number, (step, tests) in enumerate(steps):
            while position < len(exchanges) and not all(test(exchanges[position]) for test in tests):
                if exactly:
                    raise NotRecorded(_unlike(number, step, exchanges, position, self.dropped))
                position += 1
            if position == len(exchanges):
                raise NotRecorded(_unlike(number, step, exchanges, position, self.dropped))
            found.append(exchanges[position])
            position += 1
        if exactly and position < len(exchanges):
            raise NotRecorded(_unlike(len(steps), "nothing more", exchanges, position, self.dropped))
        return found

    def timeline(self, api: Api = None, /, **given: Unpack[Filter]) -> str:
        """A line for each exchange that is meant, after one that says how many older ones were dropped."""
        lines = [str(exchange) for exchange in self.select(api, **given)]
        if self.dropped:
            lines.insert(0, f"({self.dropped} older exchanges were dropped)")
        return "\n".join(lines)

    def write_json_lines(self, path: Path, api: Api = None, /, **given: Unpack[Filter]) -> int:
        """Write the exchanges that are meant to a file, a line of JSON each. From it they can be sent again.

        Returns their number. Raises InvalidFilter; OSError.
        """
        from kafkapy.recording.session import write_json_lines

        return write_json_lines(self.select(api, **given), path)

    def write_pcapng(self, path: Path, api: Api = None, /, **given: Unpack[Filter]) -> int:
        """Write the exchanges that are meant as a capture for Wireshark, whose Kafka dissector reads it.

        Returns the number of its packets. Raises InvalidFilter; OSError.
        """
        from kafkapy.recording.pcapng import write_pcapng

        return write_pcapng(self.select(api, **given), path)

    def _summary(self) -> str:
        exchanges = self.select()
        counts = Counter(exchange.api for exchange in exchanges)
        told = ", ".join(f"{number} {api}" for api, number in counts.most_common()) or "nothing"
        dropped = f"; {self.dropped} older exchanges were dropped" if self.dropped else ""
        return f": there is {told}{dropped}"


def _number(entry: Entry | OpenExchange) -> int:
    return entry.number if isinstance(entry, OpenExchange) else entry[0]


def _bytes_of(entry: Entry | OpenExchange) -> int:
    if isinstance(entry, OpenExchange):
        return len(entry.frame) + len(entry.answer)
    return len(entry[5]) + len(entry[7])


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


def _unlike(number: int, step: object, exchanges: list[Exchange], position: int, dropped: int) -> str:
    """The message: which one was not found, and what was recorded; `>` marks where it was looked for in vain."""
    wanted = step if isinstance(step, str) else ", ".join(f"{name}={value!r}" for name, value in dict(step).items())  # type: ignore[call-overload]
    begin = max(0, min(position, len(exchanges)) - SHOWN_MAX // 2)
    shown = exchanges[begin : begin + SHOWN_MAX]
    lines = [f"{'>' if begin + i == position else ' '} {exchange}" for i, exchange in enumerate(shown)]
    if position >= len(exchanges):
        lines.append("> (the end)")
    if begin or dropped:
        lines.insert(0, f"  ({begin} earlier ones are not shown, {dropped} were dropped)")
    return f"number {number + 1} of what was expected, {wanted}, was not recorded there:\n" + "\n".join(lines)
