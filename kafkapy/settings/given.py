"""What a user gave, and where."""

from __future__ import annotations

from typing import NamedTuple


class GivenTopic(NamedTuple):
    """A topic that the node creates when it starts (KAFKA_CREATE_TOPICS). -1: the broker's default."""

    name: str
    partition_count: int
    replication_factor: int
    configs: dict[str, str]


class GivenSettings(dict[str, str]):
    """Values by Kafka's names, each with its `origins`: a file, a variable, an option. Made by `sources.gather`.

    Besides settings: the cluster id that a new directory gets, the topics that are there from the start, the release of
    Apache Kafka to be taken for, and the highest versions of APIs.
    """

    __slots__ = ("as_kafka", "cap_apis", "cluster_id", "origins", "topics", "warnings")

    def __init__(self) -> None:
        super().__init__()
        self.origins: dict[str, str] = {}
        self.warnings: list[str] = []
        self.cluster_id: str | None = None
        self.topics: list[GivenTopic] = []
        self.as_kafka: str | None = None
        self.cap_apis: dict[str, int | None] = {}

    def add(self, name: str, value: str, origin: str) -> None:
        self[name] = value
        self.origins[name] = origin
