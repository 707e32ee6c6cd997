"""Clients with quotas, beside Apache Kafka: what they are told to wait, what they get, and that they do wait.

Throttle times depend on the time that has passed between requests, so that they are compared within 200 ms.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from typing import Any

import pytest

from compat_tests.apache_kafka import ApacheKafka
from compat_tests.broker import Broker
from compat_tests.differential.peer import Connection
from compat_tests.kafkapy_process import KafkapyProcess
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.message import Message
from kafkapy_wire.messages.alter_client_quotas import AlterClientQuotasRequest, OpData
from kafkapy_wire.messages.alter_client_quotas import AlterClientQuotasRequestEntityData as Entity
from kafkapy_wire.messages.alter_client_quotas import AlterClientQuotasRequestEntryData as Entry
from kafkapy_wire.messages.api_versions import ApiVersionsRequest
from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from kafkapy_wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kafkapy_wire.records import NewRecord, build_batch

Told = dict[str, Any]
Scenario = Callable[["Client"], Told]
SETTLED_SECONDS = 20


class Client:
    """A connection whose client id has quotas of its own."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.topic = name
        self._admin = Connection("127.0.0.1", broker.port, "quota-admin")
        self._own = Connection("127.0.0.1", broker.port, name)

    def close(self) -> None:
        self._own.close()
        self._admin.close()

    def ask(self, request: Message, version: int, connection: Connection | None = None) -> Any:
        connection = connection or self._own
        number = connection.post(request, version)
        return connection.receive(ApiKey(request.__schema__.api_key), version, number)

    def set_quotas(self, **bounds: float) -> None:
        entry = Entry(
            entity=[Entity(entity_type="client-id", entity_name=self.topic)],
            ops=[OpData(key=key, value=value) for key, value in bounds.items()],
        )
        answer = self.ask(AlterClientQuotasRequest(entries=[entry]), 1, self._admin)
        assert not answer.entries[0].error_code, answer

    def make_topics(self, *names: str, partitions: int = 1, version: int = 7, as_admin: bool = False) -> Any:
        topics = [CreatableTopic(name=name, num_partitions=partitions, replication_factor=1) for name in names]
        request = CreateTopicsRequest(topics=topics, timeout_ms=20_000)
        return self.ask(request, version, self._admin if as_admin else None)

    def produce(self, size: int) -> Any:
        batch = build_batch([NewRecord(int(time.time() * 1_000), None, bytes(size))])
        data = PartitionProduceData(index=0, records=batch)
        request = ProduceRequest(
            acks=1, timeout_ms=10_000, topic_data=[TopicProduceData(name=self.topic, partition_data=[data])]
        )
        return self.ask(request, 12)

    def fetch(self, **given: int) -> Any:
        wanted = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
        request = FetchRequest(max_wait_ms=0, min_bytes=1, topics=[FetchTopic(topic=self.topic, partitions=[wanted])])
        for name, value in given.items():
            setattr(request, name, value)
        return self.ask(request, 12)

    def until_throttled(self, ask: Callable[[], Any]) -> Any:
        """The first answer with a throttle time: a broker may hear of its quotas late."""
        until = time.monotonic() + SETTLED_SECONDS
        while not (answer := ask()).throttle_time_ms:
            assert time.monotonic() < until, "it is not throttled"
        return answer

    def waited_ms(self) -> float:
        """How long it takes until the next request is answered."""
        began = time.monotonic()
        self.ask(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 3)
        return (time.monotonic() - began) * 1_000


def producing(client: Client) -> Told:
    client.make_topics(client.topic, as_admin=True)
    client.produce(10)
    client.set_quotas(producer_byte_rate=1_000)
    answer = client.until_throttled(lambda: client.produce(10_600))
    return {
        "error": answer.responses[0].partition_responses[0].error_code,
        "throttle_ms": answer.throttle_time_ms,
        "waits": client.waited_ms() > answer.throttle_time_ms * 0.9,
    }


def fetching(client: Client) -> Told:
    client.make_topics(client.topic, as_admin=True)
    client.produce(3_000)
    client.set_quotas(consumer_byte_rate=295)
    withheld = client.until_throttled(lambda: client.fetch(session_epoch=0))
    return {
        "throttle_ms": withheld.throttle_time_ms,
        "topics": len(withheld.responses),
        "session": withheld.session_id != 0,
        "error": withheld.error_code,
        "waits": client.waited_ms() > withheld.throttle_time_ms * 0.9,
    }


def mutations(client: Client) -> Told:
    third, tries = f"{client.topic}-c", count()
    client.make_topics(client.topic, as_admin=True)
    client.set_quotas(controller_mutation_rate=10)

    def make_two() -> Any:
        number = next(tries)  # those of a try before the broker has heard of the quota are there
        return client.make_topics(*(f"{client.topic}-{each}-{number}" for each in "ab"), partitions=115, version=7)

    refused = client.until_throttled(make_two)
    first = refused.topics[0].name
    told = {
        "create v7": [(topic.error_code, topic.error_message) for topic in refused.topics],
        "create v7 throttle_ms": refused.throttle_time_ms,
    }
    charged = time.monotonic()
    kept = client.make_topics(third, partitions=5, version=5)
    told["create v5"] = [topic.error_code for topic in kept.topics]
    wider = CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name=third, count=20, assignments=None)], timeout_ms=20_000
    )
    added = client.ask(wider, 2)
    # What is left of the time since the quota was used up; a broker that stands still for a moment has less left.
    told["partitions v2 throttle_ms"] = added.throttle_time_ms + 1_000 * (time.monotonic() - charged)
    told["partitions v2"] = [topic.error_code for topic in added.results]
    wider.topics[0].count = 200
    again = client.ask(wider, 3)
    told["partitions v3"] = [(topic.error_code, topic.error_message) for topic in again.results]
    deleted = client.ask(DeleteTopicsRequest(topic_names=[first], timeout_ms=20_000), 5)
    told["delete v5"] = [(topic.error_code, topic.error_message) for topic in deleted.responses]
    return told


@pytest.mark.parametrize("scenario", [producing, fetching, mutations], ids=lambda each: each.__name__)
def test_clients_with_quotas_are_answered_the_same(
    scenario: Scenario, kafkapy_broker: KafkapyProcess, apache_kafka: ApacheKafka, new_name: Callable[..., str]
) -> None:
    name = new_name()
    told = []
    for broker in (kafkapy_broker, apache_kafka):
        with closing(Client(broker, name)) as client:
            told.append(scenario(client))
    ours, theirs = told
    for key, value in theirs.items():
        if key.endswith("throttle_ms"):
            assert ours[key] == pytest.approx(value, rel=0.05, abs=200), key
        else:
            assert ours[key] == value, key
