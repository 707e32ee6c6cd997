"""Clients that are asked for metrics and push them (KIP-714). The errors are compared with Apache Kafka's elsewhere."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping

import pytest

from kafkapy.settings import Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy.settings.receiver import CLIENT_METRICS_RECEIVER
from kafkapy.telemetry import received
from kafkapy.telemetry.client_metrics import EXPIRY_MIN_MS, INSTANCES_MAX, AskingClient, ClientMetrics
from kafkapy.telemetry.instances import ClientInstance
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import EMPTY_IMAGE, ConfigResourceType
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.record_formats.metadata import ConfigRecord
from kafkapy_wire.uuid import Uuid

NOW_MS = 1_700_000_000_000
INTERVAL_MS = 60_000


def instance_id(number: int) -> Uuid:
    return Uuid(bytes(12) + (1000 + number).to_bytes(4))


class Lab:
    """One broker's `ClientMetrics`, with a subscription to "a." and whatever a test adds."""

    def __init__(self, reporters: str = CLIENT_METRICS_RECEIVER, telemetry_max_bytes: int = 1_000) -> None:
        settings = {"metric.reporters": reporters, "telemetry.max.bytes": str(telemetry_max_bytes)}
        self.image = EMPTY_IMAGE
        self.metrics = ClientMetrics(CurrentSettings(Settings(settings)), lambda: self.image)
        self.closers: dict[int, list[Callable[[], None]]] = {}
        self.subscribe("one", {"metrics": "a.", "interval.ms": str(INTERVAL_MS)})

    def subscribe(self, name: str, values: Mapping[str, str]) -> None:
        delta = MetadataDelta(self.image)
        for setting, value in values.items():
            record = ConfigRecord(
                resource_type=ConfigResourceType.CLIENT_METRICS, resource_name=name, name=setting, value=value
            )
            delta.replay(record)
        self.image = delta.apply(self.image.offset + 1, epoch=1)
        self.metrics.follow_metadata(self.image, delta)

    def client(self, connection: int = 1, client_id: str | None = "c") -> AskingClient:
        return AskingClient(
            connection=connection,
            client_id=client_id,
            software_name="a-client",
            software_version="1.0",
            address="127.0.0.1",
            port=4711,
            when_closed=self.closers.setdefault(connection, []).append,
        )

    def get(self, number: int, after_ms: int = 0, connection: int = 1, client_id: str | None = "c") -> ClientInstance:
        return self.metrics.get(instance_id(number), self.client(connection, client_id), NOW_MS + after_ms)

    def push(self, number: int, data: bytes = b"otlp", after_ms: int = 0, *, is_terminating: bool = False) -> None:
        subscription_id = 0
        known = self.metrics._instances.get(instance_id(number))
        if known is not None:
            subscription_id = known.subscription_id
        instance = self.metrics.check_push(
            instance_id(number),
            self.client(),
            NOW_MS + after_ms,
            subscription_id=subscription_id,
            compression=0,
            size=len(data),
            is_terminating=is_terminating,
        )
        self.metrics.keep(instance, self.client(), data, NOW_MS + after_ms)


def refused(error: ErrorCode) -> pytest.RaisesExc[KafkaError]:
    return pytest.RaisesExc(KafkaError, check=lambda raised: raised.code == error)


def test_what_was_pushed_is_kept_if_the_settings_name_the_receiver() -> None:
    for reporters, kept in ((f"com.acme.Reporter,{CLIENT_METRICS_RECEIVER}", 1), ("com.acme.Reporter", 0)):
        lab = Lab(reporters)
        lab.get(1)
        lab.push(1, is_terminating=True)
        assert lab.metrics.has_receiver is bool(kept)
        assert len(list(lab.metrics.received)) == kept
    lab = Lab()
    lab.get(1)
    lab.push(1, b"otlp", is_terminating=True)
    (push,) = lab.metrics.received
    assert (push.client_id, push.software, push.address) == ("c", "a-client 1.0", "127.0.0.1:4711")
    assert (push.data, push.is_terminating, push.time_ms) == (b"otlp", True, NOW_MS)


def test_a_push_larger_than_telemetry_max_bytes_is_refused() -> None:
    lab = Lab(telemetry_max_bytes=1_000)
    lab.get(1)
    with refused(ErrorCode.TELEMETRY_TOO_LARGE):
        lab.push(1, bytes(1_001))
    lab.get(2)
    lab.push(2, bytes(1_000))
    assert [len(push.data) for push in lab.metrics.received] == [1_000]


def test_the_oldest_pushes_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received, "PUSHES_MAX", 3)
    monkeypatch.setattr(received, "BYTES_MAX", 1_500)
    lab = Lab()
    for number in range(10):
        lab.get(number)
        lab.push(number, bytes([number]) * (100 if number < 8 else 700))
    assert [push.data[0] for push in lab.metrics.received] == [8, 9], "names take room, too"
    lab.get(10)
    lab.push(10, bytes(900))
    assert [len(push.data) for push in lab.metrics.received] == [900]
    monkeypatch.setattr(received, "BYTES_MAX", 1_000_000)
    for number in range(11, 14):
        lab.get(number)
        lab.push(number)
    assert len(list(lab.metrics.received)) == 3


def test_a_long_client_id_is_kept_once_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received, "BYTES_MAX", 100_000)
    lab = Lab()
    tracemalloc.start()
    try:
        for number in range(1_000):
            name = chr(97 + number % 26) * 30_000
            instance = lab.metrics.get(instance_id(number), lab.client(client_id=name), NOW_MS)
            lab.metrics.keep(instance, lab.client(client_id=name), b"otlp", NOW_MS)
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()
    assert len(list(lab.metrics.received)) == 3


def test_a_client_is_forgotten_when_its_connection_is_closed_or_when_it_was_silent() -> None:
    lab = Lab()
    lab.get(1, connection=7)
    with refused(ErrorCode.THROTTLING_QUOTA_EXCEEDED):
        lab.get(1, after_ms=1, connection=7)
    (closed,) = lab.closers[7]  # one for a connection, however many clients come by it
    closed()
    lab.get(1, after_ms=2, connection=8)
    silent = max(EXPIRY_MIN_MS, 3 * INTERVAL_MS)
    first = lab.get(2, connection=9)
    assert lab.get(2, after_ms=silent - 1, connection=9) is first
    assert lab.get(2, after_ms=2 * silent - 1, connection=9) is not first


def test_so_many_clients_are_known_at_most() -> None:
    lab = Lab()
    first = lab.get(0)
    for number in range(1, INSTANCES_MAX + 1):
        lab.get(number)
    assert len(lab.metrics._instances) == INSTANCES_MAX
    assert lab.get(0) is not first, "the one that was silent longest is forgotten"
    assert len(lab.closers[1]) == 1


def test_subscriptions_that_apply_are_put_together() -> None:
    lab = Lab()
    match = "client_id=[xy],client_software_name=a.*"
    lab.subscribe("two", {"metrics": "b.,a.", "interval.ms": "1000", "match": match})
    assert set(lab.get(1, client_id="x").asked.metrics) == {"a.", "b."}
    assert lab.get(2, client_id="x").asked.push_interval_ms == 1_000
    for number, client_id in enumerate(("z", "xy", "", None), 3):
        assert lab.get(number, client_id=client_id).asked == (("a.",), INTERVAL_MS), client_id
    lab.subscribe("three", {"metrics": "*", "match": "client_source_port=4711"})
    assert lab.get(8, client_id="x").asked == (("*",), 1_000)


def test_a_pattern_that_would_explode_takes_no_time() -> None:
    lab = Lab()
    lab.subscribe("explodes", {"metrics": "b.", "match": "client_id=((a+)+)+!"})
    assert lab.get(1, client_id="a" * 30_000).asked.metrics == ("a.",)


def test_a_pattern_that_only_java_reads_matches_nobody() -> None:
    """Apache Kafka may have stored it."""
    lab = Lab()
    lab.subscribe("java", {"metrics": "b.", "match": "client_id=(?=c)c"})
    assert lab.get(1).asked.metrics == ("a.",)
