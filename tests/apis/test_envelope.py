"""Envelope: what a broker forwards is bounded as what a client sends."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kafkapy.apis import envelope
from kafkapy.context import Client, NodeContext
from kafkapy.long_messages import ELEMENTS_MAX
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.codec import encode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.default_principal_data import DefaultPrincipalData
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest
from kafkapy_wire.messages.envelope import EnvelopeRequest
from kafkapy_wire.messages.request_header import RequestHeader
from tests.apis.topic_lab import lab

VERSION = 5


@pytest.mark.parametrize(("count", "is_refused"), [(ELEMENTS_MAX // 10, False), (ELEMENTS_MAX * 2, True)])
def test_a_forwarded_request_has_as_many_elements_as_one_of_a_client_may_have(
    tmp_path: Path, count: int, is_refused: bool
) -> None:
    header = RequestHeader(request_api_key=ApiKey.DELETE_TOPICS, request_api_version=VERSION, client_id="c")
    body = DeleteTopicsRequest(topic_names=[f"topic-{n}" for n in range(count)], timeout_ms=1_000)
    request = EnvelopeRequest(
        request_data=encode(header, 2) + encode(body, VERSION),
        request_principal=b"\0\0" + encode(DefaultPrincipalData(type="User", name="a"), 0),
        client_host_address=b"\x7f\0\0\1",
    )
    with lab(tmp_path) as node:
        context = NodeContext(node.broker, Client("CONTROLLER", "127.0.0.1", 0, "127.0.0.1"))
        if is_refused:
            with pytest.raises(KafkaError) as refusal:
                trio.run(envelope.handle, request, context)
            assert refusal.value.code is ErrorCode.INVALID_REQUEST
        else:
            assert trio.run(envelope.handle, request, context).response_data
