"""DeleteTopics: by name in every version, by id in the last, and not at all where it is switched off."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.apis import delete_topics
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse, DeleteTopicState

from .topic_lab import Lab, lab, topic


def ask(node: Lab, request: DeleteTopicsRequest, version: int) -> DeleteTopicsResponse:
    response = node.call(delete_topics, decode(DeleteTopicsRequest, encode(request, version), version), version)
    assert isinstance(response, DeleteTopicsResponse)
    return decode(DeleteTopicsResponse, encode(response, version), version)


def by_name(*names: str, version: int) -> DeleteTopicsRequest:
    if version >= 6:
        return DeleteTopicsRequest(topics=[DeleteTopicState(name=name) for name in names], timeout_ms=10_000)
    return DeleteTopicsRequest(topic_names=list(names), timeout_ms=10_000)


@pytest.mark.parametrize("version", range(1, 7))
def test_every_version_deletes_by_name(tmp_path: Path, version: int) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"), topic("b"))
        response = ask(node, by_name("a", "nope", version=version), version)
        assert {(result.name, ErrorCode(result.error_code)) for result in response.responses} == {
            ("a", ErrorCode.NONE),
            ("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        }
        (message,) = [result.error_message for result in response.responses if result.error_code]
        assert message == ("This server does not host this topic-partition." if version >= 5 else None)
        assert list(node.image.topics) == ["b"]


def test_by_id(tmp_path: Path) -> None:
    with lab(tmp_path) as node:
        node.create(topic("a"))
        topic_id = node.image.topics["a"].topic_id
        request = DeleteTopicsRequest(topics=[DeleteTopicState(name=None, topic_id=topic_id)], timeout_ms=10_000)
        (result,) = ask(node, request, 6).responses
        assert (result.name, result.topic_id, result.error_code) == ("a", topic_id, ErrorCode.NONE)
        assert node.image.topics == {}


@pytest.mark.parametrize(
    ("version", "code"), [(2, ErrorCode.INVALID_REQUEST), (3, ErrorCode.TOPIC_DELETION_DISABLED), (6, 73)]
)
def test_deletion_can_be_switched_off(tmp_path: Path, version: int, code: int) -> None:
    with lab(tmp_path, {"delete.topic.enable": "false"}) as node:
        node.create(topic("a"))
        (result,) = ask(node, by_name("a", version=version), version).responses
        assert (result.name, result.error_code, result.error_message) == ("a", code, None)
        assert list(node.image.topics) == ["a"]


@pytest.mark.parametrize("timeout_ms", [0, -1])
def test_without_time_nothing_is_deleted(tmp_path: Path, timeout_ms: int) -> None:
    """But what is refused at first sight is refused for that."""
    with lab(tmp_path) as node:
        node.create(topic("a"), topic("b"))
        late = [DeleteTopicState(name="a"), DeleteTopicState(name="b"), DeleteTopicState(name="b")]
        response = ask(node, DeleteTopicsRequest(topics=late, timeout_ms=timeout_ms), 6)
        assert [(r.name, r.error_code, r.error_message) for r in response.responses] == [
            (name, ErrorCode.REQUEST_TIMED_OUT, None) for name in ("a", "b", "b")
        ]
        (twice,) = ask(node, DeleteTopicsRequest(topics=late[1:], timeout_ms=timeout_ms), 6).responses
        assert twice.error_code == ErrorCode.INVALID_REQUEST
        assert set(node.image.topics) == {"a", "b"}
