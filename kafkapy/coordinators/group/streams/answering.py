"""The answer to a heartbeat of a streams group's member."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.coordinators.group.streams.topology import StreamsStatus
from kafkapy_wire.messages.streams_group_heartbeat import (
    Status,
    StreamsGroupHeartbeatResponse,
    StreamsGroupHeartbeatResponseTaskIds,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy.coordinators.group.streams.group_settings import StreamsGroupSettings
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.topology import ConfiguredTopology, StoredTopology
    from kafkapy_wire.messages.create_topics import CreatableTopic

FIRST_VERSION_WITH_CLIENT_TAG_STATUS = 1


class Beaten(NamedTuple):
    """The outcome of a heartbeat."""

    response: StreamsGroupHeartbeatResponse
    internal_topics: Mapping[str, CreatableTopic] = {}
    """Those that are to be created."""
    first_assignment_in_ms: int = 0
    """How long further members are waited for, from now on; 0: not, or not from now on."""


def status(code: StreamsStatus, detail: str) -> Status:
    return Status(status_code=code, status_detail=detail)


def left(member_id: str, member_epoch: int) -> Beaten:
    return Beaten(StreamsGroupHeartbeatResponse(member_id=member_id, member_epoch=member_epoch, status=[]))


def beaten(member: StreamsMember, settings: StreamsGroupSettings) -> StreamsGroupHeartbeatResponse:
    """The answer without tasks, endpoints and status."""
    return StreamsGroupHeartbeatResponse(
        member_id=member.member_id,
        member_epoch=member.epoch,
        heartbeat_interval_ms=settings.heartbeat_interval_ms,
        task_offset_interval_ms=settings.task_offset_interval_ms,
        acceptable_recovery_lag=settings.acceptable_recovery_lag,
    )


def tell_tasks(response: StreamsGroupHeartbeatResponse, member: StreamsMember) -> None:
    response.active_tasks = _tasks(member.assigned.active)
    response.standby_tasks = _tasks(member.assigned.standby)
    response.warmup_tasks = _tasks(member.assigned.warmup)


def stale_topology(member: StreamsMember, known: StoredTopology | None) -> list[Status]:
    if known is None or member.topology_epoch >= known.epoch:
        return []
    detail = f"The member's topology epoch {member.topology_epoch} is behind the group's topology epoch {known.epoch}."
    return [status(StreamsStatus.STALE_TOPOLOGY, detail)]


def topic_problem(configured: ConfiguredTopology) -> list[Status]:
    problem = configured.problem
    return [] if problem is None else [status(problem.status, problem.message)]


def shutdown(requested_by: str | None) -> list[Status]:
    if requested_by is None:
        return []
    detail = (
        f"Streams group member {requested_by} encountered a fatal error and requested a shutdown for the entire "
        "application."
    )
    return [status(StreamsStatus.SHUTDOWN_APPLICATION, detail)]


def missing_tags(member: StreamsMember, wanted: Iterable[str], api_version: int) -> list[Status]:
    missing = [tag for tag in wanted if tag not in member.client_tags]
    if not missing or api_version < FIRST_VERSION_WITH_CLIENT_TAG_STATUS:
        return []
    detail = (
        f"Missing required client tags for rack-aware standby assignment: [{', '.join(missing)}]. "
        "Configure them via 'client.tag.<tagKey>' in your Streams config."
    )
    return [status(StreamsStatus.MISSING_CLIENT_TAGS, detail)]


def _tasks(tasks: Mapping[str, Iterable[int]]) -> list[StreamsGroupHeartbeatResponseTaskIds]:
    return [
        StreamsGroupHeartbeatResponseTaskIds(subtopology_id=name, partitions=sorted(tasks[name]))
        for name in sorted(tasks)
    ]
