"""Runs rows: the peers take turns (A B A B), so that a machine that slows down does so for each of them."""

from __future__ import annotations

import contextlib
import gc
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import FrameType

from confluent_kafka import KafkaException

from benchmarks.measurement import LifecycleRow, Results, Row, Scale, SteadyRow, rounds_of
from benchmarks.peers import Broker, Peer, PeerFailed
from benchmarks.raw_client import UnexpectedAnswer
from benchmarks.rows import start
from kafkapy_wire.errors import MalformedMessage

LAUNCH_LIMIT_SECONDS = 120.0


class TimeIsUp(Exception):
    """A round took longer than its row allows."""


# What a broker can do wrong; anything else is a mistake of the benchmark and ends it.
FAILURES = (
    OSError,
    TimeIsUp,
    PeerFailed,
    UnexpectedAnswer,
    KafkaException,
    MalformedMessage,
    subprocess.SubprocessError,
)


def run_row(row: Row, peers: Sequence[Peer], scale: Scale, results: Results) -> None:
    """Every round of a row. A peer that fails takes no further part in it, and its figures of the row are dropped."""
    taking_part = []
    for peer in peers:
        if row.name in peer.left_out:
            _leave_out(row, peer, peer.left_out[row.name], results)
        else:
            taking_part.append(peer)
    # A collection of the client in the middle of a round would be taken for a slow broker.
    gc.collect()
    gc.disable()
    try:
        if isinstance(row, LifecycleRow):
            _run_lifecycle(row, taking_part, scale, results)
        else:
            _run_steady(row, taking_part, scale, results)
    finally:
        gc.enable()


def _run_lifecycle(row: LifecycleRow, peers: list[Peer], scale: Scale, results: Results) -> None:
    rounds = rounds_of(row, scale)
    for number in range(rounds):
        if row.name == start.START.name:
            for title, statement in start.YARDSTICKS.items():
                results.add(title, start.measure_yardstick(statement))
        for peer in _in_turn(peers, number):
            _tell(row, f"round {number + 1} of {rounds}", peer)
            with _failing_leaves(row, peer, peers, results), _time_limit(row.time_limit_seconds):
                results.add(peer.name, row.measure(peer, scale))


def _run_steady(row: SteadyRow, peers: list[Peer], scale: Scale, results: Results) -> None:
    rounds = rounds_of(row, scale)
    with contextlib.ExitStack() as stack:
        brokers: dict[str, Broker] = {}
        for peer in list(peers):
            _tell(row, "warm-up", peer)
            with _failing_leaves(row, peer, peers, results):
                with _time_limit(LAUNCH_LIMIT_SECONDS):
                    broker = stack.enter_context(peer.running(row.settings, durable=row.durable))
                if missing := sorted(key.name for key in row.requires if key not in broker.served):
                    raise UnexpectedAnswer(f"does not serve {', '.join(missing)}")
                with _time_limit(row.time_limit_seconds):
                    row.warm_up(broker, scale, f"{row.name}-warm-up")
                brokers[peer.name] = broker
        for number in range(rounds):
            for peer in _in_turn(peers, number):
                _tell(row, f"round {number + 1} of {rounds}", peer)
                with _failing_leaves(row, peer, peers, results), _time_limit(row.time_limit_seconds):
                    results.add(peer.name, row.measure(brokers[peer.name], scale, f"{row.name}-{number}"))


def _in_turn(peers: list[Peer], number: int) -> list[Peer]:
    """The peers, each round beginning with another: nobody is always measured right after the same neighbour."""
    first = number % len(peers) if peers else 0
    return peers[first:] + peers[:first]


@contextlib.contextmanager
def _failing_leaves(row: Row, peer: Peer, peers: list[Peer], results: Results) -> Iterator[None]:
    try:
        yield
    except FAILURES as failure:
        peers.remove(peer)
        for metric in row.metrics:
            results.values.get(metric.key, {}).pop(peer.name, None)
        reason = f"{type(failure).__name__}: {failure}"
        results.failed = True
        _leave_out(row, peer, reason, results)


def _leave_out(row: Row, peer: Peer, reason: str, results: Results) -> None:
    results.left_out.setdefault(row.name, {})[peer.name] = reason


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp in the block when it takes longer. Only in the main thread, not nested."""

    def expire(_signal: int, _frame: FrameType | None) -> None:
        raise TimeIsUp(f"not done after {seconds:.0f} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _tell(row: Row, step: str, peer: Peer) -> None:
    """One line that is written over by the next, so that a long run shows that it lives."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{row.name}: {step}, {peer.title}", end="", file=sys.stderr, flush=True)
