"""A Kafka in a thread for the tests of a file, fresh for each: other files measure memory in the same process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafkapy.testing import Kafka


@pytest.fixture(scope="module")
def one_kafka() -> Iterator[Kafka]:
    with Kafka() as kafka:
        yield kafka


@pytest.fixture
def kafka(one_kafka: Kafka) -> Iterator[Kafka]:
    one_kafka.reset()
    yield one_kafka
    assert one_kafka.take_bugs() == []


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[Kafka]:
    with Kafka(nodes=3, racks=("a", "b", "c"), settings={"replica.lag.time.max.ms": 1_000}) as kafka:
        yield kafka


@pytest.fixture
def kafka_cluster(three_nodes: Kafka) -> Iterator[Kafka]:
    three_nodes.reset()
    yield three_nodes
    assert three_nodes.take_bugs() == []
