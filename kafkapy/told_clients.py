"""Clients that are told where to connect, and never come there: a log line for each, with the setting to change.

A client asks at its bootstrap address where the brokers are, is told what `advertised.listeners` says, and connects
there. If it cannot resolve or reach that address, it asks again. What stuck clients were seen to do, with a host that
does not resolve and with a closed port:

    Java 4.4, franz-go 1.x   keep the bootstrap connection, and ask again every 0.1 to 5 seconds
    librdkafka 2.16          closes it, comes back every 0.1 to 3 seconds, and asks again
    kafka-python, aiokafka, sarama, KafkaJS   ask once; their errors name the address that they cannot reach

So a client is stuck if it asks `ROUNDS` times or more, over `STUCK_MS`, and never asks for anything else. Clients that
only want the metadata (kcat -L, health checks) do not ask in this way: they ask for all topics, or seldom. Only answers
that send the client to this node count, and none about topics that do not exist, for which clients ask again, too.

A client is an address, a listener and a client id: one id is used on all connections of a client, and others behind
the same address may well be served. Tables are bounded, however many addresses and ids there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

from kafkapy.log_lines import shown
from kafkapy.settings import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Clock, Timer
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings

    ClientKey: TypeAlias = tuple[str, str, str]
    """Address, listener, client id."""

    Key = TypeVar("Key")

ROUNDS: Final = 4
ROUND_MS: Final = 500
"""Requests that come sooner after the last round than this belong to it."""
STUCK_MS: Final = 10_000
FORGOTTEN_MS: Final = 6_000
"""A client that has not asked for so long is not stuck. franz-go asks every 5 seconds."""
WATCHED_MAX: Final = 256
SETTLED_MAX: Final = 1_024
CLIENT_ID_CHARACTERS_MAX: Final = 64
BEHIND_GATEWAY: Final = "localhost"
"""The `local_host` of a client that comes through a published port of this container."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class ToldClient(Protocol):
    """What is asked of `context.Client`."""

    peer_host: str
    listener_name: str
    local_host: str


class ToldClients:
    """Which clients may be stuck. `on_watching` is called with whether there are any, when that changes."""

    def __init__(self, clock: Clock, settings: CurrentSettings, warn: Callable[..., None]) -> None:
        """`warn`: as `Logger.warning`, with a limit of its own."""
        self._clock = clock
        self._settings = settings
        self._warn = warn
        self._watched: dict[ClientKey, _Watched] = {}
        self._settled: dict[ClientKey, None] = {}  # they were served, or need not be watched; oldest first
        self._warned: dict[tuple[str, str], None] = {}  # address and listener; oldest first
        self._advertised = settings.now.advertised_listeners
        self._forgetting: Timer | None = None
        self.on_watching: Callable[[bool], None] | None = None
        settings.subscribe(self._follow_settings)

    @property
    def watched_count(self) -> int:
        return len(self._watched)

    def unsettled(self, client: ToldClient, client_id: str | None) -> ClientKey | None:
        """The key of a client of which it is not known yet whether it reaches this node; None: it is known."""
        key = _key(client, client_id)
        return None if key in self._settled else key

    def told(self, key: ClientKey, client: ToldClient, host: str, port: int, *, is_coordinator: bool = False) -> None:
        """An answer has sent the client to `host:port`, which this node advertises. An empty host: `local_host`."""
        if self._is_where(client, host, port):
            self._settle(key)
            return
        now_ms = self._clock.monotonic_ms()
        watched = self._watched.get(key)
        if watched is None:
            if len(self._watched) >= WATCHED_MAX:
                return
            watched = self._watched[key] = _Watched(now_ms)
            if len(self._watched) == 1:
                self._forgetting = self._clock.call_later(FORGOTTEN_MS, self._forget)
                self._tell_watching(is_watching=True)
        watched.ask(now_ms)
        watched.seeks_coordinator = watched.seeks_coordinator or is_coordinator
        if watched.rounds >= ROUNDS and now_ms - watched.since_ms >= STUCK_MS:
            self._complain(key, client, host or client.local_host, port)

    def listed(self, key: ClientKey) -> None:
        """The client was told all topics, which may be all that it wants; unless it looks for its coordinator."""
        watched = self._watched.get(key)
        if watched is not None and not watched.seeks_coordinator:
            self._drop(key)

    def served(self, client: ToldClient, client_id: str | None) -> None:
        """The client has asked for something else than where to connect."""
        key = _key(client, client_id)
        if key in self._watched:
            self._settle(key)

    def _is_where(self, client: ToldClient, host: str, port: int) -> bool:
        """Whether the client has come to this address itself, as far as that can be seen here."""
        here = client.local_host
        if here == BEHIND_GATEWAY or port != self._own_port(client.listener_name):
            return False
        return not host or host == here or (host in LOOPBACK and here in LOOPBACK)

    def _own_port(self, listener_name: str) -> int | None:
        return next((one.port for one in self._settings.now.listeners if one.name == listener_name), None)

    def _complain(self, key: ClientKey, client: ToldClient, host: str, port: int) -> None:
        self._settle(key)
        name = client.listener_name
        if (client.peer_host, name) in self._warned:
            return
        _remember(self._warned, (client.peer_host, name))
        # Behind a gateway its port is not known: the one that the container has published.
        here = f"{name}://{BEHIND_GATEWAY}:PORT"
        if client.local_host != BEHIND_GATEWAY:
            here = str(Listener(name, client.local_host, self._own_port(name) or port, ""))
        advertised = [here if one.name == name else str(one) for one in self._settings.now.advertised_listeners]
        self._warn(
            "client %r at %s was told to connect to %s (listener %s), but for %d s has only asked again where to "
            "connect: if it cannot resolve or reach that address, set advertised.listeners=%s, or to the address in "
            "its bootstrap.servers where that is another",
            shown(key[2]),
            client.peer_host,
            str(Listener("", host, port, "")).removeprefix("://"),
            name,
            STUCK_MS // 1_000,
            ",".join(advertised),
        )

    def _settle(self, key: ClientKey) -> None:
        _remember(self._settled, key)
        self._drop(key)

    def _drop(self, key: ClientKey) -> None:
        if self._watched.pop(key, None) is not None and not self._watched:
            if self._forgetting is not None:
                self._forgetting.cancel()
            self._tell_watching(is_watching=False)

    def _forget(self) -> None:
        """Drop those that have stopped asking; until there are none, it is called again."""
        now_ms = self._clock.monotonic_ms()
        for key in [key for key, watched in self._watched.items() if now_ms - watched.last_ms > FORGOTTEN_MS]:
            self._drop(key)
        if self._watched:
            self._forgetting = self._clock.call_later(FORGOTTEN_MS, self._forget)

    def _tell_watching(self, *, is_watching: bool) -> None:
        if self.on_watching is not None:
            self.on_watching(is_watching)

    def _follow_settings(self, settings: Settings) -> None:
        """With another address, everybody is watched again."""
        if settings.advertised_listeners != self._advertised:
            self._advertised = settings.advertised_listeners
            self._settled.clear()
            self._warned.clear()
            for key in list(self._watched):
                self._drop(key)


class _Watched:
    """A client that may be stuck."""

    __slots__ = ("last_ms", "round_ms", "rounds", "seeks_coordinator", "since_ms")

    def __init__(self, now_ms: float) -> None:
        self.since_ms = self.round_ms = self.last_ms = now_ms
        self.rounds = 1
        self.seeks_coordinator = False

    def ask(self, now_ms: float) -> None:
        """The client asks, for the first time or again."""
        if now_ms - self.last_ms > FORGOTTEN_MS:
            self.since_ms, self.round_ms, self.rounds = now_ms, now_ms, 1
        elif now_ms - self.round_ms >= ROUND_MS:
            self.round_ms = now_ms
            self.rounds += 1
        self.last_ms = now_ms


def _key(client: ToldClient, client_id: str | None) -> ClientKey:
    return client.peer_host, client.listener_name, (client_id or "")[:CLIENT_ID_CHARACTERS_MAX]


def _remember(table: dict[Key, None], key: Key) -> None:
    """As the newest of `SETTLED_MAX`."""
    if len(table) >= SETTLED_MAX and key not in table:
        del table[next(iter(table))]
    table[key] = None
