"""Who has which partitions, for interactive queries: members ask each other's endpoints for state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.coordinators.group.streams.tasks import united
from kafkapy.coordinators.group.streams.topology.endpoints import task_partitions
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.streams_group_heartbeat import (
    EndpointToPartitions,
    StreamsGroupHeartbeatResponseEndpoint,
    TopicPartition,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.coordinators.group.streams.group import StreamsGroup
    from kafkapy.coordinators.group.streams.member import StreamsMember
    from kafkapy.coordinators.group.streams.tasks import Tasks
    from kafkapy.coordinators.group.streams.topology import ConfiguredSubtopology
    from kafkapy_controller.image import MetadataImage


def partitions_by_endpoint(
    group: StreamsGroup,
    member: StreamsMember,
    replaced: StreamsMember | None,
    subtopologies: Mapping[str, ConfiguredSubtopology] | None,
    image: MetadataImage,
) -> list[EndpointToPartitions]:
    """Of every member that has an endpoint; `member`, as it will be, is the last one.

    Raises KafkaError(UNKNOWN_SERVER_ERROR), as Apache Kafka: a member has an endpoint, but source topics are missing.
    """
    if subtopologies is None:
        if member.user_endpoint is None and all(other.user_endpoint is None for other in group.members.values()):
            return []
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
    found = []
    for member_id, other in group.members.items():
        if member_id == member.member_id or (replaced is not None and member_id == replaced.member_id):
            continue
        of = group.endpoints.get(member_id)
        if of is None:
            of = _partitions_of(other, subtopologies, image)
            if of is not None:
                group.endpoints[member_id] = of
        if of is not None:
            found.append(of)
    own = _partitions_of(member, subtopologies, image)
    if own is not None:
        found.append(own)
    return found


def _partitions_of(
    member: StreamsMember, subtopologies: Mapping[str, ConfiguredSubtopology], image: MetadataImage
) -> EndpointToPartitions | None:
    endpoint = member.user_endpoint
    if endpoint is None:
        return None
    held = member.assigned

    def partitions(tasks: Tasks) -> list[TopicPartition]:
        known = {name: indexes for name, indexes in tasks.items() if name in subtopologies}
        return [
            TopicPartition(topic=topic, partitions=indexes)
            for topic, indexes in task_partitions(known, subtopologies, image)
        ]

    return EndpointToPartitions(
        user_endpoint=StreamsGroupHeartbeatResponseEndpoint(host=endpoint.host, port=endpoint.port),
        active_partitions=partitions(held.active_tasks()),
        standby_partitions=partitions(united(held.standby, held.warmup)),
    )
