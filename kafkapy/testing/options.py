"""How a cluster of the test kit is made: plain values, so that they can go to another process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Topics: TypeAlias = "Mapping[str, int | Mapping[str, object]]"
"""By name: how many partitions, or `{"partitions": 3, "replicas": 2, "settings": {"cleanup.policy": "compact"}}`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `Kafka` was asked for."""

    nodes: int = 1
    controllers: int | None = None
    """Nodes that are controllers and no brokers; None: the brokers are controllers."""
    racks: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    topics: Topics = field(default_factory=dict)
    host: str = "localhost"
    port: int = 0
    as_kafka: str | None = None
    """The release of Apache Kafka to be taken for, such as 2.8."""
    record: bool = True
    control: bool = False
    """Whether the control API is served, at a free port."""
    log_level: str = "info"
