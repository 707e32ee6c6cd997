"""What is measured, one module a family of rows; ROWS and CLUSTER_ROWS have them in the order of the tables."""

from __future__ import annotations

from benchmarks.measurement import Row
from benchmarks.rows.authorized import AUTHORIZED
from benchmarks.rows.batches import BATCHES
from benchmarks.rows.big_log import BIG_LOG
from benchmarks.rows.cluster_partitions import CLUSTER_PARTITIONS
from benchmarks.rows.compaction import COMPACTION
from benchmarks.rows.connections import CONNECTIONS
from benchmarks.rows.failover import FAILOVER, FAILOVER_SHORT
from benchmarks.rows.formed import FORMED
from benchmarks.rows.group_memory import GROUP_MEMORY
from benchmarks.rows.groups import GROUPS, HEARTBEATS, REBALANCE
from benchmarks.rows.idempotence import IDEMPOTENCE
from benchmarks.rows.idle_connections import IDLE_CONNECTIONS
from benchmarks.rows.kit import KIT_START, KIT_STATE, KIT_SUITE
from benchmarks.rows.latency import DELIVERY_LATENCY, PRODUCE_LATENCY
from benchmarks.rows.life import LIFE
from benchmarks.rows.logins import LOGINS_ROW
from benchmarks.rows.pipeline import PIPELINE
from benchmarks.rows.replication import REPLICATION
from benchmarks.rows.restart import RESTART
from benchmarks.rows.sharing import SHARING
from benchmarks.rows.start import START
from benchmarks.rows.stop import STOP
from benchmarks.rows.tls import TLS
from benchmarks.rows.topics import CREATE, TOPICS
from benchmarks.rows.transactions import TRANSACTIONS

__all__ = ["CLUSTER_ROWS", "ROWS"]

ROWS: tuple[Row, ...] = (
    START,
    LIFE,
    KIT_START,
    KIT_STATE,
    KIT_SUITE,
    PRODUCE_LATENCY,
    DELIVERY_LATENCY,
    PIPELINE,
    BATCHES,
    TLS,
    LOGINS_ROW,
    AUTHORIZED,
    CONNECTIONS,
    IDLE_CONNECTIONS,
    CREATE,
    TOPICS,
    IDEMPOTENCE,
    TRANSACTIONS,
    GROUPS,
    REBALANCE,
    HEARTBEATS,
    SHARING,
    GROUP_MEMORY,
    COMPACTION,
    RESTART,
    STOP,
    BIG_LOG,  # the last: the disk goes on writing after it
)
CLUSTER_ROWS: tuple[Row, ...] = (FORMED, REPLICATION, FAILOVER, FAILOVER_SHORT, CLUSTER_PARTITIONS)
