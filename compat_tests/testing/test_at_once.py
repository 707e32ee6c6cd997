"""Calls from several threads at once that stop, start and replace nodes: each does what it says, in some order."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kafkapy.testing import Kafka, NotYet

SOON = 120.0
"""Seconds; for what comes at once on a machine that is not busy."""


@pytest.fixture
def three(three_nodes: Kafka) -> Iterator[Kafka]:
    three_nodes.reset()
    yield three_nodes
    three_nodes.reset()
    assert all(node.is_running for node in three_nodes.nodes())
    assert three_nodes.take_bugs() == []


def at_once(*calls: Callable[[], Any]) -> list[BaseException | None]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.exception(SOON) for each in [pool.submit(call) for call in calls]]


def test_restores_snapshots_restarts_and_resets_wait_for_one_another(three: Kafka) -> None:
    three.create_topic("orders", 1, replicas=3)
    three.take_snapshot("orders")
    failed = at_once(
        lambda: three.restore_snapshot("orders"),
        lambda: three.restore_snapshot("orders"),
        lambda: three.take_snapshot("other"),
        lambda: three.restart_node(2),
        three.reset,
    )
    # A restart that comes while none runs says so.
    assert [error for error in failed if error is not None and not isinstance(error, LookupError)] == []
    three.restore_snapshot("orders")
    assert three.topics() == ["orders"]


def test_a_node_is_started_once(three: Kafka) -> None:
    three.stop_node(2)
    failed = at_once(lambda: three.start_node(2), lambda: three.start_node(2), three.reset)
    assert [error for error in failed if error is not None and "runs already" not in str(error)] == []
    assert [node.is_running for node in three.nodes()] == [True, True, True]


def test_a_snapshot_that_cannot_be_made_stops_nothing(three: Kafka) -> None:
    for name in ("x" * 300, "\ud800", 5):
        with pytest.raises(ValueError, match=r"no name for a snapshot|^name: "):
            three.take_snapshot(name)  # type: ignore[arg-type]
    assert [node.is_running for node in three.nodes()] == [True, True, True]


def test_a_port_that_is_taken_is_said_and_can_be_had_later(three: Kafka) -> None:
    three.stop_node(2)
    host, port = str(three.nodes()[1].address).rsplit(":", 1)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, int(port)))
        taken.listen()
        for failed in (at_once(lambda: three.start_node(2)), at_once(three.reset)):
            assert f":{port} is taken" in str(failed[0])
    three.start_node(2)
    assert [node.is_running for node in three.nodes()] == [True, True, True]


def test_what_needs_a_controller_ends_without_one(three: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafkapy.control.nodes.ANSWER_SECONDS", 0.5)
    three.kill_node(1)
    three.kill_node(2)
    three.kill_node(3)
    with pytest.raises(NotYet, match="an active controller; nodes that do not run: 1, 2, 3"):
        three.create_topic("never")
    monkeypatch.undo()
