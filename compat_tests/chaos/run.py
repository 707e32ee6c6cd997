"""Clients in C, Go, Java and Python work on a cluster while its nodes have troubles; `kafkapy check` judges them.

What must hold afterwards: every acknowledged record is there once; transactions are whole or invisible; groups resume
where they committed; what was transformed in transactions was transformed exactly once; topics are as the controller
has answered; the cluster came to rest whenever nobody disturbed it, and its replicas hold the same bytes.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from compat_tests.apache_kafka import MissingTool, jar_directory, require_tool
from compat_tests.chaos.admin import Administrator
from compat_tests.chaos.programs import JavaConsumer, JavaProducer, KcatProducer, ProducingProgram
from compat_tests.chaos.quiet import NotAtRest, differing_replicas
from compat_tests.chaos.troubles import FAILURES, REPLICAS, Troubles
from compat_tests.cluster.looking import until_coordinators_loaded
from compat_tests.cluster.namespaces import Namespaces
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.crash.auditor import Auditor
from compat_tests.crash.client_process import ClientProcess
from compat_tests.crash.clients import Client, IdempotentProducer
from compat_tests.crash.group_clients import GroupConsumer
from compat_tests.crash.history_file import HistoryFile, merge_histories
from compat_tests.crash.workload import Outcome, drain, part_of, stop_clients, transformed_once
from compat_tests.tools import go_clients

PARTITIONS = 4
TOPICS = dict.fromkeys(("plain", "transactional", "transformed", "programs"), PARTITIONS)
SETTINGS = {
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "300",
    "replica.lag.time.max.ms": "3000",
    "log.segment.bytes": "1048576",
}
_AIOKAFKA = Path(__file__).parents[1] / "aiokafka_program.py"

Worker = Client | ClientProcess


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
    ) -> None:
        self.outcome = Outcome()
        self.summary = ""
        self.met: Counter[str] = Counter()
        """The troubles that there were."""
        self._directory = directory
        self._nodes = nodes
        self._seed = seed
        self._seconds = seconds
        self._apache = apache
        self._tell_user = tell
        self._began = time.monotonic()
        self._log = directory / "log"

    def run(self) -> Outcome:
        outcome = self.outcome
        with ExitStack() as stack:
            network = stack.enter_context(Namespaces(self._nodes)) if Namespaces.can_be_made() else None
            self._tell(f"seed {self._seed}, {self._nodes} nodes, cuts: {'yes' if network else 'no: not allowed here'}")
            cluster = ClusterProcesses(
                self._directory / "nodes",
                self._nodes,
                settings=SETTINGS,
                namespaces=network,
                apache=range(1, self._nodes + 1) if self._apache else (),
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
        until_coordinators_loaded(cluster.bootstrap)
        auditors = [
            Auditor(f"auditor {isolation}", cluster.bootstrap, history, isolation=isolation, topics=TOPICS)
            for isolation in ("read_committed", "read_uncommitted")
        ]
        administrator = Administrator("administrator", cluster.bootstrap, history, self._seed, replicas=REPLICAS)
        producers, consumers = self._clients(cluster.bootstrap, history)
        everybody: list[Worker] = [*auditors, administrator, *producers, *consumers]
        for client in everybody:
            client.start()
        troubles = Troubles(cluster, random.Random(self._seed), list(TOPICS), self._tell)
        came_to_rest = False
        try:
            deadline = time.monotonic() + self._seconds
            while time.monotonic() < deadline and not any(client.failure for client in everybody):
                troubles.one()
            troubles.end()
            came_to_rest = True
        except (NotAtRest, *FAILURES) as failed:
            outcome.problems.append(str(failed)[-4000:])
        self._tell("the troubles are over")
        stop_clients([*producers, administrator], outcome)
        if came_to_rest:
            drain(auditors[0], consumers, outcome, transactions=True)
        stop_clients(consumers, outcome)
        stop_clients(auditors, outcome)
        if came_to_rest:
            outcome.problems += transformed_once(auditors[0])
            outcome.problems += administrator.problems()
            outcome.problems += differing_replicas(cluster, TOPICS)
        processes = [client for client in (*producers, *consumers) if isinstance(client, ClientProcess)]
        outcome.client_aborts = sum(client.abort_count for client in processes)
        whole = self._directory / "history.jsonl"
        parts = [history.path, *(part_of(self._directory, client.name) for client in processes)]
        merge_histories([part for part in parts if part.exists()], whole)
        outcome.judge(whole)
        self.met = troubles.met
        errors = [text for each in producers if isinstance(each, IdempotentProducer) for text in each.fatal_errors]
        for text in errors:
            self._tell(f"a producer has ended itself: {text}")
        met = ", ".join(f"{kind} {count}" for kind, count in sorted(self.met.items()))
        self.summary = (
            f"{self.met.total()} troubles ({met}); {outcome.acknowledged} records acknowledged, "
            f"{outcome.transactions} transactions ended, {administrator.answers} admin requests done; "
            f"clients of librdkafka that aborted or hung: {outcome.client_aborts}, "
            f"producers with a fatal error: {len(errors)}; problems: {len(outcome.problems)}"
        )

    def _clients(self, bootstrap: str, history: HistoryFile) -> tuple[list[Worker], list[Worker]]:
        seed, directory = self._seed, self._directory
        producers: list[Worker] = [
            IdempotentProducer(f"producer-{n}", bootstrap, history, seed, topic="plain", partitions=PARTITIONS)
            for n in range(2)
        ]
        producers.append(
            ProducingProgram(
                "aiokafka",
                bootstrap,
                history,
                seed,
                directory=directory,
                program=[sys.executable, str(_AIOKAFKA)],
                topic="programs",
                partitions=PARTITIONS,
            )
        )
        consumers: list[Worker] = [
            GroupConsumer(f"member-{n}", bootstrap, history, seed, group="readers", topics=["plain", "transactional"])
            for n in range(2)
        ]

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
        with self._if_installed():
            franz = [str(go_clients()), "franz"]
            producers.append(
                ProducingProgram(
                    "franz-go",
                    bootstrap,
                    history,
                    seed,
                    directory=directory,
                    program=franz,
                    topic="programs",
                    partitions=PARTITIONS,
                )
            )
        with self._if_installed():
            kcat = require_tool("kcat")
            producers.append(
                KcatProducer("kcat", bootstrap, history, seed, kcat=kcat, topic="programs", partitions=PARTITIONS)
            )
        with self._if_installed():
            jar_directory()
            producers.append(
                JavaProducer(
                    "java-producer",
                    bootstrap,
                    history,
                    seed,
                    directory=directory,
                    topic="programs",
                    number=1,
                    seconds=self._seconds,
                )
            )
            consumers.append(
                JavaConsumer(
                    "java-consumer", bootstrap, history, seed, directory=directory, topic="programs", group="java"
                )
            )
        return producers, consumers

    def _tell(self, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._began:7.1f} s  {text}"
        with self._log.open("a") as log:
            log.write(line + "\n")
        self._tell_user(line)

    def _if_installed(self) -> _Told:
        return _Told(self._tell)


class _Told:
    """A client whose program is missing is left out, and that is said."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, MissingTool):
            self._tell(f"{error}: its client is left out")
            return True
        return False


def _create_topics(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [NewTopic(topic, count, REPLICAS) for topic, count in TOPICS.items()]
    for future in admin.create_topics(topics).values():
        future.result(30)
