"""Clients that wait, leave, do not read, or talk nonsense."""

from __future__ import annotations

import socket
import time

from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kafkapy_wire.records import NewRecord, build_batch
from tests.attack.attacker import Attacker, fetch_request, produce_request
from tests.attack.scenario import Ground, Scenario

NOW_MS = 1_700_000_000_000
FOR_WEEKS_MS = 24 * 86_400_000
FORGED = "a\n2026-01-01 00:00:00,000 ERROR kafkapy.server: forged"


def gone(ground: Ground) -> None:
    """Long polls of clients that have hung up, of some partitions each."""
    setup = ground.attacker()
    partitions = range(100)
    setup.create_topic("wide", len(partitions))
    frame = setup.frame(fetch_request("wide", partitions, max_wait_ms=FOR_WEEKS_MS), 12)
    for _ in range(ground.scaled(600)):
        leaving = ground.attacker()
        leaving.send_frame(frame)
        leaving.close()
    produce_for(ground, 0.5)
    assert ground.broker.usage().sockets < 40, "those who are gone have their sockets still"


def parked(ground: Ground) -> None:
    """Clients that do wait, for more than ever comes, of a thousand partitions each."""
    setup = ground.attacker()
    partitions = range(1_000)
    setup.create_topic("wide", len(partitions))
    waiting = [ground.attacker() for _ in range(ground.scaled(50))]
    frame = setup.frame(fetch_request("wide", partitions, max_wait_ms=FOR_WEEKS_MS), 12)
    for attacker in waiting:
        attacker.send_frame(frame)
    produce_for(ground, 2, "wide")


def produce_for(ground: Ground, seconds: float, topic: str = "wide") -> None:
    attacker = ground.attacker()
    frame = attacker.frame(produce_request(topic, {0: build_batch([NewRecord(NOW_MS, None, b"news")])}), 12)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        attacker.send_frame(frame)
        attacker.receive_frame()


def does_not_read(ground: Ground) -> None:
    """Large answers that nobody reads: they wait in memory, one for each connection, until it was idle for too long."""
    connections = []
    topics = [MetadataRequestTopic(name=f"unknown-{number}") for number in range(10_000)]
    for _ in range(ground.scaled(40)):
        attacker = ground.attacker()
        attacker.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        frame = attacker.frame(MetadataRequest(topics=topics, allow_auto_topic_creation=False), 12)
        for _ in range(3):
            try:
                attacker.socket.settimeout(1)
                attacker.send_frame(frame)
            except TimeoutError:
                break
        connections.append(attacker)
    deadline = time.monotonic() + 120
    while ground.broker.usage().sockets > 25 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ground.broker.usage().sockets <= 25, "those who do not read were not closed"


def nonsense(ground: Ground) -> None:
    """Frames that are none, and client ids with lines in them."""
    for number in range(ground.scaled(5_000)):
        attacker = Attacker(ground.broker.port, FORGED)
        attacker.answered_or_closed([b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\4nope", b"\xff" * 8][number % 3])
        attacker.close()
    for group in range(ground.scaled(200)):
        attacker = Attacker(ground.broker.port, FORGED + "x" * 30_000)
        join = JoinGroupRequest(
            group_id=f"{group}{FORGED}",
            session_timeout_ms=10_000,
            rebalance_timeout_ms=10_000,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
            reason="y" * 30_000,
        )
        attacker.answered_or_closed(attacker.frame(join, 8))
        topics = [MetadataRequestTopic(name=f"{'long' * 40}-{group}-{number}") for number in range(100)]
        attacker.answered_or_closed(attacker.frame(MetadataRequest(topics=topics), 12))
        attacker.close()
    assert not any(line.startswith("2026-01-01 00:00:00,000 ERROR") for line in ground.broker.output().splitlines())


SCENARIOS = [
    Scenario(
        "long polls of clients that are gone", "600 of 100 partitions", gone, cpu_seconds_max=6, memory_mb_max=100
    ),
    Scenario(
        "long polls of a thousand partitions",
        "50 of them, while somebody produces to one partition",
        parked,
        cpu_seconds_max=6,
        memory_mb_max=120,
    ),
    Scenario(
        "answers that nobody reads",
        "40 connections with a megabyte each",
        does_not_read,
        cpu_seconds_max=6,
        memory_mb_max=160,
        settings={"connections.max.idle.ms": "2000"},
    ),
    Scenario(
        "nonsense",
        "5,000 frames that are none; names with line breaks; topics that cannot be made",
        nonsense,
        cpu_seconds_max=6,
        memory_mb_max=100,
        settings={"auto.create.topics.enable": "false"},
    ),
]
