"""Which of many sockets are ready: epoll where the platform has it, else what `selectors` offers (kqueue on macOS).

A poller has a descriptor of its own, which is readable while one of its sockets is ready: that is what trio waits for.
"""

from __future__ import annotations

import select
from typing import Final, Protocol

READ: Final = 0x1
WRITE: Final = 0x4
BROKEN: Final = 0x18
"""EPOLLERR and EPOLLHUP, told without being asked for: the connection is gone in both directions."""
HANG_UP: Final = 0x2000
"""EPOLLRDHUP: the peer has sent all that it will, even if some of it was not received yet. READ implies it: after the
last byte, an empty receive tells the same."""


class Poller(Protocol):
    """`interest` and reported events are sums of READ, WRITE and HANG_UP; BROKEN is reported for every interest."""

    def register(self, fd: int, interest: int, /) -> None: ...

    def modify(self, fd: int, interest: int, /) -> None: ...

    def unregister(self, fd: int, /) -> None: ...

    def poll(self, seconds: float, count_max: int, /) -> list[tuple[int, int]]:
        """Pairs of descriptor and events; waits at most this long for the first."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class SelectorPoller:
    """For platforms without epoll. It reports neither BROKEN nor HANG_UP, and nothing for an interest of 0."""

    def __init__(self) -> None:
        import selectors

        self._selector = selectors.DefaultSelector()
        self._interest: dict[int, int] = {}

    def register(self, fd: int, interest: int, /) -> None:
        self._interest[fd] = 0
        self.modify(fd, interest)

    def modify(self, fd: int, interest: int, /) -> None:
        interest &= READ | WRITE
        before, self._interest[fd] = self._interest[fd], interest
        events = _selector_events(interest)
        if not interest:
            if before:
                self._selector.unregister(fd)
        elif before:
            self._selector.modify(fd, events)
        else:
            self._selector.register(fd, events)

    def unregister(self, fd: int, /) -> None:
        if self._interest.pop(fd):
            self._selector.unregister(fd)

    def poll(self, seconds: float, count_max: int, /) -> list[tuple[int, int]]:
        ready = self._selector.select(seconds)
        return [(key.fd, _poller_events(events)) for key, events in ready[:count_max]]

    def fileno(self) -> int:
        fd: int = self._selector.fileno()
        return fd

    def close(self) -> None:
        self._selector.close()


def _selector_events(interest: int) -> int:
    return (1 if interest & READ else 0) | (2 if interest & WRITE else 0)


def _poller_events(events: int) -> int:
    return (READ if events & 1 else 0) | (WRITE if events & 2 else 0)


def open_poller() -> Poller:
    """The best poller of the platform."""
    return select.epoll() if hasattr(select, "epoll") else SelectorPoller()
