"""Rounds of hostile clients against running nodes: each has a seed of its own, by which it can be run again."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import trio

ROUNDS_PER_NODE = 200

RoundsOfNode = Callable[[int], AbstractAsyncContextManager[Callable[[int], Awaitable[None]]]]
"""From the seed of a node's first round: the running node, as what plays the round of a seed."""


class InternalErrors(logging.Handler):
    """Keeps what the node logs as an error of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(logging.Formatter().format(record))

    @contextmanager
    def listening(self) -> Iterator[None]:
        logger = logging.getLogger("kafkapy")
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)


async def run_rounds(first: int, rounds_max: int | None, deadline: float, rounds_of_node: RoundsOfNode) -> int:
    """Rounds on one node and, after every `ROUNDS_PER_NODE`, on its successor. How many there were."""
    rounds = 0
    while rounds != rounds_max and time.monotonic() < deadline:
        async with rounds_of_node(first + rounds) as run_round:
            for _ in range(ROUNDS_PER_NODE):
                if rounds == rounds_max or time.monotonic() >= deadline:
                    break
                try:
                    await run_round(first + rounds)
                except BaseException:
                    sys.stderr.write(f"failed with --seed {first + rounds} --rounds 1\n")
                    raise
                rounds += 1
    return rounds


def parser_of_rounds(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=None, help="stop after so many rounds")
    parser.add_argument("--seed", type=int, default=None, help="the first round's seed; by default another each time")
    return parser


def run_as_command(options: argparse.Namespace, run: Callable[[int, int | None, float, Path], Awaitable[int]]) -> int:
    """`options`: as `parser_of_rounds` reads them. `run` is called with what `run_rounds` takes, and a directory."""
    first = random.randrange(2**32) if options.seed is None else options.seed
    logging.getLogger("kafkapy").propagate = False  # closed connections are what this is about
    deadline = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory(prefix="kafkapy-fuzz-") as directory:
        rounds = trio.run(run, first, options.rounds, deadline, Path(directory))
    sys.stdout.write(f"{rounds} rounds from seed {first}: nothing found\n")
    return 0
