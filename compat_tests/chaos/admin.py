"""Clients that make, change and delete topics, and know afterwards which must be there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from compat_tests.chaos.conversation import Conversation, Line
from compat_tests.crash.clients import Client
from compat_tests.crash.history_file import HistoryFile

REQUEST_SECONDS = 10.0
TOPICS_MAX = 6
FIRST_RETENTION = "1000000"


class Administrator(Client):
    """Topics `NAME-0`, `NAME-1`, ... come, get settings, and go. What had no clear answer may be or not be."""

    USER = "administrator"

    def __init__(self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, replicas: int) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.there: dict[str, str | None] = {}
        """Topics that must be there, with their `retention.ms`; None: nobody knows that."""
        self.gone: set[str] = set()
        self.answers = 0
        self.replicas = replicas
        self._made = 0

    @abstractmethod
    def create(self, topic: str, partitions: int) -> bool:
        """With FIRST_RETENTION. Whether it was answered with success; else nobody knows; so with the others."""

    @abstractmethod
    def alter(self, topic: str, retention: str) -> bool: ...

    @abstractmethod
    def delete(self, topic: str) -> bool: ...

    def step(self) -> None:
        chance = self.random.random()
        if len(self.there) < TOPICS_MAX and chance < 0.5:
            topic = f"{self.name}-{self._made}"
            self._made += 1
            if self._counted(self.create(topic, self.random.randint(1, 3))):
                self.there[topic] = FIRST_RETENTION
        elif self.there and chance < 0.8:
            topic, value = self.random.choice(sorted(self.there)), str(self.random.randint(1_000_000, 2_000_000))
            self.there[topic] = None
            if self._counted(self.alter(topic, value)):
                self.there[topic] = value
        elif self.there:
            topic = self.random.choice(sorted(self.there))
            del self.there[topic]
            if self._counted(self.delete(topic)):
                self.gone.add(topic)
        self.pause(self.random.uniform(0.2, 1.0))

    def close(self) -> None: ...

    def _counted(self, done: bool) -> bool:
        self.answers += done
        return done

    def problems(self) -> list[str]:
        """What is not as it was answered, when nobody works any more."""
        client = AdminClient(self.connection)
        found = set(client.list_topics(timeout=30).topics)
        problems = [f"topic {name} was created and is gone" for name in sorted(set(self.there) - found)]
        problems += [f"topic {name} was deleted and is there" for name in sorted(self.gone & found)]
        for name, retention in self.there.items():
            if name in found and retention is not None:
                resource = ConfigResource(ResourceType.TOPIC, name)
                (described,) = client.describe_configs([resource]).values()
                value = described.result(30)["retention.ms"].value
                if value != retention:
                    problems.append(f"retention.ms of {name} was set to {retention} and is {value}")
        return problems


class LibrdkafkaAdministrator(Administrator):
    def open(self) -> None:
        self._client = AdminClient(self.connection)

    def create(self, topic: str, partitions: int) -> bool:
        new = NewTopic(topic, partitions, self.replicas, config={"retention.ms": FIRST_RETENTION})
        return self._done(lambda: self._client.create_topics([new], request_timeout=REQUEST_SECONDS))

    def alter(self, topic: str, retention: str) -> bool:
        entry = ConfigEntry("retention.ms", retention, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        return self._done(lambda: self._client.incremental_alter_configs([resource], request_timeout=REQUEST_SECONDS))

    def delete(self, topic: str) -> bool:
        return self._done(lambda: self._client.delete_topics([topic], request_timeout=REQUEST_SECONDS))

    def _done(self, ask: Callable[[], dict[Any, Any]]) -> bool:
        try:
            for future in ask().values():
                future.result(2 * REQUEST_SECONDS)
        except KafkaException:
            return False
        return True


class ProgramAdministrator(Administrator):
    """`program` has the orders of an administrator of java/ChaosWorker.java."""

    def __init__(
        self,
        name: str,
        bootstrap: str,
        history: HistoryFile,
        seed: int,
        *,
        directory: Path,
        program: Sequence[str],
        replicas: int,
    ) -> None:
        super().__init__(name, bootstrap, history, seed, replicas=replicas)

        def heard(line: Line) -> None:
            raise AssertionError(f"{name} said {line}")

        command = [*program, "admin", bootstrap]
        self._talk = Conversation(name, command, directory / f"{name}.errors", heard, user=self.USER)

    def open(self) -> None:
        self._talk.open()

    def create(self, topic: str, partitions: int) -> bool:
        return self._done("create", topic, partitions=partitions, replicas=self.replicas, retention=FIRST_RETENTION)

    def alter(self, topic: str, retention: str) -> bool:
        return self._done("alter", topic, retention=retention)

    def delete(self, topic: str) -> bool:
        return self._done("delete", topic)

    def close(self) -> None:
        self._talk.close()

    def _done(self, do: str, topic: str, **fields: object) -> bool:
        return "done" in self._talk.ask(do, topic=topic, **fields)
