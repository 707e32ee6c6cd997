"""The clusters of a test session: what their reports say of odd clients, and what becomes of broken ones."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from kafkapy.testing import Group, Kafka, KafkaNotStarted, NotYet
from kafkapy.testing.libraries import clients_of
from kafkapy.testing.pool import Pool, Used
from kafkapy_wire.errors import KafkaError

ODD_ID = b"\x1b[31mred\r\n\0"
API_VERSIONS = 18


def test_reports_escape_client_ids() -> None:
    with Kafka() as kafka:
        used = Used(kafka)
        host, port = kafka.bootstrap_servers.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as client:
            header = struct.pack(">hhih", API_VERSIONS, 0, 1, len(ODD_ID)) + ODD_ID
            client.sendall(struct.pack(">i", len(header)) + header)
            assert client.recv(4)
            lines = [*used.left_open(), *used.seen().split("\n")]
    about = [line for line in lines if "[31mred" in line]
    assert len(about) >= 3
    assert [line for line in lines if not line.isprintable()] == []


def test_a_kafka_that_a_test_has_broken_is_not_given_to_the_next() -> None:
    pool = Pool()
    broken = pool.use(isolation="process").kafka
    other = pool.use().kafka
    broken._run._process.kill()  # type: ignore[attr-defined]
    fresh = pool.use(isolation="process", topics={"orders": 1}).kafka
    assert fresh is not broken
    assert fresh.topics() == ["orders"]
    fresh.__exit__(None, None, None)  # so that its own stop fails
    with pytest.raises(RuntimeError):
        pool.stop()
    with pytest.raises(RuntimeError):
        other.topics()


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_reset_goes_back_to_what_the_test_began_with_and_not_to_what_another_one_did(isolation: str) -> None:
    pool = Pool()
    try:
        seed = {"records": {"drinks": ["tea"]}, "topics": {"drinks": 1}}
        topics = {"orders": {"partitions": 2, "settings": {"retention.ms": 1_000}}}
        kafka = pool.use(isolation=isolation, topics=topics, seed=seed).kafka
        kafka.produce("orders", "a")
        kafka.produce("drinks", "cake")
        kafka.reset()
        assert kafka.topics() == ["drinks", "orders"]
        assert kafka.topic("orders").settings == {"retention.ms": "1000"}
        assert kafka.records("orders") == []
        assert [record.value for record in kafka.records("drinks")] == [b"tea"]
        with pytest.raises(KafkaError, match="INVALID_CONFIG"):
            pool.use(isolation=isolation, topics={"cups": {"settings": {"retention.ms": "long"}}})
        assert pool.use(isolation=isolation).kafka is kafka
        assert kafka.topics() == []
        kafka.reset()
        assert kafka.topics() == []
    finally:
        pool.stop()


def test_snapshots_stay_over_a_reset_and_not_for_the_next_test() -> None:
    pool = Pool()
    try:
        kafka = pool.use(topics={"orders": 1}).kafka
        kafka.take_snapshot("one")
        kafka.reset()
        assert kafka.snapshots() == ["one"]
        assert pool.use().kafka is kafka
        assert kafka.snapshots() == []
        with pytest.raises(LookupError, match="there is no snapshot 'one'; there are: none"):
            kafka.restore_snapshot("one")
    finally:
        pool.stop()


def test_a_report_has_what_can_be_seen_where_one_look_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with Kafka(topics={"orders": 1}) as kafka:
        used = Used(kafka)
        kafka.commit_offsets("g", {("orders", 0): 0})
        kafka.commit_offsets("h", {("orders", 0): 0})
        describe = kafka.group

        def fail() -> None:
            raise RuntimeError("it has no answer")

        def group(group_id: str) -> Group:
            if group_id == "g":
                raise LookupError("it has ended meanwhile")
            return describe(group_id)

        monkeypatch.setattr(kafka, "group", group)
        monkeypatch.setattr(kafka, "transactions", fail)
        seen = used.seen()
        assert "group h: Empty" in seen
        assert "transactions: they cannot be shown: RuntimeError: it has no answer" in seen
        assert "topic __consumer_offsets created" in seen  # of the log, which comes last
        assert used._held_by("anybody") == ""


def test_where_no_broker_runs_nobody_says_that_there_is_nothing() -> None:
    with Kafka(topics={"orders": 1}) as kafka:
        kafka.kill_node(1)
        looks: list[Callable[[], object]] = [
            kafka.topics,
            kafka.groups,
            kafka.transactions,
            lambda: kafka.group("g"),
            lambda: kafka.transaction("t"),
            lambda: kafka.delete_group("g"),
            lambda: kafka.commit_offsets("g", {("orders", 0): 0}),
        ]
        for look in looks:
            with pytest.raises(LookupError, match="no broker is running"):
                look()
        with pytest.raises(NotYet, match="no broker is running"):
            kafka.wait_for_group("g", timeout=0)


def test_one_of_several_threads_starts_it() -> None:
    kafka = Kafka()
    meet = Barrier(4)

    def enter(_: int) -> bool:
        meet.wait()
        try:
            kafka.__enter__()
        except RuntimeError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(enter, range(4))) == 1
    kafka.__exit__(None, None, None)


@pytest.mark.parametrize("library", [5, ["confluent-kafka"], b"aiokafka"])
def test_a_marker_names_the_client_library_by_a_text(library: Any) -> None:
    with pytest.raises(ValueError, match="client is the name of a library"):
        clients_of(library, Kafka())


def test_what_a_reset_deletes_leaves_the_disk_without_delay() -> None:
    with Kafka(topics={"orders": 1}) as kafka:
        directory = kafka._run._server._nodes.cluster.directory_of(1)  # type: ignore[attr-defined]
        kafka.produce("orders", "gone")
        kafka.reset()
        until = time.monotonic() + 30  # log.segment.delete.delay.ms is 60 s
        while left := list(directory.glob("*-delete")):
            assert time.monotonic() < until, left
            time.sleep(0.005)
        kafka.produce("orders", "new")
        assert [record.value for record in kafka.records("orders")] == [b"new"]


def test_where_no_directory_can_be_made_it_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc")  # nobody may write there, not even root
    with pytest.raises(KafkaNotStarted, match=r"cannot make a directory .*: set TMPDIR"):
        Kafka().__enter__()


def test_a_node_that_stops_is_not_paused() -> None:
    with Kafka(nodes=3) as kafka:
        for _ in range(3):
            stop = kafka._run.submit("stop_node", 2)
            pause = kafka._run.submit("pause_node", 2)  # whichever comes first, the other one is refused
            refused = [each.exception(timeout=30) for each in (stop, pause)]
            assert sorted(type(each).__name__ for each in refused) == ["LookupError", "NoneType"]
            kafka.reset()
            assert all(node.is_running for node in kafka.nodes())
