"""Clients of the client library that is installed, ready to use in a test."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

from kafkapy.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.testing.kafka import Kafka

FLUSH_SECONDS = 10
PACKAGES = {"confluent-kafka": "confluent_kafka", "kafka-python": "kafka", "aiokafka": "aiokafka"}
"""In the order in which they are chosen."""


WHO = ("user", "mechanism", "certificate")
"""Of every library: as which user a client connects. None of them has a setting of such a name."""


class Clients(ExitStack):
    """Makes clients of one library, which are closed at the end of the block."""

    def __init__(self, library: str, config_for: Callable[..., dict[str, object]]) -> None:
        """`config_for`: what it needs to connect, and to be one of WHO."""
        super().__init__()
        self._config_for = config_for
        self._package: Any = import_module(PACKAGES[library])
        self.not_closable: set[str] = set()
        """The client ids of those that the library closes with their object, which a failed test's report keeps."""

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def _config_of(self, settings: dict[str, Any]) -> dict[str, object]:
        """What a client needs to connect as who it is to be, which is taken out of its settings."""
        return self._config_for(**{name: settings.pop(name) for name in WHO if name in settings})

    def producer(self, **settings: Any) -> Any:
        raise NotImplementedError

    def consumer(self, *topics: str, group_id: str | None = None, **settings: Any) -> Any:
        raise NotImplementedError

    def admin(self, **settings: Any) -> Any:
        raise NotImplementedError


class ConfluentKafka(Clients):
    """Settings in librdkafka's words with `_` for `.` (`enable_auto_commit=False`), callbacks in the package's own."""

    def producer(self, **settings: Any) -> Any:
        config = {**self._config_of(settings), **_dotted(settings)}
        producer = self._package.Producer(config)
        self.callback(self._end_producer, producer, config)
        return producer

    def consumer(self, *topics: str, group_id: str | None = None, **settings: Any) -> Any:
        config = {
            **self._config_of(settings),
            "auto.offset.reset": "earliest",
            "group.id": group_id or "kafkapy-test",
            **_dotted(settings),
        }
        consumer = self._package.Consumer(config)
        self.callback(consumer.close)
        if topics:
            consumer.subscribe(list(topics))
        return consumer

    def admin(self, **settings: Any) -> Any:
        config = {**self._config_of(settings), **_dotted(settings)}
        self._note_not_closable(config)
        admin = import_module("confluent_kafka.admin").AdminClient(config)
        self.callback(_let_go, admin)
        return admin

    def _end_producer(self, producer: Any, config: dict[str, Any]) -> None:
        try:
            left = producer.flush(FLUSH_SECONDS)
        except RuntimeError:  # the test has closed it
            return
        # It would wait for messages and for the end of a transaction. Older releases have no `close`.
        if left or "transactional.id" in config or not hasattr(producer, "close"):
            self._note_not_closable(config)
        else:
            producer.close()

    def _note_not_closable(self, config: dict[str, Any]) -> None:
        self.not_closable.add(str(config.get("client.id", "rdkafka")))


def _let_go(_client: object) -> None:
    """The library closes it with its object: `kafka_admin().create_topics(...)` has futures that need it until then."""


class KafkaPython(Clients):
    """Settings in kafka-python's own words."""

    def producer(self, **settings: Any) -> Any:
        producer = self._package.KafkaProducer(**{**self._config_of(settings), **settings})
        self.callback(producer.close, 10)
        return producer

    def consumer(self, *topics: str, group_id: str | None = None, **settings: Any) -> Any:
        config = {**self._config_of(settings), "auto_offset_reset": "earliest", "group_id": group_id, **settings}
        consumer = self._package.KafkaConsumer(*topics, **config)
        self.callback(consumer.close)
        return consumer

    def admin(self, **settings: Any) -> Any:
        admin = self._package.KafkaAdminClient(**{**self._config_of(settings), **settings})
        self.callback(admin.close)
        return admin


class Aiokafka(Clients):
    """Settings in aiokafka's own words. The test starts its clients: `async with kafka_producer() as producer`."""

    def producer(self, **settings: Any) -> Any:
        return self._package.AIOKafkaProducer(**{**self._config_of(settings), **settings})

    def consumer(self, *topics: str, group_id: str | None = None, **settings: Any) -> Any:
        config = {**self._config_of(settings), "auto_offset_reset": "earliest", "group_id": group_id, **settings}
        return self._package.AIOKafkaConsumer(*topics, **config)

    def admin(self, **settings: Any) -> Any:
        return import_module("aiokafka.admin").AIOKafkaAdminClient(**{**self._config_of(settings), **settings})


_CLIENTS: dict[str, type[Clients]] = {
    "confluent-kafka": ConfluentKafka,
    "kafka-python": KafkaPython,
    "aiokafka": Aiokafka,
}


def clients_of(library: str, kafka: Kafka) -> Clients:
    """The clients of this library, or with "" of the first one that is installed. Raises ValueError, ImportError."""
    if not isinstance(library, str):  # it comes from a marker
        raise ValueError(f"client is the name of a library ({', '.join(_CLIENTS)}), and not {library!r}")
    if not library:
        installed = [name for name, package in PACKAGES.items() if find_spec(package) is not None]
        if not installed:
            raise ImportError(f"no Kafka client library is installed: install one of {', '.join(PACKAGES)}")
        library = installed[0]
    if library not in _CLIENTS:
        raise ValueError(
            f"there is no client library {library!r}{did_you_mean(library, _CLIENTS)}: there are {', '.join(_CLIENTS)}"
        )
    if find_spec(PACKAGES[library]) is None:
        raise ImportError(f"{library} is not installed")
    return _CLIENTS[library](library, partial(kafka.config_for, library))


def _dotted(settings: dict[str, Any]) -> dict[str, Any]:
    return {name if callable(value) else name.replace("_", "."): value for name, value in settings.items()}
