"""`python -m tests.soak --minutes 30`: a broker under mixed work, and whether its memory or descriptors grow.

Exit code 1: memory grows faster than `--growth-max` MB a minute after the first third, a connection or a deleted file
stays open when all clients are gone, or an error came that should not. With `--heap` it says instead what objects the
work has left behind; `--only` tells the kinds of work apart.

The broker has the driver's environment: with MALLOC_ARENA_MAX=1 what the C library keeps for each thread does not hide
what Python keeps, and with PYTHONMALLOC=malloc nothing is hidden in pymalloc's arenas.
"""

from __future__ import annotations

import argparse
import sys

from tests.soak.broker import SETTINGS
from tests.soak.growth import descriptors_left, memory_growth
from tests.soak.soak import KINDS, Outcome, Plan, soak

GROWTH_MAX = 0.05


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--report-seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=[*KINDS], help="this kind of work; may be given again")
    parser.add_argument("--busy", type=float, default=0.6, metavar="SHARE", help="of a core that the broker uses (0.6)")
    parser.add_argument("--growth-max", type=float, default=GROWTH_MAX, metavar="MB", help="each minute (0.05)")
    parser.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the broker beside the soak's",
    )
    parser.add_argument("--kafka-defaults", action="store_true", help="none of the soak's own settings")
    parser.add_argument("--heap", action="store_true", help="count what is left behind after the first third")
    parser.add_argument("--settle-seconds", type=float, default=30, help="rest before counting (30)")
    parser.add_argument("--trace", type=int, default=0, metavar="FRAMES", help="with --heap: where it was allocated")
    return parser.parse_args(arguments)


def main() -> int:
    arguments = parse(sys.argv[1:])
    settings = {} if arguments.kafka_defaults else dict(SETTINGS)
    settings.update(override.split("=", 1) for override in arguments.override)
    plan = Plan(
        seconds=arguments.minutes * 60,
        report_seconds=arguments.report_seconds,
        seed=arguments.seed,
        kinds=arguments.only or [*KINDS],
        busy_share=arguments.busy,
        settings=settings,
        counts_heap=arguments.heap,
        traced_frames=arguments.trace,
        settle_seconds=arguments.settle_seconds,
    )
    outcome = soak(plan, lambda line: print(line, flush=True))
    for what, count in sorted(outcome.expected_errors.items()):
        print(f"expected    {count:8d}  {what}")
    for what, count in sorted(outcome.unexpected_errors.items()):
        print(f"UNEXPECTED  {count:8d}  {what}")
    return int(outcome.unexpected_errors.total() > 0) if arguments.heap else verdict(outcome, arguments.growth_max)


def verdict(outcome: Outcome, growth_max: float) -> int:
    """Print what was found; the exit code."""
    memory, (before, after) = memory_growth(outcome.samples), outcome.at_rest
    descriptors = descriptors_left(before, after)
    print(f"memory: {memory:+.3f} MB a minute over the last two thirds, at most {growth_max}")
    print(
        f"at rest: {before.descriptors} descriptors before, {after.descriptors} after; "
        f"{descriptors} of them connections or deleted files that stay open"
    )
    return int(memory > growth_max or descriptors > 0 or outcome.unexpected_errors.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
