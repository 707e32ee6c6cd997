"""A cluster of three nodes: start to the first answer of all, memory at rest, and the end."""

from __future__ import annotations

import time

from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Peer

FORMED_SECONDS = Metric("formed_seconds", "Start of three nodes to the first answer of all", "s")
FORMED_MB = Metric("formed_mb", "Memory at rest", "MB")
FORMED_STOP_MS = Metric("formed_stop_ms", "SIGTERM to gone", "ms")


def measure(peer: Peer, scale: Scale) -> Figures:
    with peer.running() as cluster:
        time.sleep(scale.rest_seconds)
        resident_mb = cluster.resident_mb()
        stop_seconds = cluster.stop()
    return {
        FORMED_SECONDS.key: cluster.start_seconds,
        FORMED_MB.key: resident_mb,
        FORMED_STOP_MS.key: stop_seconds * 1e3,
    }


FORMED = LifecycleRow(
    name="formed",
    metrics=(FORMED_SECONDS, FORMED_MB, FORMED_STOP_MS),
    measure=measure,
    time_limit_seconds=200.0,
    rounds_max=3,
)
