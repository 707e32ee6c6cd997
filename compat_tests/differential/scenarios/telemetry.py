"""Client metrics (KIP-714): who may ask and push when, and with what. The first two need no receiver of metrics."""

from __future__ import annotations

import time
from typing import Any

from compat_tests.differential.peer import Connection, Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.configs import APPEND, CLIENT_METRICS, DELETE, SET, SUBTRACT, incremental
from kafkapy_wire.compression import Compression, compress
from kafkapy_wire.message import Message
from kafkapy_wire.messages.get_telemetry_subscriptions import GetTelemetrySubscriptionsRequest
from kafkapy_wire.messages.push_telemetry import PushTelemetryRequest
from kafkapy_wire.uuid import ONE_UUID, ZERO_UUID, Uuid

INTERVAL_MS = 400
A_METRIC = bytes.fromhex("0a0e120c0a0012081206612e6d6574726963")
"""Any bytes would do: neither broker looks into them."""


def client(number: int) -> Uuid:
    """A client instance id: clients that had one before bring it along."""
    return Uuid(b"telemetry-scen" + number.to_bytes(2))


class TelemetryClient:
    """A client with a connection of its own."""

    def __init__(self, peer: Peer, instance_id: Uuid, client_id: str = "telemetry") -> None:
        self.peer = peer
        self.instance_id = instance_id
        self.connection: Connection = peer.connect(client_id)
        self.subscription_id = 0

    def get(self, label: str) -> Any:
        answer = self._quietly(GetTelemetrySubscriptionsRequest(client_instance_id=self.instance_id))
        if answer.error_code == 0:
            self.subscription_id = answer.subscription_id
        self.peer.note(f"{label}: get", self.peer.normaliser.plain(answer, 0))
        return answer

    def push(self, label: str, metrics: bytes = A_METRIC, **fields: Any) -> int:
        request = PushTelemetryRequest(
            client_instance_id=self.instance_id, subscription_id=self.subscription_id, metrics=metrics
        )
        for name, value in fields.items():
            setattr(request, name, value)
        error: int = self._quietly(request).error_code
        self.peer.note(f"{label}: push", error)
        return error

    def _quietly(self, request: Message) -> Any:
        key = type(request).__schema__.api_key
        return self.connection.receive(key, 0, self.connection.post(request, 0))  # type: ignore[arg-type]


def subscribe(peer: Peer, name: str, *metrics: str, interval_ms: int = INTERVAL_MS, match: str = "") -> None:
    changes = [("metrics", SET, ",".join(metrics)), ("interval.ms", SET, str(interval_ms)), ("match", SET, match)]
    peer.quietly(incremental(CLIENT_METRICS, name, *changes))


def unsubscribe(peer: Peer, *names: str) -> None:
    for name in names:
        gone = [(setting, DELETE, None) for setting in ("metrics", "interval.ms", "match")]
        peer.quietly(incremental(CLIENT_METRICS, name, *gone))


def until_subscribed(peer: Peer, number: int, *metrics: str, client_id: str = "telemetry") -> None:
    """Apache Kafka's broker hears of a subscription after it was answered."""
    for attempt in range(100):
        connection = peer.connect(client_id)
        request = GetTelemetrySubscriptionsRequest(client_instance_id=client(number + attempt))
        answer: Any = connection.receive(71, 0, connection.post(request, 0))  # type: ignore[arg-type]
        connection.close()
        if sorted(answer.requested_metrics) == sorted(metrics):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody is asked for {metrics}")


@scenario
def nothing_is_subscribed_to(peer: Peer) -> None:
    one = TelemetryClient(peer, client(1))
    one.get("first")
    one.get("too early")
    one.push("first")
    one.push("too early")
    one.get("too early after a push")
    fresh = peer.connect()
    request = GetTelemetrySubscriptionsRequest(client_instance_id=ZERO_UUID)
    answer: Any = fresh.receive(71, 0, fresh.post(request, 0))  # type: ignore[arg-type]
    peer.note("a new id is given", answer.client_instance_id not in (ZERO_UUID, ONE_UUID))
    for label, reserved in (("zero", ZERO_UUID), ("one", ONE_UUID)):
        TelemetryClient(peer, reserved).push(f"the reserved id {label}")
    TelemetryClient(peer, ONE_UUID).get("the reserved id one")


@scenario
def what_is_wrong_with_a_push(peer: Peer) -> None:
    number = 100

    def wrong(label: str, metrics: bytes = A_METRIC, **fields: Any) -> None:
        nonlocal number
        number += 1
        one = TelemetryClient(peer, client(number))
        one.get(label)
        one.push(label, metrics, **fields)
        one.get(f"{label}, afterwards")
        one.push(f"{label}, afterwards")

    unasked = TelemetryClient(peer, client(number))
    unasked.push("without asking first")
    unasked.get("afterwards")
    wrong("nothing at all", b"")
    wrong("another subscription", subscription_id=1)
    wrong("a last one", terminating=True)
    for codec in (*Compression, 5, 7, 127, -1):
        wrong(f"codec {int(codec)} of other bytes", compression_type=int(codec))
        if codec in tuple(Compression):
            wrong(f"codec {int(codec)}", compress(A_METRIC, Compression(codec)), compression_type=int(codec))
            wrong(f"codec {int(codec)}, nothing", b"", compression_type=int(codec))
            bomb = compress(bytes(8 << 20), Compression(codec))
            wrong(f"codec {int(codec)}, a bomb", bomb, compression_type=int(codec))
            most = compress(bytes(1 << 20), Compression(codec))
            wrong(f"codec {int(codec)}, as much as may be", most, compression_type=int(codec))
            more = compress(bytes((1 << 20) + 1), Compression(codec))
            wrong(f"codec {int(codec)}, a byte more", more, compression_type=int(codec))
    wrong("as much as may be", bytes(1 << 20))
    wrong("a byte more", bytes((1 << 20) + 1))
    last = TelemetryClient(peer, client(99))
    last.get("the last one")
    last.push("the last one", terminating=True)
    last.push("after the last one")
    last.push("after the last one again")
    last.push("the last one again", terminating=True)
    last.push("a last one after the last one", terminating=True)
    last.get("after the last one")


@scenario
def subscriptions(peer: Peer) -> None:
    """Which ones apply, and what they come to together."""
    try:
        subscribe(peer, "all-of-them", "org.apache.kafka.producer.")
        until_subscribed(peer, 1000, "org.apache.kafka.producer.")
        TelemetryClient(peer, client(200)).get("one for all")
        subscribe(peer, "of-some", "org.apache.kafka.consumer.", "a", interval_ms=200, match="client_id=some.*")
        until_subscribed(
            peer, 1200, "a", "org.apache.kafka.consumer.", "org.apache.kafka.producer.", client_id="someone"
        )
        for number, client_id in enumerate(("someone", "some", "awesome", "SOME", "", "other")):
            TelemetryClient(peer, client(210 + number), client_id).get(f"client {client_id!r}")
        subscribe(peer, "of-some", "*", interval_ms=200, match="client_id=some.*,client_instance_id=[A-Za-z0-9_-]+")
        until_subscribed(peer, 1400, "*", client_id="someone")
        TelemetryClient(peer, client(220), "someone").get("all metrics")
        subscribe(peer, "of-some", "b", interval_ms=200, match="client_software_name=unknown,client_id=some")
        until_subscribed(peer, 1600, "b", "org.apache.kafka.producer.", client_id="some")
        TelemetryClient(peer, client(230), "some").get("by its software")
        TelemetryClient(peer, client(231), "someone").get("not by its software alone")
        subscribe(peer, "of-some", "b", interval_ms=200, match="client_source_address=127.*,client_source_port=x")
        until_subscribed(peer, 1800, "org.apache.kafka.producer.", client_id="some")
        TelemetryClient(peer, client(240), "some").get("by its port")
    finally:
        unsubscribe(peer, "all-of-them", "of-some")
    until_subscribed(peer, 2000)
    TelemetryClient(peer, client(250)).get("afterwards")


@scenario
def subscriptions_change_and_connections_close(peer: Peer) -> None:
    try:
        subscribe(peer, "changes", "a", interval_ms=60_000)
        until_subscribed(peer, 3000, "a")
        one = TelemetryClient(peer, client(300))
        first = one.get("first").subscription_id
        one.push("first")
        one.push("too early")
        subscribe(peer, "changes", "b", interval_ms=60_000)
        until_subscribed(peer, 3200, "b")
        one.push("of the old subscription")
        peer.note("another subscription id", one.get("after the change").subscription_id != first)
        one.push("after the change")
        one.connection.close()
        again = TelemetryClient(peer, client(300))
        time.sleep(0.2)  # Apache Kafka notices the end of a connection in its own time
        peer.note("the same subscription id", again.get("on another connection").subscription_id == one.subscription_id)
        other = TelemetryClient(peer, client(301))
        peer.note("that of another client", other.get("another client").subscription_id != one.subscription_id)
        subscribe(peer, "changes", "b", interval_ms=INTERVAL_MS)
        until_subscribed(peer, 3400, "b")
        quick = TelemetryClient(peer, client(302))
        quick.get("quick")
        time.sleep(INTERVAL_MS / 1000 + 0.05)
        quick.get("after the interval")
        quick.push("at once")
        time.sleep(INTERVAL_MS / 1000 + 0.05)
        quick.push("after the interval")
        quick.get("too early")
        time.sleep(INTERVAL_MS / 1000 + 0.05)
        quick.get("after another interval")
    finally:
        unsubscribe(peer, "changes")
    until_subscribed(peer, 3600)


@scenario
def settings_of_subscriptions(peer: Peer) -> None:
    """What a subscription may say. Patterns are those that RE2 and Java read alike."""

    def ask(label: str, *changes: tuple[str, int, str | None], name: str = "checked") -> None:
        for version in (0, 1):
            peer.ask(incremental(CLIENT_METRICS, name, *changes, validate_only=True), version, label)

    for interval in ("99", "100", "3600000", "3600001", "0", "-1", "x", "", " 200 ", "1e3", "99999999999"):
        ask(f"interval {interval!r}", ("interval.ms", SET, interval))
    for pattern in (
        *("client_id=a", "client_id=", "=a", "client_id", "client_id=a=b", "client_id==", "client_id=a=", "=", ""),
        *(" client_id = a ", "client_id=a,client_id=b", "client_id=a,client_id=a", "no.such=a", "CLIENT_ID=a"),
        *("client_id=(", "client_id=[", "client_id=*", "client_id=a{2}", r"client_id=\\d+", "client_id=a|b", ","),
        *("client_id=a,,client_software_name=b", "client_source_port=1,client_source_address=2,client_instance_id=3"),
    ):
        ask(f"match {pattern!r}", ("match", SET, pattern))
    for metrics in ("", "*", "a,b", "a,a", ",", "a,", " a , b ", "x" * 300):
        ask(f"metrics {metrics[:9]!r}", ("metrics", SET, metrics))
    ask("an unknown setting", ("no.such", SET, "1"))
    ask("an unknown setting is deleted", ("no.such", DELETE, None))
    ask("an empty name", ("interval.ms", SET, "200"), name="")
    ask("appended", ("metrics", APPEND, "a"))
    ask("subtracted", ("metrics", SUBTRACT, "a"))
    ask("appended to a number", ("interval.ms", APPEND, "1"))
    ask("an unknown operation", ("interval.ms", 7, "1"))
    ask("several are wrong", ("interval.ms", SET, "1"), ("match", SET, "x"), ("no.such", SET, "1"))
    ask("two are wrong", ("interval.ms", SET, "1"), ("match", SET, "x"))
