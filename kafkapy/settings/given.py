"""What a user gave, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkapy.settings.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class GivenTopic(NamedTuple):
    """A topic that the node creates when it starts (KAFKA_CREATE_TOPICS). -1: the broker's default."""

    name: str
    partition_count: int
    replication_factor: int
    configs: dict[str, str]


class GivenSettings(dict[str, str]):
    """Values by Kafka's names, each with its `origins`: a file, a variable, an option. Made by `sources.gather`.

    Besides settings: the cluster id that a new directory gets, the topics that are there from the start, the release of
    Apache Kafka to be taken for, the highest versions of APIs, the kindnesses that are turned off, and the settings
    that are therefore as in Apache Kafka.
    """

    __slots__ = ("as_in_kafka", "as_kafka", "cap_apis", "cluster_id", "origins", "strict", "topics", "warnings")

    def __init__(self) -> None:
        super().__init__()
        self.origins: dict[str, str] = {}
        self.warnings: list[str] = []
        self.cluster_id: str | None = None
        self.topics: list[GivenTopic] = []
        self.as_kafka: str | None = None
        self.cap_apis: dict[str, int | None] = {}
        self.strict: list[str] = []
        self.as_in_kafka: frozenset[str] = frozenset()

    def add(self, name: str, value: str, origin: str) -> None:
        self[name] = value
        self.origins[name] = origin


def with_settings_of_kafka(given: Mapping[str, str], names: Iterable[str]) -> GivenSettings:
    """A copy in which these settings are as in Apache Kafka."""
    copy = GivenSettings()
    copy.update(given)
    if isinstance(given, GivenSettings):
        copy.origins = given.origins
    copy.as_in_kafka = frozenset(names)
    return copy


def with_origin(error: SettingsError, values: Mapping[str, str]) -> SettingsError:
    """The same error, which also says where the value was given, if `values` knows."""
    origin = values.origins.get(error.name or "") if isinstance(values, GivenSettings) else None
    return error if origin is None else SettingsError(f"{error} (given by {origin})", error.name)
