"""Who is stuck at the bootstrap address gets a line; who is served, or wants no more than the metadata, gets none."""

from __future__ import annotations

import pytest

from kafkapy.clock import ManualClock
from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy.told_clients import FORGOTTEN_MS, ROUND_MS, SETTLED_MAX, STUCK_MS, WATCHED_MAX, ToldClients
from tests.memory import alone, traced

OWN_PORT = 9092
ELSEWHERE = ("broker-1", 9092)
LINE = (
    "client 'app' at 10.1.2.3 was told to connect to broker-1:9092 (listener PLAINTEXT), but for 10 s has only asked "
    "again where to connect: if it cannot resolve or reach that address, set "
    "advertised.listeners=PLAINTEXT://10.1.2.9:9092,INSIDE://broker-1:19092, or to the address in its "
    "bootstrap.servers where that is another"
)


class Peer:
    def __init__(self, peer_host: str = "10.1.2.3", local_host: str = "10.1.2.9") -> None:
        self.peer_host = peer_host
        self.listener_name = "PLAINTEXT"
        self.local_host = local_host


class Lab:
    """The clients of one node, on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock(frozen=True)
        self.settings = CurrentSettings(self._settings("broker-1"))
        self.lines: list[str] = []
        self.watching: list[bool] = []
        self.clients = ToldClients(self.clock, self.settings, self._warn)
        self.clients.on_watching = self.watching.append

    @staticmethod
    def _settings(host: str) -> Settings:
        return Settings(
            {
                "listeners": f"PLAINTEXT://:{OWN_PORT},INSIDE://:19092",
                "advertised.listeners": f"PLAINTEXT://{host}:9092,INSIDE://broker-1:19092",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT",
            }
        )

    def _warn(self, message: str, *arguments: object) -> None:
        self.lines.append(message % arguments)

    def advertise(self, host: str) -> None:
        self.settings.change(self._settings(host))

    def ask(
        self,
        peer: Peer | None = None,
        client_id: str = "app",
        told: tuple[str, int] = ELSEWHERE,
        *,
        is_coordinator: bool = False,
    ) -> None:
        peer = peer or Peer()
        key = self.clients.unsettled(peer, client_id)
        if key is not None:
            self.clients.told(key, peer, *told, is_coordinator=is_coordinator)

    def list(self, client_id: str = "app") -> None:
        key = self.clients.unsettled(Peer(), client_id)
        if key is not None:
            self.clients.listed(key)

    def ask_for(
        self, milliseconds: int, every_ms: int, peer: Peer | None = None, told: tuple[str, int] = ELSEWHERE
    ) -> None:
        for _ in range(0, milliseconds + every_ms, every_ms):
            self.ask(peer, told=told)
            self.clock.advance(every_ms)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.mark.parametrize("every_ms", [100, 1_000, 3_000, 5_000])
def test_a_client_that_asks_again_and_again_is_told_of_once(every_ms: int, lab: Lab) -> None:
    lab.ask_for(STUCK_MS - every_ms, every_ms)
    assert lab.lines == []
    lab.ask_for(10 * STUCK_MS, every_ms)
    assert lab.lines == [LINE]
    assert lab.watching == [True, False]


def test_another_client_of_the_same_address_adds_no_line(lab: Lab) -> None:
    for _ in range(30):
        for client_id in ("app", "app-2", "app-3"):
            lab.ask(client_id=client_id)
        lab.clock.advance(1_000)
    assert lab.lines == [LINE]
    lab.ask_for(STUCK_MS, 1_000, Peer("10.1.2.4"))
    assert len(lab.lines) == 2


def test_who_is_served_is_not_stuck_though_it_asks_on(lab: Lab) -> None:
    lab.ask_for(STUCK_MS // 2, 500)
    lab.clients.served(Peer(), "app")
    lab.ask_for(3 * STUCK_MS, 500)
    assert lab.lines == []
    assert lab.watching == [True, False]


def test_what_another_client_behind_the_same_address_gets_proves_nothing(lab: Lab) -> None:
    lab.ask_for(STUCK_MS // 2, 500)
    lab.clients.served(Peer(), "another")
    lab.ask_for(STUCK_MS, 500)
    assert lab.lines == [LINE]


def test_who_asks_once_and_goes_is_forgotten(lab: Lab) -> None:
    lab.ask()
    lab.ask()
    assert lab.watching == [True]
    lab.clock.advance(2 * FORGOTTEN_MS)
    assert lab.watching == [True, False]
    assert lab.clients.watched_count == 0
    assert lab.clock.next_timer_ms() is None


def test_who_asks_seldom_is_not_stuck(lab: Lab) -> None:
    """A producer that refreshes its metadata, or a health check that names a topic every ten seconds."""
    lab.ask_for(10 * STUCK_MS, FORGOTTEN_MS + 1)
    assert lab.lines == []


def test_many_requests_at_once_are_one_round(lab: Lab) -> None:
    for _ in range(3):
        for _ in range(50):
            lab.ask()
            lab.clock.advance((ROUND_MS - 1) // 50)
        lab.clock.advance(FORGOTTEN_MS - ROUND_MS)
    assert lab.lines == []


def test_who_lists_all_topics_again_and_again_has_what_it_wants(lab: Lab) -> None:
    """Each `kcat -L` first asks for the brokers alone."""
    for _ in range(60):
        lab.ask()
        lab.list()
        lab.clock.advance(1_000)
    assert lab.lines == []
    assert lab.clients.watched_count == 0


def test_a_consumer_of_topics_by_pattern_lists_all_topics_too(lab: Lab) -> None:
    for _ in range(12):
        lab.list()
        lab.ask(is_coordinator=True)
        lab.clock.advance(1_000)
    assert lab.lines == [LINE]


@pytest.mark.parametrize(
    ("local_host", "told"),
    [
        ("10.1.2.9", ("10.1.2.9", OWN_PORT)),
        ("10.1.2.9", ("", OWN_PORT)),
        ("127.0.0.1", ("localhost", OWN_PORT)),
        ("::1", ("localhost", OWN_PORT)),
    ],
)
def test_who_has_come_to_that_very_address_is_not_watched(local_host: str, told: tuple[str, int], lab: Lab) -> None:
    lab.ask_for(3 * STUCK_MS, 1_000, Peer(local_host=local_host), told)
    assert lab.lines == []
    assert lab.watching == []


def test_who_comes_to_that_very_address_later_is_not_stuck(lab: Lab) -> None:
    told = ("10.1.2.8", OWN_PORT)
    lab.ask_for(STUCK_MS // 2, 1_000, told=told)
    lab.ask_for(3 * STUCK_MS, 1_000, Peer(local_host="10.1.2.8"), told)
    assert lab.lines == []


def test_another_port_is_another_address(lab: Lab) -> None:
    lab.ask_for(STUCK_MS, 1_000, told=("10.1.2.9", 29092))
    assert ["10.1.2.9:29092 (" in line for line in lab.lines] == [True]


def test_behind_a_gateway_nobody_knows_the_published_port(lab: Lab) -> None:
    lab.ask_for(STUCK_MS, 1_000, Peer(local_host="localhost"), ("", OWN_PORT))
    (line,) = lab.lines
    assert "was told to connect to localhost:9092 (" in line
    assert "set advertised.listeners=PLAINTEXT://localhost:PORT,INSIDE://" in line


def test_another_advertised_address_is_watched_anew(lab: Lab) -> None:
    lab.ask_for(STUCK_MS, 1_000)
    lab.advertise("broker-2")
    lab.ask_for(STUCK_MS, 1_000, told=("broker-2", 9092))
    assert ["broker-1:9092 (" in line for line in lab.lines] == [True, False]


@alone
def test_hostile_clients_from_everywhere_take_no_memory() -> None:
    """With the longest client ids; those that were seen first are still told of."""
    lab = Lab()

    def flood(base: int) -> None:
        for number in range(base, base + 4 * SETTLED_MAX):
            lab.ask(Peer(f"10.9.{number // 250}.{number % 250}"), "x" * 30_000 + str(number))
            lab.ask(Peer(f"10.8.{number // 250}.{number % 250}"), "x" * 30_000, ("10.1.2.9", OWN_PORT))

    lab.ask()
    flood(0)
    assert lab.clients.watched_count == WATCHED_MAX
    with traced() as kept:
        flood(4 * SETTLED_MAX)
        assert kept() < 300_000
    lab.ask_for(STUCK_MS, 1_000)
    assert lab.lines == [LINE]
    lab.clock.advance(2 * FORGOTTEN_MS)
    assert lab.clients.watched_count == 0
