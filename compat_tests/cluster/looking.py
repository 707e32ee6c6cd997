"""What unmodified admin clients see of a cluster: leaders, replicas in sync, coordinators, the controller.

Most of it is librdkafka, which goes on with another broker when one is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pytest

from compat_tests import client_login
from compat_tests.deadlines import PATIENCE_SECONDS, eventually

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")
kafka_admin = pytest.importorskip("kafka.admin")
kafka_errors = pytest.importorskip("kafka.errors")
kafka_structs = pytest.importorskip("kafka.structs")

OPERATOR = "operator"
"""Whom they log in as, where clients have to."""
ASK_SECONDS = 5.0
QUICK = {
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
    "retry.backoff.ms": 20,
    "socket.timeout.ms": 3_000,
    "log_level": 0,
}


class PartitionView(NamedTuple):
    """`leader` is -1 when there is none."""

    leader: int
    replicas: list[int]
    isr: list[int]


def librdkafka(bootstrap: str) -> Any:
    """An admin client."""
    return confluent_admin.AdminClient({"bootstrap.servers": bootstrap, **QUICK, **client_login.librdkafka(OPERATOR)})


@contextmanager
def admin_client(bootstrap: str) -> Iterator[Any]:
    """That of kafka-python."""
    client = kafka_admin.KafkaAdminClient(
        **client_login.kafka_python(OPERATOR),
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


def create_topic(bootstrap: str, name: str, partitions: int = 1, replicas: int = 3, **settings: str) -> None:
    """Settings by Kafka's names, dots as underscores; `partitions` is their number."""
    configs = {key.replace("_", "."): value for key, value in settings.items()}
    client = librdkafka(bootstrap)
    (future,) = client.create_topics([confluent_admin.NewTopic(name, partitions, replicas, config=configs)]).values()
    future.result(PATIENCE_SECONDS)


def partitions_of(bootstrap: str, topic: str) -> dict[int, PartitionView]:
    """By index; none while the topic is not known there."""
    return partitions_seen(librdkafka(bootstrap), topic)


def partitions_seen(client: Any, topic: str) -> dict[int, PartitionView]:
    found = client.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic]
    return {
        index: PartitionView(each.leader, list(each.replicas), sorted(each.isrs))
        for index, each in found.partitions.items()
    }


def until_in_sync(bootstrap: str, topic: str, replicas: int = 3) -> dict[int, PartitionView]:
    """Return when every partition of the topic has a leader and so many replicas in sync."""
    client = librdkafka(bootstrap)

    def in_sync() -> dict[int, PartitionView] | None:
        seen = partitions_seen(client, topic)
        whole = all(each.leader >= 0 and len(each.isr) == replicas for each in seen.values())
        return seen if seen and whole else None

    found = eventually(in_sync, f"{replicas} replicas of each partition of {topic} are in sync")
    assert found is not None
    return found


def brokers_seen(bootstrap: str) -> set[int]:
    """The ids of the brokers that clients are told of."""
    return set(librdkafka(bootstrap).list_topics(timeout=PATIENCE_SECONDS).brokers)


def elect_preferred(bootstrap: str) -> None:
    """Every partition is led by its first replica again, if that is in sync."""
    client = librdkafka(bootstrap)  # gives up what it was asked for when nobody holds it any more
    client.elect_leaders(confluent_kafka.ElectionType.PREFERRED, None).result(PATIENCE_SECONDS)


def controller_of(bootstrap: str) -> int:
    """The active controller."""

    def leader() -> int:
        # A broker that is gone is still told of for a while, and kafka-python may choose it.
        with suppress(kafka_errors.KafkaError), admin_client(bootstrap) as admin:
            (topic,) = admin.describe_metadata_quorum()["topics"]
            return max(0, int(topic["partitions"][0]["leader_id"]))
        return 0

    return eventually(leader, "the quorum has a leader")


def group_on(bootstrap: str, node_id: int, name: str) -> str:
    """The name of a group that this broker coordinates now; it begins with `name`."""
    names = (f"{name}-{n}" for n in range(200))
    return next(group for group in names if coordinator_of(bootstrap, group) == node_id)


def until_coordinators_loaded(bootstrap: str, partitions: int = 6) -> None:
    """Return when groups find their coordinators at work, in whatever partition of __consumer_offsets they are."""
    for n in range(8 * partitions):  # groups are spread by a hash: no partition is likely to be left out
        coordinator_of(bootstrap, f"nobody-{n}")


def coordinator_of(bootstrap: str, group: str) -> int:
    """Which broker coordinates the group, once one does.

    A client asks once: librdkafka 2.16 seems to keep the coordinator that it was told for its admin requests, and was
    seen to get NOT_COORDINATOR from it for 30 s after another leader was elected.
    """

    told = ""

    def found() -> int:
        nonlocal told
        try:
            client = librdkafka(bootstrap)
            (future,) = client.describe_consumer_groups([group], request_timeout=ASK_SECONDS).values()
            return int(future.result().coordinator.id)
        except confluent_kafka.KafkaException as error:
            told = str(error)
        return 0

    try:
        return eventually(found, f"a coordinator of group {group}")
    except AssertionError as error:
        error.add_note(f"the last to be told was {told}")
        raise
