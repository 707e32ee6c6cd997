"""Heartbeats of streams groups that are told more than that they may not."""

from __future__ import annotations

from compat_tests.differential.acl_numbers import AclOperation as Op
from compat_tests.differential.authorization import group, topic
from compat_tests.differential.authorization_requests import BOTH_TOPICS_DESCRIBE, A, B, Case, plain
from kafkapy_wire.messages import streams_group_heartbeat as w_heartbeat

NEW_GROUP = "auth-new-streams"
CHANGELOGS = ("auth-log-a", "auth-log-b")
NEVER_CREATED = CHANGELOGS[0]
"""The client may create the other one: unless it may create all that are missing, none is created."""


def _topology(*sources: str, changelogs: tuple[str, ...] = ()) -> w_heartbeat.Topology:
    return w_heartbeat.Topology(
        epoch=0,
        subtopologies=[
            w_heartbeat.Subtopology(
                subtopology_id="0",
                source_topics=[*sources],
                state_changelog_topics=[w_heartbeat.TopicInfo(name=name) for name in changelogs],
            )
        ],
    )


STREAMS_CASES: tuple[Case, ...] = (
    plain(
        "streams group heartbeat of a member that may create one of two topics",
        w_heartbeat.StreamsGroupHeartbeatRequest,
        group(Op.READ, NEW_GROUP),
        topic(Op.DESCRIBE, A),
        *(topic(Op.DESCRIBE, name) for name in CHANGELOGS),
        *(topic(Op.CREATE, name) for name in CHANGELOGS if name != NEVER_CREATED),
        group_id=NEW_GROUP,
        member_id="member",
        member_epoch=0,
        rebalance_timeout_ms=60_000,
        process_id="process",
        topology=_topology(A, changelogs=CHANGELOGS),
        active_tasks=[],
        standby_tasks=[],
        warmup_tasks=[],
    ),
    plain(
        "streams group heartbeat with names that no topology may have",
        w_heartbeat.StreamsGroupHeartbeatRequest,
        group(Op.READ, NEW_GROUP),
        *BOTH_TOPICS_DESCRIBE,
        group_id=NEW_GROUP,
        member_id="member",
        member_epoch=0,
        topology=_topology(A, B, "__consumer_offsets", "not valid"),
    ),
)
