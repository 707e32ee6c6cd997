"""The two clusters that are compared, before they are started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compat_tests.cluster.processes import ClusterProcesses

RACKS = {1: "a", 2: "b", 3: "c"}
SETTINGS = {
    # A broker is missed late enough that a busy machine is not taken for a dead one.
    "broker.session.timeout.ms": "4000",
    "replica.lag.time.max.ms": "4000",
    # Leaders move when a scenario says so, and at no other time.
    "auto.leader.rebalance.enable": "false",
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    "log.retention.ms": "-1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "group.min.session.timeout.ms": "100",
}


@contextmanager
def cluster_of(directory: Path, *, apache: bool, strict: bool = False) -> Iterator[ClusterProcesses]:
    """Brokers 1, 2 and 3, all of one kind. Node 1 is the only voter, so that the others may die without an election."""
    cluster = ClusterProcesses(
        directory,
        3,
        apache=range(1, 4) if apache else (),
        settings=SETTINGS,
        own_settings={node_id: {"broker.rack": rack} for node_id, rack in RACKS.items()},
        voters_in_log=True,
        variables={"KAFKAPY_STRICT": "true"} if strict else {},
    )
    try:
        yield cluster
    finally:
        cluster.close()
