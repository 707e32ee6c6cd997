"""How fast replicas move: the throttles of `kafka-reassign-partitions --throttle` (KIP-73).

The settings of a topic name the replicas that are throttled: those that send as leaders, and those that are new. The
settings of a broker say how many bytes a second all of its throttled replicas send, or fetch. The throttles hold until
they are taken away, also for a replica that merely catches up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.client.configs import BROKER, SOURCES, TOPIC, Resource
from kafkapy.client.errors import check
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.offsets import Partition
    from kafkapy.client.reassignments import Move
    from kafkapy.client.spreading import Replicas

LEADER_REPLICAS = "leader.replication.throttled.replicas"
FOLLOWER_REPLICAS = "follower.replication.throttled.replicas"
LEADER_RATE = "leader.replication.throttled.rate"
FOLLOWER_RATE = "follower.replication.throttled.rate"

_SET = 0
_DELETE = 1
_TOPIC_CONFIG = next(number for number, name in SOURCES.items() if name == "DYNAMIC_TOPIC_CONFIG")


class Route(NamedTuple):
    """The brokers whose replicas of a partition may send, and those that are to get one."""

    sources: list[int]
    destinations: list[int]


def routes(planned: Replicas, present: Replicas, moving: Mapping[Partition, Move]) -> dict[Partition, Route]:
    """Of the planned partitions and of those under way, as the settings of a topic are for all of its partitions."""
    found = {
        partition: Route([one for one in move.replicas if one not in move.adding], move.adding)
        for partition, move in moving.items()
    }
    for partition, replicas in planned.items():
        sources = found[partition].sources if partition in found else present[partition]
        found[partition] = Route(sources, [one for one in replicas if one not in sources])
    return {partition: route for partition, route in sorted(found.items()) if route.destinations}


def throttle(cluster: Cluster, among: Mapping[Partition, Route], bytes_per_second: int) -> None:
    """Have the replicas of these routes send and fetch at most so much, on each broker. Raises Refused, TryAgain."""
    brokers: set[int] = set()
    replicas: dict[str, tuple[list[str], list[str]]] = {}
    for (topic, index), route in among.items():
        leaders, followers = replicas.setdefault(topic, ([], []))
        leaders += [f"{index}:{broker}" for broker in route.sources]
        followers += [f"{index}:{broker}" for broker in route.destinations]
        brokers.update(route.sources, route.destinations)
    if not replicas:
        return
    changed = {
        topic: {LEADER_REPLICAS: ",".join(leaders), FOLLOWER_REPLICAS: ",".join(followers)}
        for topic, (leaders, followers) in replicas.items()
    }
    _alter_topics(cluster, changed)
    rate = str(bytes_per_second)
    _alter_brokers(cluster, brokers, {LEADER_RATE: rate, FOLLOWER_RATE: rate})


def throttled_topics(cluster: Cluster, topics: Collection[str]) -> list[str]:
    """Those of the topics that name throttled replicas."""
    if not topics:
        return []
    request = DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(
                resource_type=TOPIC, resource_name=topic, configuration_keys=[LEADER_REPLICAS, FOLLOWER_REPLICAS]
            )
            for topic in sorted(topics)
        ]
    )

    def attempt() -> list[str]:
        answer = cluster.ask_once(cluster.any_broker(), request, DescribeConfigsResponse)
        return [
            described.resource_name
            for described in answer.results
            if any(
                config.config_source == _TOPIC_CONFIG and config.name in (LEADER_REPLICAS, FOLLOWER_REPLICAS)
                for config in described.configs
            )
        ]

    return cluster.retrying(attempt)


def take_throttles_away(cluster: Cluster, topics: Collection[str]) -> list[str]:
    """Of the topics, and of all brokers if one of the topics was throttled. Returns the topics that were.

    Raises Refused, TryAgain.
    """
    throttled = throttled_topics(cluster, topics)
    if throttled:
        _alter_topics(cluster, {topic: {LEADER_REPLICAS: None, FOLLOWER_REPLICAS: None} for topic in throttled})
        _alter_brokers(cluster, cluster.broker_ids(), {LEADER_RATE: None, FOLLOWER_RATE: None})
    return throttled


def _alter_topics(cluster: Cluster, changed: Mapping[str, Mapping[str, str | None]]) -> None:
    """None takes a setting away. A topic that was deleted meanwhile has none."""
    resources = [_changes(Resource(TOPIC, topic), values) for topic, values in changed.items()]
    request = IncrementalAlterConfigsRequest(resources=resources)

    def attempt() -> None:
        answer = cluster.ask_once(cluster.for_administration(), request, IncrementalAlterConfigsResponse)
        for altered in answer.responses:
            if altered.error_code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                check(altered.error_code, f"topic {altered.resource_name!r}", altered.error_message)

    cluster.retrying(attempt)


def _alter_brokers(cluster: Cluster, brokers: Collection[int], values: Mapping[str, str | None]) -> None:
    """Each is asked for its own settings. One that is down sends and fetches nothing."""
    for broker in sorted(set(brokers) & set(cluster.broker_ids())):
        resource = Resource(BROKER, str(broker))
        request = IncrementalAlterConfigsRequest(resources=[_changes(resource, values)])

        def attempt(
            broker: int = broker, request: IncrementalAlterConfigsRequest = request, words: str = resource.words
        ) -> None:
            answer = cluster.ask_once(cluster.broker(broker), request, IncrementalAlterConfigsResponse)
            for altered in answer.responses:
                check(altered.error_code, words, altered.error_message)

        cluster.retrying(attempt)


def _changes(resource: Resource, values: Mapping[str, str | None]) -> AlterConfigsResource:
    configs = [
        AlterableConfig(name=name, config_operation=_DELETE if value is None else _SET, value=value)
        for name, value in values.items()
    ]
    return AlterConfigsResource(resource_type=resource.type_id, resource_name=resource.name, configs=configs)
