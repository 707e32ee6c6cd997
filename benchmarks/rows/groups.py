"""Groups of every protocol: how soon one of 1, 10 or 100 members is stable, and how dear a rebalance of 100 is.

Another protocol is one more entry of PROTOCOLS: its members are a class of `benchmarks.group_client`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from benchmarks.group_client import (
    SETTINGS,
    ClassicMembers,
    ConsumerMembers,
    GroupMembers,
    ShareMembers,
    closing,
    ready_group_topic,
)
from benchmarks.measurement import Better, Figures, Metric, Scale, SteadyRow
from benchmarks.peers import Broker
from benchmarks.raw_client import Connection, UnexpectedAnswer, decode_answer, request_frame
from benchmarks.streams_group_client import StreamsMembers
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatResponse
from kafkapy_wire.messages.heartbeat import HeartbeatResponse
from kafkapy_wire.messages.share_group_heartbeat import ShareGroupHeartbeatResponse
from kafkapy_wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatResponse
from kafkapy_wire.uuid import Uuid

Members = Callable[[Broker, str, str, Uuid, int], GroupMembers]

PROTOCOLS: Final[dict[str, Members]] = {
    "classic": ClassicMembers,
    "consumer": ConsumerMembers,
    "share": ShareMembers,
    "streams": StreamsMembers,
}
SIZES: Final = (1, 10, 100)
REBALANCED: Final[dict[str, tuple[str, Members]]] = {
    "uniform": ("consumer, uniform", partial(ConsumerMembers, assignor="uniform")),
    "range": ("consumer, range", partial(ConsumerMembers, assignor="range")),
    "sticky": ("classic", ClassicMembers),
    "streams": ("streams", StreamsMembers),
}
MEMBER_COUNT: Final = 100
PARTITION_COUNT: Final = 1_000
PARTITIONS_OF_A_SMALL_GROUP: Final = 100
HEARTBEAT_RESPONSES: Final[dict[ApiKey, Any]] = {
    ApiKey.HEARTBEAT: HeartbeatResponse,
    ApiKey.CONSUMER_GROUP_HEARTBEAT: ConsumerGroupHeartbeatResponse,
    ApiKey.SHARE_GROUP_HEARTBEAT: ShareGroupHeartbeatResponse,
    ApiKey.STREAMS_GROUP_HEARTBEAT: StreamsGroupHeartbeatResponse,
}
IN_FLIGHT: Final = 50

FORMED = {
    (protocol, size): Metric(f"group_{protocol}_{size}_ms", f"A {protocol} group of {size} is stable", "ms")
    for protocol in PROTOCOLS
    for size in SIZES
}
REBALANCE_MS = {
    key: Metric(f"rebalance_{key}_ms", f"Rebalance of {MEMBER_COUNT} members ({title})", "ms")
    for key, (title, _) in REBALANCED.items()
}
REBALANCE_CPU = {key: Metric(f"rebalance_{key}_cpu_ms", "... broker CPU", "ms") for key in REBALANCED}
BEAT_RATE = {
    protocol: Metric(f"heartbeats_{protocol}_per_second", f"Heartbeats, {protocol}", "1/s", Better.HIGHER)
    for protocol in PROTOCOLS
}
BEAT_CPU = {
    protocol: Metric(f"heartbeats_{protocol}_cpu_us", "... broker CPU for each", "µs") for protocol in PROTOCOLS
}


def measure_formed(broker: Broker, _scale: Scale, name: str) -> Figures:
    figures = {}
    with Connection(broker.address) as connection:
        topic_id = ready_group_topic(connection, name, PARTITIONS_OF_A_SMALL_GROUP)
    for (protocol, size), metric in FORMED.items():
        with closing(PROTOCOLS[protocol](broker, f"{name}-{protocol}-{size}", name, topic_id, 100)) as members:
            members.add(size)
            begin = time.perf_counter()
            members.join()
            figures[metric.key] = (time.perf_counter() - begin) * 1e3
    return figures


def measure_rebalance(broker: Broker, _scale: Scale, name: str) -> Figures:
    """One more member comes, and leaves again: two rebalances."""
    figures = {}
    with Connection(broker.address) as connection:
        topic_id = ready_group_topic(connection, name, PARTITION_COUNT)
    for key, (_, make) in REBALANCED.items():
        with closing(make(broker, f"{name}-{key}", name, topic_id, PARTITION_COUNT)) as members:
            members.add(MEMBER_COUNT - 1)
            members.join()
            members.add(1)
            cpu_seconds, begin = broker.cpu_seconds(), time.perf_counter()
            members.join()
            members.leave(1)
            figures[REBALANCE_MS[key].key] = (time.perf_counter() - begin) * 1e3 / 2
            figures[REBALANCE_CPU[key].key] = (broker.cpu_seconds() - cpu_seconds) * 1e3 / 2
    return figures


def measure_heartbeats(broker: Broker, scale: Scale, name: str) -> Figures:
    """A member of a group of ten says that it lives, so many times in flight."""
    figures = {}
    with Connection(broker.address) as connection:
        topic_id = ready_group_topic(connection, name, PARTITIONS_OF_A_SMALL_GROUP)
    count = scale.pipelined_requests // IN_FLIGHT
    for protocol, make in PROTOCOLS.items():
        with closing(make(broker, f"{name}-{protocol}", name, topic_id, 100)) as members:
            members.add(10)
            members.join()
            key, request, version = members.heartbeat()
            frame = request_frame(key, request, version)
            with Connection(broker.address) as connection:
                answer: object = None
                cpu_seconds, begin = broker.cpu_seconds(), time.perf_counter()
                for _ in range(count):
                    connection.socket.sendall(frame * IN_FLIGHT)
                    answers = [connection.receive_bytes() for _ in range(IN_FLIGHT)]
                    assert len({*answers}) == 1, answers
                    answer = answers[0]
                seconds = time.perf_counter() - begin
                cpu_seconds = broker.cpu_seconds() - cpu_seconds
            assert isinstance(answer, bytes)
            check_heartbeat(key, version, answer)
        figures[BEAT_RATE[protocol].key] = count * IN_FLIGHT / seconds
        figures[BEAT_CPU[protocol].key] = cpu_seconds * 1e6 / (count * IN_FLIGHT)
    return figures


def check_heartbeat(key: ApiKey, version: int, answer: bytes) -> None:
    """Raises UnexpectedAnswer: it says that something is wrong."""
    error_code = decode_answer(key, version, answer, HEARTBEAT_RESPONSES[key]).error_code
    if error_code:
        raise UnexpectedAnswer(f"{key.name}: error {error_code}")


def _warm_up(measure: Callable[[Broker, Scale, str], Figures]) -> Callable[[Broker, Scale, str], object]:
    """Apache Kafka compiles what it does often: three rounds that do not count."""

    def warm_up(broker: Broker, scale: Scale, name: str) -> None:
        for number in range(3):
            measure(broker, scale, f"{name}-{number}")

    return warm_up


REQUIRED = frozenset({*HEARTBEAT_RESPONSES, ApiKey.JOIN_GROUP})
GROUPS = SteadyRow(
    name="groups",
    metrics=tuple(FORMED.values()),
    requires=REQUIRED,
    warm_up=_warm_up(measure_formed),
    measure=measure_formed,
    time_limit_seconds=120.0,
    settings=SETTINGS,
)
REBALANCE = SteadyRow(
    name="rebalance",
    metrics=tuple(metric for key in REBALANCED for metric in (REBALANCE_MS[key], REBALANCE_CPU[key])),
    requires=REQUIRED,
    warm_up=_warm_up(measure_rebalance),
    measure=measure_rebalance,
    time_limit_seconds=180.0,
    settings=SETTINGS,
)
HEARTBEATS = SteadyRow(
    name="heartbeats",
    metrics=tuple(metric for protocol in PROTOCOLS for metric in (BEAT_RATE[protocol], BEAT_CPU[protocol])),
    requires=REQUIRED,
    warm_up=_warm_up(measure_heartbeats),
    measure=measure_heartbeats,
    time_limit_seconds=120.0,
    settings=SETTINGS,
)
