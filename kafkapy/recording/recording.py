"""What is recorded of nodes while they run."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from kafkapy.recording.exchange import Exchange
from kafkapy.recording.exchanges import Exchanges
from kafkapy.recording.names import TopicNames
from kafkapy.recording.tap import OpenExchange, Tap

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.network.dispatch import Dispatcher
    from kafkapy.recording.exchange import Entry

BYTES_MAX: Final = 64 * 1024 * 1024
ENTRY_BYTES: Final = 400
"""What an exchange takes besides its bytes."""


class Recording(Exchanges):
    """Exchanges in the order in which their requests came. Bounded: the oldest are dropped, and counted.

    It grows in the loop of its nodes, and may be looked through in any thread.
    """

    def __init__(self, *, bytes_max: int = BYTES_MAX, with_nodes: bool = False) -> None:
        """`bytes_max`: of memory. `with_nodes`: requests that nodes of the cluster send one another are wanted, too."""
        self.bytes_max = bytes_max
        self.with_nodes = with_nodes
        self.dropped = 0
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
            tap = Tap(dispatcher, node_id, TopicNames(metadata))
            dispatcher.set_tap(tap)
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

    def __len__(self) -> int:
        return len(self._entries)

    def everything(self) -> list[Exchange]:
        entries = list(self._entries)  # at once: it may grow meanwhile in another thread
        return [Exchange(each.entry() if isinstance(each, OpenExchange) else each) for each in entries]


def _number(entry: Entry | OpenExchange) -> int:
    return entry.number if isinstance(entry, OpenExchange) else entry[0]


def _bytes_of(entry: Entry | OpenExchange) -> int:
    if isinstance(entry, OpenExchange):
        return len(entry.frame) + len(entry.answer)
    return len(entry[5]) + len(entry[7])
