"""CreatePartitions: more partitions in every version, and each topic's own error."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.apis import create_partitions
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)

from .topic_lab import lab, topic


def wanted(name: str, count: int) -> CreatePartitionsTopic:
    return CreatePartitionsTopic(name=name, count=count, assignments=None)


@pytest.mark.parametrize("version", range(4))
def test_every_version_adds_partitions(tmp_path: Path, version: int) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"), topic("b"))
        request = CreatePartitionsRequest(topics=[wanted("a", 3), wanted("b", 1), wanted("nope", 2)], timeout_ms=10_000)
        request = decode(CreatePartitionsRequest, encode(request, version), version)
        response = node.call(create_partitions, request, version)
        assert isinstance(response, CreatePartitionsResponse)
        results = decode(CreatePartitionsResponse, encode(response, version), version).results
        assert [(result.name, ErrorCode(result.error_code), result.error_message) for result in results] == [
            ("a", ErrorCode.NONE, None),
            ("b", ErrorCode.INVALID_PARTITIONS, "Topic already has 1 partition(s)."),
            ("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, None),
        ]
        assert len(node.image.topics["a"].partitions) == 3


@pytest.mark.parametrize("timeout_ms", [0, -1])
def test_without_time_none_is_added(tmp_path: Path, timeout_ms: int) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"))
        request = CreatePartitionsRequest(topics=[wanted("a", 3), wanted("nope", 2)], timeout_ms=timeout_ms)
        results = node.call(create_partitions, request, 3).results
        assert {(result.name, result.error_code) for result in results} == {("a", 7), ("nope", 7)}
        request = CreatePartitionsRequest(topics=[wanted("a", 3), wanted("a", 4)], timeout_ms=timeout_ms)
        (twice,) = node.call(create_partitions, request, 3).results
        assert twice.error_code == ErrorCode.INVALID_REQUEST
        assert len(node.image.topics["a"].partitions) == 1


def test_an_error_of_the_whole_request_is_every_topics() -> None:
    request = CreatePartitionsRequest(topics=[wanted("a", 3)], timeout_ms=10_000)
    (result,) = create_partitions.error_response(request, KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)).results
    assert (result.name, result.error_code) == ("a", ErrorCode.KAFKA_STORAGE_ERROR)
