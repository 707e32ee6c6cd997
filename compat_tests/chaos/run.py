"""Clients in C, Go, Java and Python work on a cluster while its nodes have troubles; `kafkapy check` judges them.

What must hold afterwards: every acknowledged record is there once; transactions are whole or invisible; groups resume
where they committed; what was transformed in transactions was transformed exactly once; topics are as the controller
has answered; the cluster came to rest whenever nobody disturbed it, and its replicas hold the same bytes.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from compat_tests.chaos import security
from compat_tests.chaos.clients import REPLICAS, TOPICS, Clients, Worker
from compat_tests.chaos.committed import Place
from compat_tests.chaos.groups import GroupWatch, Reading, read_history, unseen_records
from compat_tests.chaos.quiet import NotAtRest, differing_replicas
from compat_tests.chaos.sequences import broken_sequences
from compat_tests.chaos.troubles import FAILURES, Troubles
from compat_tests.cluster.looking import librdkafka, until_coordinators_loaded
from compat_tests.cluster.namespaces import Namespaces
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.secured import secured
from compat_tests.crash import share_clients
from compat_tests.crash.auditor import Auditor
from compat_tests.crash.group_clients import CONSUMER_SETTINGS
from compat_tests.crash.history_file import HistoryFile, last_acknowledged, merge_histories
from compat_tests.crash.workload import (
    Outcome,
    drain,
    not_shared,
    part_of,
    stop_clients,
    transformed_once,
)

SPARES = 1
GO_ON_SECONDS_MAX = 120.0  # a client that is stuck is made anew after 100 s
SETTINGS = {
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "300",
    "replica.lag.time.max.ms": "3000",
    "log.segment.bytes": "1048576",
    **CONSUMER_SETTINGS,
    **share_clients.SETTINGS,
}


class Chaos:
    """One run in `directory`: the nodes' files, the history, and `log`, which says what was done when."""

    def __init__(
        self,
        directory: Path,
        *,
        nodes: int,
        seed: int,
        seconds: float,
        tell: Callable[[str], None],
        apache: bool = False,
        kinds: Sequence[str] = (),
        protocol: str = "plaintext",
    ) -> None:
        """`kinds`: the troubles, one after the other, in place of those that the seed draws; at most for `seconds`.
        `protocol`: with "sasl_ssl", all listeners have it, and clients are users with ACLs.
        """
        self.outcome = Outcome()
        self.summary = ""
        self.met: Counter[str] = Counter()
        """The troubles that there were."""
        self.groups: dict[str, Reading] = {}
        self.admin_requests: dict[str, int] = {}
        """How many were done, by administrator."""
        self._directory = directory
        self._nodes = nodes
        self._seed = seed
        self._seconds = seconds
        self._apache = apache
        self._kinds = kinds
        self._is_secured = protocol == "sasl_ssl"
        self._tell_user = tell
        self._began = time.monotonic()
        self._log = directory / "log"

    def run(self) -> Outcome:
        outcome = self.outcome
        with ExitStack() as stack:
            network = stack.enter_context(Namespaces(self._nodes + SPARES)) if Namespaces.can_be_made() else None
            self._tell(
                f"seed {self._seed}, {self._nodes} nodes, {'SASL_SSL' if self._is_secured else 'PLAINTEXT'}, "
                f"cuts: {'yes' if network else 'no: not allowed here'}"
            )
            settings: dict[str, str] = dict(SETTINGS)
            if self._is_secured:
                hosts = [] if network is None else network.hosts
                settings |= stack.enter_context(secured(self._directory / "certificates", hosts))
            cluster = ClusterProcesses(
                self._directory / "nodes",
                self._nodes,
                settings=settings,
                spare_brokers=SPARES,
                namespaces=network,
                apache=range(1, self._nodes + SPARES + 1) if self._apache else (),
                format_options=security.FORMAT_OPTIONS if self._is_secured else (),
            )
            stack.enter_context(cluster)
            history = stack.enter_context(HistoryFile(self._directory / "history-of-threads.jsonl"))
            self._work(cluster, history)
            if bugs := cluster.bugs():
                outcome.problems.append(f"a bug in a node:\n{bugs[-4000:]}")
        outcome.seconds = time.monotonic() - self._began
        return outcome

    def _work(self, cluster: ClusterProcesses, history: HistoryFile) -> None:
        outcome = self.outcome
        _create_topics(cluster.bootstrap)
        if self._is_secured:
            security.grant(cluster.bootstrap)
        until_coordinators_loaded(cluster.bootstrap)
        auditors = [
            Auditor(f"auditor {isolation}", cluster.bootstrap, history, isolation=isolation, topics=TOPICS)
            for isolation in ("read_committed", "read_uncommitted")
        ]
        clients = Clients(
            cluster.bootstrap,
            history,
            seed=self._seed,
            directory=self._directory,
            seconds=self._seconds,
            tell=self._tell,
        )
        watch = GroupWatch("group watch", cluster.bootstrap, history, self._seed, members=clients.members)
        everybody: list[Worker] = [*auditors, watch, *clients.everybody()]
        for client in everybody:
            client.start()
        troubles = Troubles(
            cluster,
            random.Random(self._seed),
            list(TOPICS),
            self._tell,
            command_config=security.command_config(self._directory),
        )
        came_to_rest = False
        try:
            deadline = time.monotonic() + self._seconds
            for kind in self._kinds or repeat(None):
                if time.monotonic() > deadline or any(client.failure for client in everybody):
                    break
                troubles.one(kind)
            troubles.end()
            came_to_rest = True
        except (NotAtRest, *FAILURES) as failed:
            outcome.problems.append(str(failed)[-4000:])
        self._tell("the troubles are over")
        if came_to_rest:
            outcome.problems += _not_going_on(clients, history, self._directory)
        stop_clients([*clients.producers, *clients.administrators], outcome)
        if came_to_rest:
            drain(auditors[0], clients.consumers, outcome, transactions=True)
        stop_clients([watch], outcome)
        if came_to_rest:
            self._tell("everything is transformed")
            outcome.problems += watch.problems_at_rest(
                {group: _seen_to(auditors[0], topics) for group, topics in clients.topics_of_groups().items()}
            )
            outcome.problems += not_shared(clients.sharers, auditors[0], self._directory, troubles.outdated)
        stop_clients([*clients.consumers, *clients.sharers], outcome)
        stop_clients(auditors, outcome)
        if came_to_rest:
            outcome.problems += transformed_once(auditors[0])
            outcome.problems += differing_replicas(cluster, TOPICS)
            for administrator in clients.administrators:
                outcome.problems += administrator.problems()
        whole = self._directory / "history.jsonl"
        parts = [history.path, *(part_of(self._directory, client.name) for client in clients.processes())]
        merge_histories([part for part in parts if part.exists()], whole)
        outcome.judge(whole, troubles.outdated)
        groups = read_history(whole)
        if came_to_rest:
            outcome.problems += unseen_records(groups, auditors[0].places)
            with whole.open() as lines:
                outcome.problems += broken_sequences(lines, clients.idempotent_producers(), auditors[1].name)
        self.met = troubles.met
        self.groups = groups
        met = ", ".join(f"{kind} {count}" for kind, count in sorted(self.met.items()))
        rebalances = ", ".join(f"{group} {reading.rebalanced}" for group, reading in sorted(groups.items()))
        self.admin_requests = {each.name: each.answers for each in clients.administrators}
        answers = ", ".join(f"{name} {count}" for name, count in self.admin_requests.items())
        self.summary = (
            f"{self.met.total()} troubles ({met}); {outcome.acknowledged} records acknowledged, "
            f"{outcome.transactions} transactions ended; members were told of a rebalance: {rebalances}; "
            f"committed offsets asked for {watch.answers} times; admin requests done: {answers}; "
            f"clients that ended by their own fault: {outcome.ends.summary()}; problems: {len(outcome.problems)}"
        )

    def _tell(self, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._began:7.1f} s  {text}"
        with self._log.open("a") as log:
            log.write(line + "\n")
        self._tell_user(line)


def _not_going_on(clients: Clients, history: HistoryFile, directory: Path) -> list[str]:
    """Problems: producers that get no record acknowledged, now that nothing hinders them any more."""
    began, deadline = time.monotonic_ns(), time.monotonic() + GO_ON_SECONDS_MAX
    left = {client.name for client in clients.producers if client.failure is None}
    processes = {client.name for client in clients.processes()}
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        for name in sorted(left):
            part = part_of(directory, name)
            at = last_acknowledged(part) if name in processes else history.acknowledged_at.get(name, 0)
            if at > began:
                left.discard(name)
    return [f"{name} has had nothing acknowledged for {GO_ON_SECONDS_MAX:.0f} s at rest" for name in sorted(left)]


def _create_topics(bootstrap: str) -> None:
    admin = librdkafka(bootstrap)
    topics = [NewTopic(topic, count, REPLICAS) for topic, count in TOPICS.items()]
    for future in admin.create_topics(topics).values():
        future.result(30)


def _seen_to(auditor: Auditor, topics: Collection[str]) -> dict[Place, int]:
    """The offset after the last record of each partition that has any."""
    ends: dict[Place, int] = {}
    for topic, partition, offset in sorted(auditor.places):
        if topic in topics:
            ends[topic, partition] = offset + 1
    return ends
