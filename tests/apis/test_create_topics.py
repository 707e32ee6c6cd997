"""CreateTopics: the answer of each version, and what the settings say of a new topic."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.apis import create_topics
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.uuid import ZERO_UUID

from .topic_lab import Lab, lab, topic


def ask(
    node: Lab, *topics: CreatableTopic, version: int = 7, validate_only: bool = False, timeout_ms: int = 10_000
) -> CreateTopicsResponse:
    request = CreateTopicsRequest(topics=list(topics), validate_only=validate_only, timeout_ms=timeout_ms)
    response = node.call(create_topics, decode(CreateTopicsRequest, encode(request, version), version), version)
    assert isinstance(response, CreateTopicsResponse)
    return decode(CreateTopicsResponse, encode(response, version), version)


def configured(name: str, **configs: str) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=1,
        replication_factor=1,
        configs=[CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()],
    )


@pytest.mark.parametrize("timeout_ms", [0, -1])
@pytest.mark.parametrize("validate_only", [False, True])
def test_without_time_nothing_is_made(tmp_path: Path, timeout_ms: int, validate_only: bool) -> None:
    """But what is refused at first sight is refused for that."""
    with lab(tmp_path) as node:
        asked = [topic("a"), topic("b"), topic("b"), topic("not a name")]
        results = ask(node, *asked, timeout_ms=timeout_ms, validate_only=validate_only).topics
        assert [(result.name, result.error_code) for result in results] == [
            (one.name, ErrorCode.REQUEST_TIMED_OUT) for one in asked
        ]
        (twice,) = ask(node, *asked[1:3], timeout_ms=timeout_ms, validate_only=validate_only).topics
        assert twice.error_code == ErrorCode.INVALID_REQUEST
        assert node.image.topics == {}


@pytest.mark.parametrize("version", range(2, 8))
def test_every_version_makes_a_topic_and_says_why_not(tmp_path: Path, version: int) -> None:
    with lab(tmp_path) as node:
        (made,) = ask(node, topic("a", 2, 1), version=version).topics
        assert (made.error_code, made.error_message) == (ErrorCode.NONE, None)
        assert len(node.image.topics["a"].partitions) == 2
        assert made.topic_id == (node.image.topics["a"].topic_id if version >= 7 else ZERO_UUID)
        assert made.num_partitions == (2 if version >= 5 else -1)
        (again,) = ask(node, topic("a"), version=version).topics
        assert (again.error_code, again.error_message) == (
            ErrorCode.TOPIC_ALREADY_EXISTS,
            "Topic 'a' already exists.",
        )


def test_the_settings_of_the_new_topic_are_told(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        (made,) = ask(node, configured("a", retention_ms="77")).topics
        configs = {config.name: config for config in made.configs or ()}
        assert len(configs) == 37
        assert (configs["retention.ms"].value, configs["retention.ms"].config_source) == ("77", 1)
        assert (configs["cleanup.policy"].value, configs["cleanup.policy"].config_source) == ("delete", 5)
        assert not any(config.read_only or config.is_sensitive for config in configs.values())


def test_settings_are_checked_with_the_brokers_own_table(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        response = ask(node, configured("a", retention_ms="x"), configured("b", no_such="1"), configured("c"))
        assert [(result.name, result.error_message) for result in response.topics] == [
            ("a", "Invalid value x for configuration retention.ms: Not a number of type LONG"),
            ("b", "Unknown topic config name: no.such"),
            ("c", None),
        ]
        assert list(node.image.topics) == ["c"]


def test_validate_only_changes_nothing(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        offset = node.image.offset
        (result,) = ask(node, topic("a"), validate_only=True).topics
        assert result.error_code == ErrorCode.NONE
        assert node.image.offset == offset


def test_an_error_of_the_whole_request_is_every_topics() -> None:
    error = KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, "disk")
    response = create_topics.error_response(CreateTopicsRequest(topics=[topic("a"), topic("b")]), error)
    assert [(r.name, r.error_code, r.error_message) for r in response.topics] == [
        ("a", ErrorCode.KAFKA_STORAGE_ERROR, "disk"),
        ("b", ErrorCode.KAFKA_STORAGE_ERROR, "disk"),
    ]
