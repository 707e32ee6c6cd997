"""What an unmodified admin client sees of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pytest

from compat_tests.deadlines import eventually

kafka_admin = pytest.importorskip("kafka.admin")
kafka_errors = pytest.importorskip("kafka.errors")


class PartitionView(NamedTuple):
    """`leader` is -1 when there is none."""

    leader: int
    replicas: list[int]
    isr: list[int]


@contextmanager
def admin_client(bootstrap: str) -> Iterator[Any]:
    client = kafka_admin.KafkaAdminClient(
        bootstrap_servers=bootstrap,
        retry_backoff_ms=50,
        reconnect_backoff_ms=20,
        reconnect_backoff_max_ms=100,
        request_timeout_ms=3_000,
    )
    try:
        yield client
    finally:
        client.close()


def partitions_of(bootstrap: str, topic: str) -> dict[int, PartitionView]:
    """By index; none while the topic is not known there."""
    with admin_client(bootstrap) as admin:
        return partitions_seen(admin, topic)


def partitions_seen(admin: Any, topic: str) -> dict[int, PartitionView]:
    described = admin.describe_topics([topic])
    return {
        each["partition_index"]: PartitionView(
            each["leader_id"], list(each["replica_nodes"]), sorted(each["isr_nodes"])
        )
        for one in described
        for each in one["partitions"]
    }


def until_in_sync(bootstrap: str, topic: str, replicas: int = 3, seconds: float = 30.0) -> dict[int, PartitionView]:
    """Return when every partition of the topic has a leader and so many replicas in sync."""
    with admin_client(bootstrap) as admin:

        def in_sync() -> dict[int, PartitionView] | None:
            seen = partitions_seen(admin, topic)
            whole = all(each.leader >= 0 and len(each.isr) == replicas for each in seen.values())
            return seen if seen and whole else None

        found = eventually(in_sync, f"{replicas} replicas of each partition of {topic} are in sync", seconds=seconds)
    assert found is not None
    return found


def controller_of(bootstrap: str) -> int:
    """The active controller."""
    with admin_client(bootstrap) as admin:

        def leader() -> int:
            with suppress(kafka_errors.KafkaError):
                (topic,) = admin.describe_metadata_quorum()["topics"]
                return max(0, int(topic["partitions"][0]["leader_id"]))
            return 0

        return eventually(leader, "the quorum has a leader")


def brokers_seen(bootstrap: str) -> set[int]:
    """The ids of the brokers that clients are told of."""
    with admin_client(bootstrap) as admin:
        return {broker["broker_id"] for broker in admin.describe_cluster()["brokers"]}


def create_topic(bootstrap: str, name: str, partitions: int = 1, replicas: int = 3, **settings: str) -> None:
    """Settings by Kafka's names, dots as underscores. Asked of whatever broker answers first."""
    configs = {key.replace("_", "."): value for key, value in settings.items()}
    with admin_client(bootstrap) as admin:
        admin.create_topics({name: {"num_partitions": partitions, "replication_factor": replicas, "configs": configs}})
