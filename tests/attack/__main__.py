"""`python -m tests.attack`: attacks on a broker, each with one of its own, and what an honest client notices of them.

Prints a table: the longest and the median wait of a client that produces one record after the other, in milliseconds
(by the wall, so a busy machine shows in it), the CPU seconds and the peak memory of the broker, and what it has logged.
Exit code 1: a broker has ended or printed a traceback, or, with --short, a scenario was above its bounds of CPU or
memory.
"""

from __future__ import annotations

import argparse
import sys

from tests.attack.scenario import Outcome, Scenario, run
from tests.attack.scenarios import ALL
from tests.soak.broker import BrokerFailed

SHORT_SCALE = 0.05


def above_bounds(scenario: Scenario, outcome: Outcome) -> list[str]:
    """In what the short form of a scenario was too much."""
    return [
        f"{what}: {found:.1f} {unit}, {bound} are the most"
        for what, found, bound, unit in (
            ("CPU", outcome.cpu_seconds, scenario.cpu_seconds_max, "s"),
            ("peak memory", outcome.peak_mb, scenario.memory_mb_max, "MB"),
            ("log", outcome.log_kb, scenario.log_kb_max, "kB"),
        )
        if found > bound
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a twentieth of each attack, held to its bounds")
    parser.add_argument("--only", metavar="WORDS", default="", help="scenarios whose names have these words")
    arguments = parser.parse_args()
    print(f"{'':45} {'longest':>9} {'median':>8} {'CPU s':>7} {'peak MB':>8} {'log kB':>7}")
    failed = False
    for scenario in ALL:
        if arguments.only not in scenario.name:
            continue
        try:
            outcome = run(scenario, SHORT_SCALE if arguments.short else 1)
        except (BrokerFailed, AssertionError) as error:
            failed = True
            print(f"{scenario.name:45} failed: {error}", flush=True)
            continue
        print(
            f"{scenario.name:45} {outcome.waits.longest_ms:9.0f} {outcome.waits.median_ms:8.2f}"
            f" {outcome.cpu_seconds:7.1f} {outcome.peak_mb:8.0f} {outcome.log_kb:7.0f}",
            flush=True,
        )
        if arguments.short:
            problems = above_bounds(scenario, outcome)
            failed = failed or bool(problems)
            for problem in problems:
                print(f"    {problem}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
