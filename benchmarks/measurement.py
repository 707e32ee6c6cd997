"""What is measured: rows, their metrics, how much work a run does, and the figures that come out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from benchmarks.peers import Broker, Peer
from kafkapy_wire.api_keys import ApiKey


class Better(Enum):
    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table; `key` is its name in the JSON."""

    key: str
    title: str
    unit: str
    better: Better = Better.LOWER


@dataclass(frozen=True, slots=True)
class Throughput:
    """Bytes that a broker got through, and what that took."""

    size_bytes: int
    seconds: float
    cpu_seconds: float  # of the broker

    @property
    def mb_per_second(self) -> float:
        return self.size_bytes / 1e6 / self.seconds

    @property
    def cpu_seconds_per_gb(self) -> float:
        return self.cpu_seconds / (self.size_bytes / 1e9)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much work one round of one row does."""

    name: str
    rounds: int
    rest_seconds: float
    warm_up_requests: int  # one-record produces before the first round; see the README for how the number was found
    produce_samples: int
    delivery_samples: int
    pipelined_requests: int
    batch_count: int
    read_passes: int
    connection_sweeps: int
    created_topics: int  # one at a time
    metadata_samples: int
    idempotence_slices: int
    transactions: int
    compaction_mb: int
    big_log_mb: int
    cluster_partitions: int


FULL = Scale(
    name="full",
    rounds=5,
    rest_seconds=2.0,
    warm_up_requests=200_000,
    produce_samples=2_000,
    delivery_samples=500,
    pipelined_requests=20_000,
    # Few enough that a run leaves less than 2 GB behind: above a tenth of the memory, Linux makes the writers wait for
    # the disk, and what is measured is the disk.
    batch_count=64,
    read_passes=16,
    connection_sweeps=5,
    created_topics=100,
    metadata_samples=30,
    idempotence_slices=30,
    transactions=500,
    compaction_mb=256,
    big_log_mb=10_000,
    cluster_partitions=10_000,
)
QUICK = Scale(
    name="quick",
    rounds=2,
    rest_seconds=1.0,
    warm_up_requests=30_000,
    produce_samples=500,
    delivery_samples=150,
    pipelined_requests=5_000,
    batch_count=64,
    read_passes=4,
    connection_sweeps=2,
    created_topics=50,
    metadata_samples=10,
    idempotence_slices=10,
    transactions=150,
    compaction_mb=64,
    big_log_mb=512,
    cluster_partitions=1_000,
)

Figures = Mapping[str, float]  # metric key -> value, of one round


@dataclass(frozen=True, slots=True)
class LifecycleRow:
    """A row that starts and stops brokers itself, as often as it needs."""

    name: str
    metrics: tuple[Metric, ...]
    measure: Callable[[Peer, Scale], Figures]
    time_limit_seconds: float  # of one round of one peer
    rounds_max: int | None = None  # for a row that takes long


@dataclass(frozen=True, slots=True)
class SteadyRow:
    """A row measured on a broker that runs through all rounds of the row and has been warmed up.

    `warm_up` and `measure` get a topic name that was not used before. `requires`: APIs that a peer must serve.
    `durable`: brokers that can do without fsync of their metadata must not. `settings` are given to every peer.
    """

    name: str
    metrics: tuple[Metric, ...]
    requires: frozenset[ApiKey]
    warm_up: Callable[[Broker, Scale, str], object]
    measure: Callable[[Broker, Scale, str], Figures]
    time_limit_seconds: float
    durable: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    rounds_max: int | None = None  # for a row that takes long


Row = LifecycleRow | SteadyRow


def rounds_of(row: Row, scale: Scale) -> int:
    """How often each peer is measured in this row."""
    return scale.rounds if row.rounds_max is None else min(scale.rounds, row.rounds_max)


@dataclass(slots=True)
class Results:
    """Every figure of a run: metric key -> who -> one value a round. `who` is a peer's name or a yardstick's."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)  # row name -> peer name -> why
    failed: bool = False  # a peer that should take part in a row did not come through

    def add(self, who: str, figures: Figures) -> None:
        for key, value in figures.items():
            self.values.setdefault(key, {}).setdefault(who, []).append(value)

    def median(self, key: str, who: str) -> float | None:
        """The median of the rounds, or None: not measured."""
        rounds = self.values.get(key, {}).get(who)
        return statistics.median(rounds) if rounds else None


def percentile(samples: list[float], percent: float) -> float:
    """The smallest sample that at least `percent` of them do not exceed (nearest rank)."""
    rank = math.ceil(len(samples) * percent / 100)
    return sorted(samples)[max(rank, 1) - 1]
