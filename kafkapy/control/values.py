"""Plain values that operations take and return: frozen dataclasses, so that every door can carry them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]
TopicPartition: TypeAlias = tuple[str, int]
Isolation: TypeAlias = Literal["read_committed", "read_uncommitted"]


class NotYet(TimeoutError):
    """What was waited for has not come in time; the message says what there was instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it lies in its partition."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    control: str | None = None
    """COMMIT or ABORT: a marker that ends a transaction, and no client's record."""
    producer_id: int = -1
    is_transactional: bool = False

    def header(self, name: str) -> bytes | None:
        """The value of the last header of this name. Raises KeyError: there is none."""
        for each, value in reversed(self.headers):
            if each == name:
                return value
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A record to be stored. Without a partition its key chooses one, as in Kafka's own producer."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp_ms: int | None = None
    """None: the node's clock."""
    partition: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where a record was stored."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionState:
    """One partition as its leader knows it."""

    leader: int
    """The id of a broker; -1: none."""
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    log_start_offset: int
    high_watermark: int
    last_stable_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic and its partitions, in their order."""

    name: str
    topic_id: str
    partitions: tuple[PartitionState, ...]
    settings: dict[str, str]
    """Those that are set on the topic itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a group and what it was given."""

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as its coordinator knows it."""

    group_id: str
    group_type: str
    """Kafka's words: classic, consumer, share, streams."""
    state: str
    """Kafka's words: Stable, PreparingRebalance, CompletingRebalance, Empty, Dead."""
    protocol: str
    coordinator: int
    members: tuple[Member, ...]
    offsets: dict[TopicPartition, int]
    """What is committed; of a share group, the start offsets that its coordinator has stored."""
    lag: dict[TopicPartition, int]
    """Records between what is committed, or the log's start, and the high watermark.

    For each partition that is committed or assigned; where members subscribe to topics, for all partitions of these.
    """

    @property
    def total_lag(self) -> int:
        return sum(self.lag.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction of a transactional id."""

    transactional_id: str
    state: str
    """Kafka's words: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort."""
    producer_id: int
    producer_epoch: int
    coordinator: int
    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A client's connection."""

    node: int
    listener: str
    address: str
    client_id: str | None
    software: str
    """Name and version as the client says, or `unknown unknown`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMetric:
    """One value of one metric of a client."""

    name: str
    """As KIP-714 or the client calls it: `org.apache.kafka.producer.connection.count`."""
    kind: str
    """OTLP's words: gauge, sum, histogram, exponential_histogram, summary."""
    unit: str
    attributes: dict[str, str]
    value: float | None
    """That of a gauge or a sum; of the others the sum of what they counted."""
    count: int | None
    """How many a histogram or a summary has counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMetricsPush:
    """One PushTelemetry of a client (KIP-714)."""

    node: int
    client_instance_id: str
    client_id: str
    software: str
    address: str
    time_ms: int
    """When it came, by the nodes' clock."""
    is_terminating: bool
    """Whether the client has said that it is its last one."""
    is_malformed: bool
    """Whether the bytes are none that OTLP has for metrics."""
    resource: dict[str, str]
    """What the client says of itself, such as `client_rack` and `group_id`."""
    metrics: tuple[ClientMetric, ...]

    def values(self, name: str) -> list[float | None]:
        """The values of a metric by its whole name, one for each set of attributes."""
        return [each.value for each in self.metrics if each.name == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """The nodes' clock."""

    now_ms: int
    """Since 1970."""
    is_frozen: bool
    next_timer_ms: int | None
    """Milliseconds until the next timer is due; None: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultState:
    """A fault and what it has done."""

    fault_id: int
    rule: dict[str, Any]
    """As it was given."""
    matched: int
    """How many requests have met the rule, whether it did something to them or not."""
    fired: int
    """To how many requests it did something."""
    held: int
    """How many requests wait for its release."""
    is_spent: bool
    """Whether it does nothing any more."""

    def __str__(self) -> str:
        return (
            f"fault {self.fault_id} ({', '.join(f'{name}={json.dumps(value)}' for name, value in self.rule.items())})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A node of the cluster."""

    node_id: int
    roles: tuple[str, ...]
    """broker, controller, or both."""
    rack: str | None
    address: str | None
    """Where clients connect; None: it is no broker."""
    is_running: bool
    is_active_controller: bool
    is_paused: bool = False
    """It runs, and answers nothing: see `pause_node`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedCounts:
    """How much a seed has that was applied, or an export that was written."""

    topics: int
    records: int
    groups: int
    acls: int = 0
