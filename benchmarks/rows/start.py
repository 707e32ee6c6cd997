"""Start to first answer, idle memory, and the end: what a broker costs before anybody uses it."""

from __future__ import annotations

import subprocess
import time

from benchmarks import installation
from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Peer

START_SECONDS = Metric("start_seconds", "Start to first answer", "s")
STARTED_MB = Metric("resident_started_mb", "Memory at the first answer", "MB")
IDLE_MB = Metric("resident_idle_mb", "Memory at rest", "MB")
STOP_MS = Metric("stop_ms", "SIGTERM to gone", "ms")

# Programs that a start of kafkapy cannot beat, in the same interpreter and in turn with the peers.
YARDSTICKS = {'python -c "pass"': "pass", 'python -c "import trio"': "import trio"}
YARDSTICK_TRIO = 'python -c "import trio"'
_YARDSTICK_TIMEOUT_SECONDS = 60.0


def measure(peer: Peer, scale: Scale) -> Figures:
    """One start: `resident_*` is the memory of all processes of the broker, `stop_ms` from SIGTERM to its end."""
    with peer.running() as broker:
        started_mb = broker.resident_mb()
        time.sleep(scale.rest_seconds)
        idle_mb = broker.resident_mb()
        stop_seconds = broker.stop()
    return {
        START_SECONDS.key: broker.start_seconds,
        STARTED_MB.key: started_mb,
        IDLE_MB.key: idle_mb,
        STOP_MS.key: stop_seconds * 1e3,
    }


def measure_yardstick(statement: str) -> Figures:
    """Spawn to end of an interpreter that does only this."""
    command = [str(installation.python()), "-c", statement]
    begin = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=_YARDSTICK_TIMEOUT_SECONDS)
    return {START_SECONDS.key: time.perf_counter() - begin}


START = LifecycleRow(
    name="start", metrics=(START_SECONDS, STARTED_MB, IDLE_MB, STOP_MS), measure=measure, time_limit_seconds=150.0
)
