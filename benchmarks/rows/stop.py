"""A clean stop with 5,000 partitions that hold data, all of it written since the start: SIGTERM to gone.

A broker that stops cleanly has every log on the disk, and checkpoints that say so: the next start reads no records.
"""

from __future__ import annotations

from benchmarks.filling import create_filled_topic
from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import STOP_TIMEOUT_SECONDS, Peer
from benchmarks.raw_client import Connection, UnexpectedAnswer, large_batch

PARTITION_COUNT = 5_000
RECORDS_A_BATCH, VALUE_BYTES = 4, 1_000
TOPIC = "stop"

STOP_SECONDS = Metric("stop_5000_seconds", f"SIGTERM to gone, {PARTITION_COUNT:,} partitions written to", "s")


def measure(peer: Peer, _scale: Scale) -> Figures:
    with peer.running(durable=True) as broker:
        with Connection(broker.address) as connection:
            batch = large_batch(RECORDS_A_BATCH, VALUE_BYTES)
            create_filled_topic(broker, connection, TOPIC, PARTITION_COUNT, batch)
        seconds = broker.stop()
        if seconds >= STOP_TIMEOUT_SECONDS:
            raise UnexpectedAnswer(f"still there {STOP_TIMEOUT_SECONDS:.0f} s after SIGTERM: killed")
    return {STOP_SECONDS.key: seconds}


STOP = LifecycleRow(name="stop", metrics=(STOP_SECONDS,), measure=measure, time_limit_seconds=240.0, rounds_max=3)
