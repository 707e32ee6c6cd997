"""Who works on the cluster: producers, groups, transactions and administrators, in C, Go, Java and Python."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from compat_tests.apache_kafka import (
    JVM_FLAGS,
    MissingTool,
    compiled_java,
    jar_directory,
    require_tool,
)
from compat_tests.chaos.admin import Administrator, LibrdkafkaAdministrator, ProgramAdministrator
from compat_tests.chaos.group_programs import MemberProgram, TransformingProgram
from compat_tests.chaos.programs import JavaConsumer, JavaProducer, KcatProducer, ProducingProgram
from compat_tests.crash.client_process import ClientProcess
from compat_tests.crash.clients import Client
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.workload import part_of, sharers
from compat_tests.tools import go_clients

PARTITIONS = 4
REPLICAS = 3
TOPICS = dict.fromkeys(("plain", "transactional", "transformed", "programs"), PARTITIONS)
GROUP_TOPICS = {
    "readers": ("plain", "transactional"),
    "readers-848": ("plain", "transactional"),
    "transformers": ("plain",),
    "java": ("programs",),
}
_AIOKAFKA = Path(__file__).parents[1] / "aiokafka_program.py"
_JAVA = Path(__file__).parents[1] / "java"

Worker = Client | ClientProcess


class Clients:
    """All of them; one whose program is missing is left out, and `tell` is told."""

    def __init__(
        self,
        bootstrap: str,
        history: HistoryFile,
        *,
        seed: int,
        directory: Path,
        seconds: float,
        tell: Callable[[str], None],
    ) -> None:
        self.administrators: list[Administrator] = []
        self.producers: list[Worker] = []
        self.consumers: list[Worker] = []
        self.sharers: list[ClientProcess] = []
        """The members of the share group, none if confluent-kafka has no share consumer."""
        self.members: Counter[str] = Counter()
        """How many each group has."""
        self._bootstrap = bootstrap
        self._history = history
        self._seed = seed
        self._directory = directory
        self._seconds = seconds
        self._tell = tell
        self._add_librdkafka()
        self._add_aiokafka()
        for add, language in ((self._add_go, "Go"), (self._add_java, "Java"), (self._add_kcat, "kcat")):
            with ExitStack() as left_out:
                left_out.push(self._leave_out(language))
                add()

    def processes(self) -> list[ClientProcess]:
        return [client for client in (*self.producers, *self.consumers) if isinstance(client, ClientProcess)]

    def idempotent_producers(self) -> set[str]:
        """The names of those that write down what they send in the order in which they send it."""
        programs = {each.name for each in self.producers if isinstance(each, ProducingProgram)}
        return programs | {each.name for each in self.processes() if each.kind == "idempotent"}

    def everybody(self) -> list[Worker]:
        return [*self.administrators, *self.producers, *self.consumers, *self.sharers]

    def topics_of_groups(self) -> Mapping[str, tuple[str, ...]]:
        return {group: GROUP_TOPICS[group] for group in self.members}

    def _leave_out(self, language: str) -> Callable[[object, BaseException | None, object], bool]:
        def leave_out(_kind: object, error: BaseException | None, _trace: object) -> bool:
            if isinstance(error, MissingTool):
                self._tell(f"{error}: the clients of {language} are left out")
                return True
            return False

        return leave_out

    def _add_librdkafka(self) -> None:
        common = (self._bootstrap, self._history, self._seed)
        partitions = {"partitions": PARTITIONS}
        # With more than one in flight librdkafka sends records twice, to Apache Kafka too (its issue 4953): told of one
        # partition that a sequence number is out of order, as the request before has met no leader, it begins another
        # epoch for all partitions, and what is stored in another one and not answered yet is new to the broker then.
        one = {**partitions, "in_flight_max": 1}
        self.producers += [self._process("idempotent", f"producer-{n}", topic="plain", **one) for n in range(2)]
        self.producers += [
            self._process("transactional", f"tx-{n}", topic="transactional", **partitions) for n in range(2)
        ]
        self.consumers += [
            self._process("member", f"member-{n}", group="readers", topics=GROUP_TOPICS["readers"]) for n in range(2)
        ]
        readers = {"group": "readers-848", "topics": GROUP_TOPICS["readers-848"], "protocol": "consumer"}
        self.consumers += [self._process("member", f"member-848-{n}", **readers) for n in range(2)]
        transforming = {"group": "transformers", "source": "plain", "target": "transformed"}
        self.consumers.append(self._process("transformer", "transformer", **transforming, **partitions))
        self.members.update({"readers": 2, "readers-848": 2, "transformers": 1})
        self.sharers += sharers(self._bootstrap, self._seed, self._directory)
        self.administrators.append(LibrdkafkaAdministrator("administrator", *common, replicas=REPLICAS))

    def _process(self, kind: str, name: str, **arguments: object) -> ClientProcess:
        return ClientProcess(
            part_of(self._directory, name),
            kind=kind,
            name=name,
            bootstrap=self._bootstrap,
            seed=self._seed,
            **arguments,
        )

    def _add_aiokafka(self) -> None:
        self._add_producing("aiokafka", [sys.executable, str(_AIOKAFKA)])

    def _add_producing(self, name: str, program: list[str]) -> None:
        self.producers.append(
            ProducingProgram(
                name,
                self._bootstrap,
                self._history,
                self._seed,
                directory=self._directory,
                program=program,
                topic="programs",
                partitions=PARTITIONS,
            )
        )

    def _add_go(self) -> None:
        program = [str(go_clients()), "franz"]
        self._add_producing("franz-go", program)
        self.consumers.append(
            MemberProgram(
                "franz-go-member",
                self._bootstrap,
                self._history,
                self._seed,
                directory=self._directory,
                program=program,
                group="readers",
                topics=list(GROUP_TOPICS["readers"]),
            )
        )
        self.consumers.append(
            MemberProgram(
                "franz-go-member-848",
                self._bootstrap,
                self._history,
                self._seed,
                directory=self._directory,
                program=[program[0], "franz-848"],
                group="readers-848",
                topics=list(GROUP_TOPICS["readers-848"]),
            )
        )
        self._add_transforming("franz-go-transformer", program)
        self.members.update({"readers": 1, "readers-848": 1})

    def _add_transforming(self, name: str, program: list[str]) -> None:
        self.consumers.append(
            TransformingProgram(
                name,
                self._bootstrap,
                self._history,
                self._seed,
                directory=self._directory,
                program=program,
                group="transformers",
                source="plain",
                target="transformed",
            )
        )
        self.members.update(transformers=1)

    def _add_java(self) -> None:
        worker = chaos_worker()
        self._add_transforming("java-transformer", worker)
        self.administrators.append(
            ProgramAdministrator(
                "java-administrator",
                self._bootstrap,
                self._history,
                self._seed,
                directory=self._directory,
                program=worker,
                replicas=REPLICAS,
            )
        )
        common = (self._bootstrap, self._history, self._seed)
        self.producers.append(
            JavaProducer(
                "java-producer",
                *common,
                directory=self._directory,
                topic="programs",
                number=1,
                seconds=self._seconds,
            )
        )
        self.consumers.append(
            JavaConsumer("java-consumer", *common, directory=self._directory, topic="programs", group="java")
        )
        self.members.update(java=1)

    def _add_kcat(self) -> None:
        kcat = require_tool("kcat")
        self.producers.append(
            KcatProducer(
                "kcat",
                self._bootstrap,
                self._history,
                self._seed,
                kcat=kcat,
                topic="programs",
                partitions=PARTITIONS,
            )
        )


def chaos_worker() -> list[str]:
    """The command of java/ChaosWorker.java, compiled when it is new. Raises MissingTool."""
    classes = compiled_java("chaos-worker", _JAVA / "ChaosWorker.java", _JAVA / "pom.xml", jar_directory())
    log_settings = f"-Dlog4j2.configurationFile={_JAVA / 'log4j2.properties'}"
    return [require_tool("java"), "-Xmx128m", *JVM_FLAGS, log_settings, "-cp", classes, "ChaosWorker"]
