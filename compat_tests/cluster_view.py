"""All of a cluster that its clients can see, as plain data: two brokers with the same data give equal views.

Left out is what a restart or another broker may change: addresses, epochs of leaders, settings that nobody made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import pytest

from compat_tests.broker import Broker, Reachable
from compat_tests.deadlines import eventually

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_admin = pytest.importorskip("kafka.admin")
kafka_errors = pytest.importorskip("kafka.errors")
kafka_structs = pytest.importorskip("kafka.structs")
kafka_offsets = pytest.importorskip("kafka.protocol.consumer.offsets")

COORDINATOR_TOPICS = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})
SHOWN_BYTES_MAX = 60
EARLIEST_TIMESTAMP, LATEST_TIMESTAMP = -2, -1
NODE_ID = 1
MADE_BY_SOMEBODY = frozenset({"DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG"})


class SeenRecord(NamedTuple):
    """A record as a consumer gets it; its value as `shown`, so that a difference can be read."""

    offset: int
    timestamp: tuple[int, int]
    """Type and milliseconds."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass
class ClusterView:
    """What clients see. Partitions are named (topic, index)."""

    cluster_id: str = ""
    topic_ids: dict[str, str] = field(default_factory=dict)
    partition_counts: dict[str, int] = field(default_factory=dict)
    topic_settings: dict[str, dict[str, str]] = field(default_factory=dict)
    broker_settings: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What AlterConfigs made: whether of one broker or of all, and the value."""
    offsets: dict[tuple[str, int], tuple[int, int, int]] = field(default_factory=dict)
    """Earliest, last stable, latest. Not of the coordinators' topics: those write when they see fit."""
    records: dict[tuple[str, int], list[SeenRecord]] = field(default_factory=dict)
    """Of topics that are not compacted."""
    committed_records: dict[tuple[str, int], list[SeenRecord]] = field(default_factory=dict)
    """The same as a reader of committed records sees it, where that is something else."""
    tables: dict[tuple[str, int], dict[bytes | None, SeenRecord]] = field(default_factory=dict)
    """Of compacted topics: the last record of each key that has a value."""
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    committed_offsets: dict[str, dict[tuple[str, int], tuple[int, str]]] = field(default_factory=dict)
    """By group: offset and metadata."""
    transactions: dict[str, dict[str, Any]] = field(default_factory=dict)
    producers: dict[tuple[str, int], set[tuple[int, int, int, int]]] = field(default_factory=dict)
    """Producer id, epoch, last sequence, first offset of its open transaction or -1."""


def view(broker: Broker, offsets_only: Collection[str] = ()) -> ClusterView:
    """Look at everything, of the groups `offsets_only` at their offsets.

    Asks again while coordinators are loading, as clients do after a start.
    """
    admin = kafka_admin.KafkaAdminClient(bootstrap_servers=broker.bootstrap, retry_backoff_ms=50)
    with closing(admin):
        seen = ClusterView(cluster_id=admin.describe_cluster()["cluster_id"])
        _see_topics(admin, seen)
        _see_settings(admin, seen)
        _see_offsets(admin, seen)
        for see in (partial(_see_groups, offsets_only), _see_transactions):
            eventually(partial(_once_loaded, see, admin, seen), "the coordinators have loaded what is theirs")
    compacted = {
        name for name, settings in seen.topic_settings.items() if "compact" in settings.get("cleanup.policy", "")
    }
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(read_partitions, broker, seen.offsets)
        committed = read_partitions(broker, seen.offsets, committed_only=True)
    for partition, records in reading.result().items():
        if partition[0] in compacted:
            last = {record.key: record for record in committed[partition]}
            seen.tables[partition] = {key: record for key, record in last.items() if record.value is not None}
        else:
            seen.records[partition] = records
            if committed[partition] != records:
                seen.committed_records[partition] = committed[partition]
    return seen


def read_partitions(
    broker: Reachable, partitions: Iterable[tuple[str, int]], *, committed_only: bool = False
) -> dict[tuple[str, int], list[SeenRecord]]:
    """Everything from the beginning to the end as it is now."""
    records: dict[tuple[str, int], list[SeenRecord]] = {partition: [] for partition in partitions}
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "nobody's",  # the client wants a name; it commits nothing
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "isolation.level": "read_committed" if committed_only else "read_uncommitted",
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
    )
    with closing(consumer):
        consumer.assign(
            [confluent_kafka.TopicPartition(*partition, confluent_kafka.OFFSET_BEGINNING) for partition in records]
        )
        unread = set(records)

        def at_the_end() -> bool:
            for message in consumer.consume(500, 0.02):
                partition = (message.topic(), message.partition())
                if message.error() is None:
                    records[partition].append(_seen(message))
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    unread.discard(partition)
                else:
                    raise AssertionError(message.error())
            return not unread

        if unread:
            eventually(at_the_end, "the end of every partition", pause_seconds=0)
    return records


def shown(value: bytes | None) -> bytes | None:
    """A long value as its length and digest."""
    if value is None or len(value) <= SHOWN_BYTES_MAX:
        return value
    return b"%d bytes " % len(value) + hashlib.sha256(value).hexdigest()[:16].encode()


def _seen(message: Any) -> SeenRecord:
    headers = tuple(message.headers() or ())
    return SeenRecord(message.offset(), message.timestamp(), message.key(), shown(message.value()), headers)


def _see_topics(admin: Any, seen: ClusterView) -> None:
    for topic in admin.describe_topics():
        seen.topic_ids[topic["name"]] = topic["topic_id"]
        seen.partition_counts[topic["name"]] = len(topic["partitions"])


def _see_settings(admin: Any, seen: ClusterView) -> None:
    kinds = kafka_admin.ConfigResourceType
    topics = [kafka_admin.ConfigResource(kinds.TOPIC, name) for name in seen.topic_ids]
    for name, settings in admin.describe_configs(topics, config_filter="all")["topic"].items():
        seen.topic_settings[name] = {key: value for key, (_, value) in _made(settings).items()}
    node = str(NODE_ID)
    described = admin.describe_configs([kafka_admin.ConfigResource(kinds.BROKER, node)], config_filter="all")
    seen.broker_settings = _made(described["broker"][node])


def _made(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    return {
        name: (setting["config_source"], setting["value"])
        for name, setting in settings.items()
        if setting["config_source"] in MADE_BY_SOMEBODY
    }


def _see_offsets(admin: Any, seen: ClusterView) -> None:
    counts = {topic: count for topic, count in seen.partition_counts.items() if topic not in COORDINATOR_TOPICS}
    partitions = [(topic, index) for topic, count in counts.items() for index in range(count)]
    committed = kafka_offsets.IsolationLevel.READ_COMMITTED

    def ask(timestamp: int, **options: Any) -> dict[Any, Any]:
        specs = {kafka_structs.TopicPartition(*partition): timestamp for partition in partitions}
        answered: dict[Any, Any] = admin.list_partition_offsets(specs, **options)
        return answered

    earliest, latest = ask(EARLIEST_TIMESTAMP), ask(LATEST_TIMESTAMP)
    stable = ask(LATEST_TIMESTAMP, isolation_level=committed)
    for named in earliest:
        seen.offsets[named.topic, named.partition] = (
            earliest[named].offset, stable[named].offset, latest[named].offset,
        )  # fmt: skip


def _see_groups(offsets_only: Collection[str], admin: Any, seen: ClusterView) -> None:
    names = {group["group_id"] for group in admin.list_groups()}
    for name in names.difference(offsets_only):
        (description,) = admin.describe_groups([name]).values()
        seen.groups[name] = {
            "state": description["group_state"],
            "protocol": (description["protocol_type"], description["protocol_data"]),
            "members": {
                member["member_id"]: (member["group_instance_id"], str(member["member_assignment"]))
                for member in description["members"]
            },
        }
    for name in names.union(offsets_only):
        (offsets,) = admin.list_group_offsets(name).values()
        seen.committed_offsets[name] = {tuple(tp): (o.offset, o.metadata) for tp, o in offsets.items()}


def _see_transactions(admin: Any, seen: ClusterView) -> None:
    ids = sorted(listing.transactional_id for listed in admin.list_transactions().values() for listing in listed)
    for transactional_id, described in (admin.describe_transactions(ids) if ids else {}).items():
        seen.transactions[transactional_id] = {
            "state": described.state.value,
            "producer": (described.producer_id, described.producer_epoch),
            "timeout": described.transaction_timeout_ms,
            "partitions": sorted(tuple(partition) for partition in described.topic_partitions),
        }
    named = [kafka_structs.TopicPartition(*partition) for partition in seen.offsets]
    for partition, state in admin.describe_producers(named).items():
        if state.active_producers:
            seen.producers[tuple(partition)] = {
                (p.producer_id, p.producer_epoch, p.last_sequence, p.current_transaction_start_offset)
                for p in state.active_producers
            }


def _once_loaded(see: Callable[[Any, ClusterView], None], admin: Any, seen: ClusterView) -> bool:
    try:
        see(admin, seen)
    except (kafka_errors.CoordinatorLoadInProgressError, kafka_errors.CoordinatorNotAvailableError):
        return False
    return True
