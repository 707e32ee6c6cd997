"""Requests and answers with secrets in them are recorded without: tokens of logins, keys of users, sensitive settings.

The records of `__cluster_metadata`, which nodes fetch from controllers, have all of these in them: they are left out.
The fields are there, and empty. What cannot be read is recorded as its header alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kafkapy.settings.catalog import broker_definition
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC, METADATA_TOPIC_ID
from kafkapy_wire.api_keys import (
    ApiKey,
    request_class,
    request_header_version,
    response_class,
    response_header_version,
)
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.errors import MalformedMessage, UnsupportedVersion
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafkapy_wire.message import Message

HIDDEN: Final = "[hidden]"
_HEADER_BYTES: Final = 10
_BROKER: Final = 4  # the resource type


def _login(message: Any) -> None:
    message.auth_bytes = b""


def _users(message: Any) -> None:
    for upsertion in message.upsertions:
        upsertion.salt = upsertion.salted_password = b""


def _token(message: Any) -> None:
    message.hmac = b""


def _tokens(message: Any) -> None:
    for token in message.tokens:
        token.hmac = b""


def _settings(message: Any) -> None:
    for resource in message.resources:
        for config in resource.configs:
            if resource.resource_type == _BROKER and config.value is not None and _is_secret(config.name):
                config.value = HIDDEN


def _metadata(message: Any) -> None:
    for topic in message.responses:
        if topic.topic_id == METADATA_TOPIC_ID or topic.topic == CLUSTER_METADATA_TOPIC:
            for partition in topic.partitions:
                partition.records = b""


def _snapshots(message: Any) -> None:
    for topic in message.topics:
        for partition in topic.partitions:
            partition.unaligned_records = b""


def _forwarded(message: Any) -> None:
    """A request in an Envelope."""
    message.request_data = request_without_secrets(bytes(message.request_data))


def _forwarded_answer(message: Any) -> None:
    """It is not known here which request it answers."""
    message.response_data = None


def _is_secret(name: str) -> bool:
    definition = broker_definition(name)
    return definition is None or definition.is_sensitive


_REQUESTS: Final[Mapping[ApiKey, Callable[[Any], None]]] = {
    ApiKey.SASL_AUTHENTICATE: _login,
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: _users,
    ApiKey.RENEW_DELEGATION_TOKEN: _token,
    ApiKey.EXPIRE_DELEGATION_TOKEN: _token,
    ApiKey.ALTER_CONFIGS: _settings,
    ApiKey.INCREMENTAL_ALTER_CONFIGS: _settings,
    ApiKey.ENVELOPE: _forwarded,
}
_ANSWERS: Final[Mapping[ApiKey, Callable[[Any], None]]] = {
    ApiKey.SASL_AUTHENTICATE: _login,
    ApiKey.CREATE_DELEGATION_TOKEN: _token,
    ApiKey.DESCRIBE_DELEGATION_TOKEN: _tokens,
    ApiKey.ENVELOPE: _forwarded_answer,
    ApiKey.FETCH: _metadata,
    ApiKey.FETCH_SNAPSHOT: _snapshots,
}
_WITH_SECRETS: Final = frozenset(
    int(key).to_bytes(2, "big") for key in (_REQUESTS.keys() | _ANSWERS.keys()) - {ApiKey.FETCH}
)
_FETCH: Final = int(ApiKey.FETCH).to_bytes(2, "big")
_METADATA_NAMES: Final = (METADATA_TOPIC_ID, CLUSTER_METADATA_TOPIC.encode())


def has_secrets(frame: bytes) -> bool:
    """Whether there may be secrets in this request, or in its answer."""
    start = frame[:2]
    return start in _WITH_SECRETS or (start == _FETCH and _names_metadata(frame))


def _names_metadata(message: bytes) -> bool:
    """Whether it may be about `__cluster_metadata`: its id is next to all zeros, which other fields may be, too."""
    return any(name in message for name in _METADATA_NAMES)


def request_without_secrets(frame: bytes) -> bytes:
    """The frame, or another one without its secrets."""
    if frame[:2] not in _WITH_SECRETS:
        return frame
    key, version = ApiKey(int.from_bytes(frame[:2], "big")), int.from_bytes(frame[2:4], "big")
    hide = _REQUESTS.get(key)
    if hide is None:
        return frame
    try:
        header_version = request_header_version(key, version)
        header, position = decode_from(RequestHeader, frame, 0, header_version)
        request, _ = decode_from(request_class(key), frame, position, version)
        hide(request)
        return encode(header, header_version) + encode(request, version)
    except (MalformedMessage, UnsupportedVersion, ValueError):
        return frame[:_HEADER_BYTES]


def answer_without_secrets(request_frame: bytes, answer: bytes) -> bytes:
    """The answer to such a request, likewise."""
    key, version = ApiKey(int.from_bytes(request_frame[:2], "big")), int.from_bytes(request_frame[2:4], "big")
    hide = _ANSWERS.get(key)
    if hide is None or not answer or (key is ApiKey.FETCH and not _names_metadata(answer)):
        return answer
    try:
        header_version = response_header_version(key, version)
        header, position = decode_from(ResponseHeader, answer, 0, header_version)
        response: Message
        response, _ = decode_from(response_class(key), answer, position, version)
        hide(response)
        return encode(header, header_version) + encode(response, version)
    except (MalformedMessage, UnsupportedVersion, ValueError):
        return answer[:4]
