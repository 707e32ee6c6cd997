"""What `kafkapy configs` asks and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import ClientError, Refused, check
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
)

TOPIC = 2
BROKER = 4
BROKER_LOGGER = 8
CLIENT_METRICS = 16
GROUP = 32

SOURCES = {
    1: "DYNAMIC_TOPIC_CONFIG",
    2: "DYNAMIC_BROKER_CONFIG",
    3: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    4: "STATIC_BROKER_CONFIG",
    5: "DEFAULT_CONFIG",
    6: "DYNAMIC_BROKER_LOGGER_CONFIG",
    7: "DYNAMIC_CLIENT_METRICS_CONFIG",
    8: "DYNAMIC_GROUP_CONFIG",
}
"""Kafka's names of where a value comes from, by `config_source`."""

DEFAULT_SOURCE = 5

_SET = 0
_DELETE = 1


_WORDS = {
    TOPIC: "topic",
    BROKER_LOGGER: "the loggers of broker",
    CLIENT_METRICS: "the client metrics subscription",
    GROUP: "group",
}


class Resource:
    """What settings belong to: type id and name as the protocol has them, and words for the user."""

    __slots__ = ("name", "type_id", "words")

    def __init__(self, type_id: int, name: str) -> None:
        self.type_id = type_id
        self.name = name
        if type_id == BROKER:
            self.words = f"broker {name}" if name else "the brokers' common settings"
        else:
            self.words = f"{_WORDS[type_id]} {name if type_id == BROKER_LOGGER else repr(name)}"


def describe_configs(
    cluster: Cluster, resource: Resource, *, synonyms: bool = False
) -> list[DescribeConfigsResourceResult]:
    """Every setting of the resource with its value and source, by name; with `synonyms` all it is made from.

    Raises Refused.
    """
    request = DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(
                resource_type=resource.type_id, resource_name=resource.name, configuration_keys=None
            )
        ],
        include_synonyms=synonyms,
    )

    def attempt() -> list[DescribeConfigsResourceResult]:
        (found,) = cluster.ask_once(_broker_of(cluster, resource), request, DescribeConfigsResponse).results
        _check_existing(found.error_code, resource, found.error_message)
        return sorted(found.configs, key=lambda config: config.name)

    return cluster.retrying(attempt)


def alter_configs(cluster: Cluster, resource: Resource, changed: Mapping[str, str], deleted: Sequence[str]) -> None:
    """Set some values and take others back to their defaults, all or nothing. Raises Refused."""
    from kafkapy_wire.messages.incremental_alter_configs import (
        AlterableConfig,
        AlterConfigsResource,
        IncrementalAlterConfigsRequest,
        IncrementalAlterConfigsResponse,
    )

    changes = [AlterableConfig(name=name, config_operation=_SET, value=value) for name, value in changed.items()]
    changes += [AlterableConfig(name=name, config_operation=_DELETE, value=None) for name in deleted]
    request = IncrementalAlterConfigsRequest(
        resources=[AlterConfigsResource(resource_type=resource.type_id, resource_name=resource.name, configs=changes)]
    )

    def attempt() -> None:
        answer = cluster.ask_once(_broker_of(cluster, resource), request, IncrementalAlterConfigsResponse)
        (altered,) = answer.responses
        _check_existing(altered.error_code, resource, altered.error_message)

    cluster.retrying(attempt)


def list_client_metrics(cluster: Cluster) -> list[str]:
    """The subscriptions to clients' metrics, by name."""
    from kafkapy_wire.messages.list_config_resources import ListConfigResourcesRequest, ListConfigResourcesResponse

    request = ListConfigResourcesRequest()

    def attempt() -> list[str]:
        # Version 0 lists nothing else.
        answer = cluster.ask_once(cluster.any_broker(), request, ListConfigResourcesResponse, version_max=0)
        check(answer.error_code, "the subscriptions to client metrics")
        return sorted(each.resource_name for each in answer.config_resources)

    return cluster.retrying(attempt)


def _check_existing(code: int, resource: Resource, message: str | None) -> None:
    """As `check`, but an unknown topic is an answer here, although Kafka calls the code retriable."""
    if code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"{resource.words} does not exist")
    check(code, resource.words, message)


def _broker_of(cluster: Cluster, resource: Resource) -> Connection:
    """Settings and loggers of one broker are known to itself alone. Raises ClientError: there is no such broker."""
    if resource.type_id in (BROKER, BROKER_LOGGER) and resource.name:
        node_id = int(resource.name)
        known = cluster.broker_ids()
        if node_id not in known:
            raise ClientError(f"there is no broker {node_id} in the cluster: there is {', '.join(map(str, known))}")
        return cluster.broker(node_id)
    return cluster.any_broker()


def is_own(resource: Resource, config: DescribeConfigsResourceResult) -> bool:
    """Whether the value was set on this very resource."""
    return SOURCES.get(config.config_source) == {
        TOPIC: "DYNAMIC_TOPIC_CONFIG",
        GROUP: "DYNAMIC_GROUP_CONFIG",
        CLIENT_METRICS: "DYNAMIC_CLIENT_METRICS_CONFIG",
        BROKER_LOGGER: "DYNAMIC_BROKER_LOGGER_CONFIG",
        BROKER: "DYNAMIC_BROKER_CONFIG" if resource.name else "DYNAMIC_DEFAULT_BROKER_CONFIG",
    }.get(resource.type_id)
