"""Unmodified clients at work while the broker is killed with SIGKILL at random moments and started again.

What must hold afterwards: every acknowledged record is there, once; no aborted record is visible to read_committed;
committed transactions are whole; groups resume where they committed; what was transformed in transactions was
transformed exactly once; every broker came back; nobody printed a traceback. The history goes through `kafkapy check`.
Meanwhile logs are compacted and lose their oldest records: see `cleaning_workload`.

A SIGKILL ends the process, not the operating system: what was written to files stays in the page cache and is there
after the restart. These runs prove that nothing acknowledged waits in memory of the process and that any half-done
sequence of writes is recovered from. Lost and reordered pages, the work of a power failure, are
`tests/log/test_torn_writes.py`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from compat_tests.crash import cleaning_workload, share_clients
from compat_tests.crash.auditor import Auditor
from compat_tests.crash.cleaning_workload import CleaningWatch, CleaningWorkload
from compat_tests.crash.client_ends import ClientEnds, client_ends_in
from compat_tests.crash.client_process import ClientProcess
from compat_tests.crash.clients import Client, IdempotentProducer
from compat_tests.crash.group_clients import CONSUMER_SETTINGS, GroupConsumer
from compat_tests.crash.history_file import HistoryFile, merge_histories
from compat_tests.crash.outdated import Outdated
from compat_tests.crash.share_judge import judge_files, lost
from compat_tests.kafkapy_process import KafkapyFailed, KafkapyProcess, kafkapy_command

PARTITIONS = 3
TOPICS = {"plain": PARTITIONS, "transactional": PARTITIONS, "transformed": PARTITIONS}
# The smallest segments there are, so that kills meet rolls, too.
SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "log.segment.bytes": "1048576",
    **CONSUMER_SETTINGS,
    **share_clients.SETTINGS,
    **cleaning_workload.SETTINGS,
}
SHARE_GROUP = "sharers"
SHARED_TOPICS = ["plain"]
SHARED_SECONDS_MAX = 60.0
KILLED_WHILE_STARTING = 0.2
KILLED_WHILE_CLEANING = 0.3  # how often a kill waits for a cleaning
CALM = 0.1  # how often a kill waits until groups have had the time to rebalance
CALM_SECONDS = 3.0
DRAIN_SECONDS = 150.0  # longer than a member of a group may be stuck
CHECK_TIMEOUT_SECONDS = 600.0
PRINTED_LINES_MAX = 50

Worker = Client | ClientProcess


class Outcome:
    """What a run did and what was wrong."""

    def __init__(self) -> None:
        self.kills = 0
        self.kills_while_starting = 0
        self.ends = ClientEnds()
        self.seconds = 0.0
        self.start_seconds: list[float] = []
        self.acknowledged = 0
        self.transactions = 0
        self.problems: list[str] = []
        self.verdict: dict[str, Any] = {}  # what `kafkapy check --json` printed
        self.cleanings: Counter[str] = Counter()  # by topic, at least
        self.cleaning = ""  # all that was cleaned, in words

    def summary(self) -> str:
        starts = sorted(self.start_seconds)
        middle = f"{starts[len(starts) // 2]:.2f} s, slowest {starts[-1]:.2f} s" if starts else "-"
        return (
            f"{self.kills} kills ({self.kills_while_starting} while starting) in {self.seconds:.0f} s; "
            f"{self.acknowledged} records acknowledged, {self.transactions} transactions ended; "
            f"start after a kill: median {middle}; "
            f"clients that ended by their own fault: {self.ends.summary()}; "
            f"problems: {len(self.problems)}\n{self.cleaning}"
        )

    def judge(self, history: Path, outdated: Sequence[Outdated] = ()) -> None:
        """Ask `kafkapy check`; its anomalies become problems, and so do clients that had to end (see `client_ends`)."""
        self.ends = client_ends_in(history, outdated)
        self.problems += self.ends.problems()
        checked = subprocess.run(
            [kafkapy_command(), "check", "--json", str(history)],
            capture_output=True,
            text=True,
            timeout=CHECK_TIMEOUT_SECONDS,
        )
        if checked.returncode not in (0, 1):
            self.problems.append(checked.stderr.strip())
            return
        self.verdict = json.loads(checked.stdout)
        sizes = self.verdict["sizes"]
        self.acknowledged = sizes["acknowledged"]
        self.transactions = sizes["transactions_committed"] + sizes["transactions_aborted"]
        for kind, found in self.verdict["anomalies"].items():
            self.problems.append(f"{kind}: {found['count']}: {found['examples'][0]}")


def run_crashes(
    directory: Path,
    *,
    kills: int,
    seed: int,
    transactions: bool = True,
    tell: Callable[[str], None] = print,
) -> Outcome:
    """Run the workload in `directory` (data/, history.jsonl) and judge it."""
    outcome = Outcome()
    began = time.monotonic()
    broker = KafkapyProcess(SETTINGS, data_dir=directory / "data")
    own_part = directory / "history-of-threads.jsonl"
    with broker, HistoryFile(own_part) as history:
        _create_topics(broker.bootstrap)
        cleaning_workload.create_topics(broker.bootstrap)
        cleaning = CleaningWorkload(broker.bootstrap, seed, directory, transactions=transactions)
        auditors = [
            Auditor(f"auditor {isolation}", broker.bootstrap, history, isolation=isolation, topics=TOPICS)
            for isolation in ("read_committed", "read_uncommitted")
        ]
        producers, consumers = _clients(broker.bootstrap, history, seed, directory, transactions=transactions)
        sharing = sharers(broker.bootstrap, seed, directory)
        everybody = [*auditors, *producers, *consumers, *sharing, *cleaning.producers, *cleaning.readers]
        for client in everybody:
            client.start()
        came_back = True
        try:
            _kill_and_restart(broker, history, outcome, everybody, cleaning.watch, kills, random.Random(seed), tell)
        except KafkapyFailed as failed:
            outcome.problems.append(_shortened(str(failed)))
            came_back = False
        stop_clients([*producers, *cleaning.producers], outcome)
        if came_back:
            drain(auditors[0], consumers, outcome, transactions=transactions)
            outcome.problems += not_shared(sharing, auditors[0], directory)
        stop_clients([*consumers, *sharing], outcome)
        stop_clients([*auditors, *cleaning.readers], outcome)
        if bugs := broker.bugs():
            outcome.problems.append(f"a bug in the broker:\n{bugs}")
    if transactions and came_back:
        outcome.problems += transformed_once(auditors[0])
    outcome.problems += cleaning.judge()
    outcome.cleanings, outcome.cleaning = cleaning.watch.cleanings, cleaning.summary()
    processes = [client for client in (*producers, *consumers) if isinstance(client, ClientProcess)]
    whole = directory / "history.jsonl"
    merge_histories([own_part, *(part_of(directory, client.name) for client in processes)], whole)
    outcome.judge(whole)
    outcome.seconds = time.monotonic() - began
    return outcome


def _shortened(text: str) -> str:
    """The first line, which says what is wrong, and the end of what was printed."""
    first, *printed = text.splitlines()
    return "\n".join([first, *printed[-PRINTED_LINES_MAX:]])


def _create_topics(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    created = admin.create_topics([NewTopic(topic, count, 1) for topic, count in TOPICS.items()])
    for future in created.values():
        future.result(10)


def _clients(
    bootstrap: str, history: HistoryFile, seed: int, directory: Path, *, transactions: bool
) -> tuple[list[Worker], list[Worker]]:
    producers: list[Worker] = [
        IdempotentProducer(f"producer-{n}", bootstrap, history, seed, topic="plain", partitions=PARTITIONS)
        for n in range(2)
    ]
    consumers: list[Worker] = [
        GroupConsumer(f"member-{n}", bootstrap, history, seed, group="readers", topics=["plain", "transactional"])
        for n in range(2)
    ]
    consumers.append(
        GroupConsumer(
            "member-848", bootstrap, history, seed, group="readers-848", topics=["plain"], protocol="consumer"
        )
    )
    if transactions:

        def client_process(kind: str, name: str, **arguments: object) -> ClientProcess:
            return ClientProcess(
                part_of(directory, name),
                kind=kind,
                name=name,
                bootstrap=bootstrap,
                seed=seed,
                partitions=PARTITIONS,
                **arguments,
            )

        producers += [client_process("transactional", f"tx-{n}", topic="transactional") for n in range(2)]
        consumers.append(
            client_process("transformer", "transformer", group="transformers", source="plain", target="transformed")
        )
    return producers, consumers


def sharers(bootstrap: str, seed: int, directory: Path) -> list[ClientProcess]:
    """The members of a share group, none if confluent-kafka has no share consumer."""
    if not share_clients.available():
        return []
    share_clients.begin_at_the_beginning(bootstrap, SHARE_GROUP)
    return [share_process(bootstrap, seed, directory, f"sharer-{n}") for n in range(2)]


def share_process(bootstrap: str, seed: int, directory: Path, name: str) -> ClientProcess:
    return ClientProcess(
        part_of(directory, name),
        kind="share",
        name=name,
        bootstrap=bootstrap,
        seed=seed,
        group=SHARE_GROUP,
        topics=SHARED_TOPICS,
    )


def not_shared(
    sharers: Sequence[ClientProcess], auditor: Auditor, directory: Path, outdated: Sequence[Outdated] = ()
) -> list[str]:
    """Problems of the share group, once it has had the time to take all that is there."""
    if not sharers:
        return []
    parts = [part_of(directory, sharer.name) for sharer in sharers]
    deadline = time.monotonic() + SHARED_SECONDS_MAX
    while True:
        shared = judge_files(parts, outdated)
        left = lost(shared, auditor.places, SHARED_TOPICS)
        if not left or time.monotonic() > deadline or any(sharer.failure for sharer in sharers):
            return [*shared.problems, *left]
        time.sleep(0.5)


def part_of(directory: Path, name: str) -> Path:
    return directory / f"history-of-{name}.jsonl"


def _kill_and_restart(
    broker: KafkapyProcess,
    history: HistoryFile,
    outcome: Outcome,
    clients: Sequence[Worker],
    watch: CleaningWatch,
    kills: int,
    chance: random.Random,
    tell: Callable[[str], None],
) -> None:
    began = time.monotonic()
    while outcome.kills < kills:
        # The moment of the kill is the randomness of this test.
        time.sleep(chance.uniform(0.05, 1.2) + (CALM_SECONDS if chance.random() < CALM else 0.0))
        if chance.random() < KILLED_WHILE_CLEANING:
            watch.await_files(".swap" if chance.random() < 0.5 else ".cleaned")
            time.sleep(10 ** chance.uniform(-4.0, -1.3))  # somewhere into its steps, which may be short or long
        broker.stop(kill=True)
        watch.killed()
        outcome.kills += 1
        while outcome.kills < kills and chance.random() < KILLED_WHILE_STARTING:
            outcome.kills += 1
            outcome.kills_while_starting += not _killed_after_start(broker, chance.uniform(0.0, 0.4))
        started = time.monotonic()
        broker.start()
        outcome.start_seconds.append(time.monotonic() - started)
        if failed := [client for client in clients if client.failure is not None]:
            outcome.problems += [f"{client.name}: {client.failure!r}" for client in failed]
            return
        if outcome.kills % 10 == 0 or outcome.kills == kills:
            tell(
                f"{outcome.kills} kills, {time.monotonic() - began:.0f} s, {history.polled_count} records polled, "
                f"last start {outcome.start_seconds[-1]:.2f} s"
            )


def _killed_after_start(broker: KafkapyProcess, seconds: float) -> bool:
    """Start it and kill it after `seconds`, listening or not; whether it did listen."""

    def kill() -> None:
        with suppress(ProcessLookupError, AssertionError):  # gone by itself, or not there yet
            os.kill(broker.pid, signal.SIGKILL)

    killer = threading.Timer(seconds, kill)
    killer.start()
    try:
        broker.start()
    except KafkapyFailed as failed:
        if f"ended with {-signal.SIGKILL}" not in str(failed):
            raise
        return False
    finally:
        killer.join()
    broker.stop(kill=True)
    return True


def stop_clients(clients: Sequence[Worker], outcome: Outcome) -> None:
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(180)
        if client.is_alive():
            outcome.problems.append(f"{client.name} does not end")
        elif client.failure is not None and (problem := f"{client.name}: {client.failure!r}") not in outcome.problems:
            outcome.problems.append(problem)


def drain(auditor: Auditor, consumers: Sequence[Worker], outcome: Outcome, *, transactions: bool) -> None:
    """Wait until everything was transformed: `transformed` has as many visible records as `plain`."""
    if not transactions:
        return
    quiet_since, before = time.monotonic(), (-1, -1)
    while time.monotonic() - quiet_since < DRAIN_SECONDS:
        counts = len(auditor.polled["plain"]), len(auditor.polled["transformed"])
        if counts != before:
            quiet_since, before = time.monotonic(), counts
        elif counts[0] == counts[1] and time.monotonic() - quiet_since > 1:
            return
        if any(client.failure for client in consumers):
            return
        time.sleep(0.1)
    outcome.problems.append(
        f"stuck: {before[0]} records are visible, {before[1]} transformed ones, and no more for {DRAIN_SECONDS:.0f} s"
    )


def transformed_once(auditor: Auditor) -> list[str]:
    """Problems: a record of `plain` that has no visible record in `transformed`, or more than one."""
    made = Counter(value.rpartition("#")[0] for value in auditor.polled["transformed"])
    given = Counter(auditor.polled["plain"])
    doubled = [value for value, count in made.items() if count > 1]
    missing = [value for value in given if value not in made]
    problems = []
    if doubled:
        problems.append(f"transformed more than once: {len(doubled)} records, {doubled[:5]}")
    if missing:
        problems.append(f"never transformed: {len(missing)} records, {missing[:5]}")
    return problems
