"""A client that makes, changes and deletes topics, and knows afterwards which must be there."""

from __future__ import annotations

from collections.abc import Callable
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

from compat_tests.crash.clients import Client
from compat_tests.crash.history_file import HistoryFile

PREFIX = "made-"
REQUEST_SECONDS = 10.0
TOPICS_MAX = 8


class Administrator(Client):
    """Topics `made-0`, `made-1`, ... come, get settings, and go. What had no clear answer may be or not be."""

    def __init__(self, name: str, bootstrap: str, history: HistoryFile, seed: int, *, replicas: int) -> None:
        super().__init__(name, bootstrap, history, seed)
        self.there: dict[str, str | None] = {}
        """Topics that must be there, with their `retention.ms`; None: nobody knows that."""
        self.gone: set[str] = set()
        self.answers = 0
        self._replicas = replicas
        self._made = 0

    def open(self) -> None:
        self._client = AdminClient(self.connection)

    def step(self) -> None:
        chance = self.random.random()
        if len(self.there) < TOPICS_MAX and chance < 0.5:
            self._create_topic()
        elif self.there and chance < 0.8:
            self._alter_topic(self.random.choice(sorted(self.there)))
        elif self.there:
            self._delete_topic(self.random.choice(sorted(self.there)))
        self.pause(self.random.uniform(0.2, 1.0))

    def close(self) -> None: ...

    def problems(self) -> list[str]:
        """What is not as it was answered, when nobody works any more."""
        found = set(self._client.list_topics(timeout=30).topics)
        problems = [f"topic {name} was created and is gone" for name in sorted(set(self.there) - found)]
        problems += [f"topic {name} was deleted and is there" for name in sorted(self.gone & found)]
        for name, retention in self.there.items():
            if name in found and retention is not None:
                resource = ConfigResource(ResourceType.TOPIC, name)
                (described,) = self._client.describe_configs([resource]).values()
                value = described.result(30)["retention.ms"].value
                if value != retention:
                    problems.append(f"retention.ms of {name} was set to {retention} and is {value}")
        return problems

    def _create_topic(self) -> None:
        name = f"{PREFIX}{self._made}"
        self._made += 1
        topic = NewTopic(name, self.random.randint(1, 3), self._replicas, config={"retention.ms": "1000000"})
        if self._done(lambda: self._client.create_topics([topic], request_timeout=REQUEST_SECONDS)):
            self.there[name] = "1000000"

    def _alter_topic(self, name: str) -> None:
        value = str(self.random.randint(1_000_000, 2_000_000))
        entry = ConfigEntry("retention.ms", value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        self.there[name] = None
        if self._done(lambda: self._client.incremental_alter_configs([resource], request_timeout=REQUEST_SECONDS)):
            self.there[name] = value

    def _delete_topic(self, name: str) -> None:
        del self.there[name]
        if self._done(lambda: self._client.delete_topics([name], request_timeout=REQUEST_SECONDS)):
            self.gone.add(name)

    def _done(self, ask: Callable[[], dict[Any, Any]]) -> bool:
        """Whether it was answered with success; else nobody knows."""
        try:
            for future in ask().values():
                future.result(2 * REQUEST_SECONDS)
        except KafkaException:
            return False
        self.answers += 1
        return True
