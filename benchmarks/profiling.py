"""Where the time of one row goes inside kafkapy: its broker under cProfile, the row measured once."""

from __future__ import annotations

import pstats
from pathlib import Path

from benchmarks import installation, peers
from benchmarks.measurement import LifecycleRow, Row, Scale
from benchmarks.peers import PeerFailed

LINES = 40


def profile(row: Row, scale: Scale, file: Path) -> str:
    """The functions with the most time of their own, as a table; `file` gets all, for pstats or snakeviz.

    A row that starts brokers itself leaves the profile of its last one. cProfile makes every Python call dearer, calls
    into C hardly: read the proportions, not the seconds. Raises PeerFailed when the broker left no profile.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    peer = peers.kafkapy(wrapper=(str(installation.python()), "-m", "cProfile", "-o", str(file)))
    if isinstance(row, LifecycleRow):
        row.measure(peer, scale)
    else:
        with peer.running(row.settings, durable=row.durable) as broker:
            row.measure(broker, scale, row.name)
    if not file.exists():
        raise PeerFailed("the broker ended without writing its profile")
    return _table(file)


def _table(file: Path) -> str:
    stats = pstats.Stats(str(file)).get_stats_profile()
    by_own_time = sorted(stats.func_profiles.items(), key=lambda item: item[1].tottime, reverse=True)
    lines = [f"{'own s':>8} {'total s':>8} {'calls':>12}  function ({stats.total_tt:.2f} s in all)"]
    lines += [
        f"{each.tottime:8.3f} {each.cumtime:8.3f} {each.ncalls:>12}  "
        f"{Path(each.file_name).name}:{each.line_number} {name}"
        for name, each in by_own_time[:LINES]
    ]
    return "\n".join(lines)
