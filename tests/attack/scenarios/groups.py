"""Members of groups that only come: thousands that never beat, and some that name very many topics."""

from __future__ import annotations

import time

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse
from kafkapy_wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from tests.attack.attacker import Attacker
from tests.attack.scenario import Ground, Scenario

GROUP, TOPIC = "crowd", "crowded"
PARTITIONS = 1_000
PIPELINED = 200
LATER_SECONDS = 1.1
"""Beyond group.consumer.assignment.interval.ms: the next member has the whole group assigned anew."""


def begin(ground: Ground) -> Attacker:
    attacker = ground.attacker()
    attacker.create_topic(TOPIC, PARTITIONS)
    code = None
    while code != ErrorCode.NONE:
        found = attacker.ask(FindCoordinatorRequest(coordinator_keys=[GROUP]), FindCoordinatorResponse, 4)
        code = found.coordinators[0].error_code
    return attacker


def joining(member_id: str, topics: list[str]) -> ConsumerGroupHeartbeatRequest:
    return ConsumerGroupHeartbeatRequest(
        group_id=GROUP,
        member_id=member_id,
        member_epoch=0,
        rebalance_timeout_ms=60_000,
        subscribed_topic_names=topics,
        topic_partitions=[],
    )


def never_beat(ground: Ground) -> None:
    """As many members as a group takes and some more; then it is assigned anew and described, again and again."""
    attacker = begin(ground)
    refused = 0
    count = ground.scaled(10_200)
    for first in range(0, count, PIPELINED):
        for number in range(first, min(first + PIPELINED, count)):
            attacker.send(joining(f"member-{number}", [TOPIC]), 1)
        for _ in range(first, min(first + PIPELINED, count)):
            answer = attacker.receive(ConsumerGroupHeartbeatResponse, 1)
            assert answer.error_code in (ErrorCode.NONE, ErrorCode.GROUP_MAX_SIZE_REACHED), answer
            refused += answer.error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert refused == max(0, count - 10_000)
    for _ in range(3):
        time.sleep(LATER_SECONDS)
        attacker.ask(joining("member-0", [TOPIC, "another"]), ConsumerGroupHeartbeatResponse, 1)
        described = attacker.ask(ConsumerGroupDescribeRequest(group_ids=[GROUP]), ConsumerGroupDescribeResponse, 1)
        assert len(described.groups[0].members) == min(count, 10_000)


def name_very_much(ground: Ground) -> None:
    """Members that name ten thousand topics each, and others in place of them: refused when they are too many."""
    attacker = begin(ground)
    codes = []
    for number in range(ground.scaled(100)):
        names = [f"{number // 2}-{topic}" for topic in range(10_000)]
        codes.append(attacker.ask(joining(f"member-{number}", names), ConsumerGroupHeartbeatResponse, 1).error_code)
    assert {*codes} <= {ErrorCode.NONE, ErrorCode.INVALID_REQUEST}
    assert len(codes) < 10 or ErrorCode.INVALID_REQUEST in codes


SCENARIOS = [
    Scenario(
        "members that never beat",
        "10,200 of one consumer group, which is then assigned and described three times",
        never_beat,
        cpu_seconds_max=4,
        memory_mb_max=100,
    ),
    Scenario(
        "members that name very many topics",
        "100 of one consumer group with 10,000 names each",
        name_very_much,
        cpu_seconds_max=4,
        memory_mb_max=100,
    ),
]
