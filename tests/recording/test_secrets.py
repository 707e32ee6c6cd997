"""No recording has secrets in it: neither in requests nor in answers, decoded or as bytes."""

from __future__ import annotations

import pytest

from kafkapy.recording.secrets import HIDDEN, answer_without_secrets, has_secrets, request_without_secrets
from kafkapy.testing import Kafka
from kafkapy_controller.topic_names import CLUSTER_METADATA_TOPIC, METADATA_TOPIC_ID
from kafkapy_wire.api_keys import (
    ApiKey,
    request_class,
    request_header_version,
    response_class,
    response_header_version,
)
from kafkapy_wire.codec import decode_from, encode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.alter_configs import AlterableConfig as OldConfig
from kafkapy_wire.messages.alter_configs import AlterConfigsRequest
from kafkapy_wire.messages.alter_configs import AlterConfigsResource as OldResource
from kafkapy_wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialUpsertion,
)
from kafkapy_wire.messages.create_delegation_token import CreateDelegationTokenResponse
from kafkapy_wire.messages.describe_delegation_token import DescribedDelegationToken, DescribeDelegationTokenResponse
from kafkapy_wire.messages.envelope import EnvelopeRequest, EnvelopeResponse
from kafkapy_wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from kafkapy_wire.messages.fetch import FetchableTopicResponse, FetchRequest, FetchResponse, FetchTopic, PartitionData
from kafkapy_wire.messages.fetch_snapshot import (
    FetchSnapshotResponse,
    FetchSnapshotResponsePartitionSnapshot,
    FetchSnapshotResponseTopicSnapshot,
)
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafkapy_wire.messages.renew_delegation_token import RenewDelegationTokenRequest
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.messages.response_header import ResponseHeader
from kafkapy_wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from kafkapy_wire.uuid import random_uuid

SECRET = b"topsecret"
ID = random_uuid()
TEXT = str(SECRET, "ascii")
NAME = "listener.name.clients.plain.sasl.jaas.config"


def frame(request: Message, version: int) -> bytes:
    key = ApiKey(request.__schema__.api_key or 0)
    header = RequestHeader(request_api_key=key, request_api_version=version, correlation_id=7, client_id="c")
    return encode(header, request_header_version(key, version)) + encode(request, version)


REQUESTS: list[tuple[Message, int]] = [
    (SaslAuthenticateRequest(auth_bytes=b"\0alice\0" + SECRET), 2),
    (SaslAuthenticateRequest(auth_bytes=b"\0alice\0" + SECRET), 0),
    (
        AlterUserScramCredentialsRequest(
            upsertions=[ScramCredentialUpsertion(name="a", mechanism=1, salt=SECRET, salted_password=SECRET)]
        ),
        0,
    ),
    (RenewDelegationTokenRequest(hmac=SECRET), 2),
    (ExpireDelegationTokenRequest(hmac=SECRET), 2),
    (
        IncrementalAlterConfigsRequest(
            resources=[
                AlterConfigsResource(
                    resource_type=4, resource_name="1", configs=[AlterableConfig(name=NAME, value=TEXT)]
                )
            ]
        ),
        1,
    ),
    (
        AlterConfigsRequest(
            resources=[OldResource(resource_type=4, resource_name="", configs=[OldConfig(name="x.y", value=TEXT)])]
        ),
        2,
    ),
]


def fetched(**topic: str | bytes) -> FetchResponse:
    data = PartitionData(high_watermark=9, log_start_offset=0, records=SECRET)
    return FetchResponse(responses=[FetchableTopicResponse(**topic, partitions=[data])])  # type: ignore[arg-type]


ANSWERS: list[tuple[Message, int]] = [
    (SaslAuthenticateResponse(auth_bytes=SECRET), 2),
    (CreateDelegationTokenResponse(hmac=SECRET), 3),
    (DescribeDelegationTokenResponse(tokens=[DescribedDelegationToken(hmac=SECRET)]), 3),
    (EnvelopeResponse(response_data=SECRET), 0),
    (fetched(topic_id=METADATA_TOPIC_ID), 17),
    (fetched(topic=CLUSTER_METADATA_TOPIC), 12),
    (
        FetchSnapshotResponse(
            topics=[
                FetchSnapshotResponseTopicSnapshot(
                    name=CLUSTER_METADATA_TOPIC,
                    partitions=[FetchSnapshotResponsePartitionSnapshot(unaligned_records=SECRET)],
                )
            ]
        ),
        1,
    ),
]


@pytest.mark.parametrize(("request_", "version"), REQUESTS)
def test_a_request_is_the_same_without_its_secrets(request_: Message, version: int) -> None:
    plain = frame(request_, version)
    assert SECRET in plain
    for inside in (plain, frame(EnvelopeRequest(request_data=plain), 0)):
        hidden = request_without_secrets(inside)
        assert SECRET not in hidden
        assert request_without_secrets(hidden) == hidden
        key = ApiKey(int.from_bytes(hidden[:2], "big"))
        number = int.from_bytes(hidden[2:4], "big")
        header, position = decode_from(RequestHeader, hidden, 0, request_header_version(key, number))
        assert (header.correlation_id, header.client_id) == (7, "c")
        decode_from(request_class(key), hidden, position, number)


@pytest.mark.parametrize(("answer", "version"), ANSWERS)
def test_an_answer_is_the_same_without_its_secrets(answer: Message, version: int) -> None:
    key = ApiKey(answer.__schema__.api_key or 0)
    request = frame(request_class(key)(), version)
    header_version = response_header_version(key, version)
    plain = encode(ResponseHeader(correlation_id=7), header_version) + encode(answer, version)
    hidden = answer_without_secrets(request, plain)
    assert SECRET in plain
    assert SECRET not in hidden
    header, position = decode_from(ResponseHeader, hidden, 0, header_version)
    decode_from(response_class(key), hidden, position, version)
    assert header.correlation_id == 7


def test_only_records_of_the_metadata_are_left_out() -> None:
    asked = FetchRequest(topics=[FetchTopic(topic_id=METADATA_TOPIC_ID, partitions=[])])
    assert has_secrets(frame(asked, 17))
    assert has_secrets(frame(FetchRequest(topics=[FetchTopic(topic=CLUSTER_METADATA_TOPIC, partitions=[])]), 12))
    assert not has_secrets(frame(FetchRequest(topics=[FetchTopic(topic_id=random_uuid(), partitions=[])]), 17))
    both = FetchResponse(responses=[*fetched(topic_id=METADATA_TOPIC_ID).responses, *fetched(topic_id=ID).responses])
    plain = encode(ResponseHeader(correlation_id=7), 1) + encode(both, 17)
    hidden = answer_without_secrets(frame(asked, 17), plain)
    assert (plain.count(SECRET), hidden.count(SECRET)) == (2, 1)
    others = encode(ResponseHeader(correlation_id=7), 1) + encode(fetched(topic_id=ID), 17)
    assert answer_without_secrets(frame(asked, 17), others) == others


def test_settings_that_are_no_secrets_are_kept() -> None:
    config = AlterableConfig(name="log.retention.ms", value="1")
    resource = AlterConfigsResource(resource_type=4, resource_name="1", configs=[config])
    plain = frame(IncrementalAlterConfigsRequest(resources=[resource]), 1)
    assert request_without_secrets(plain) == plain
    topic = AlterConfigsResource(resource_type=2, resource_name="t", configs=[AlterableConfig(name="a", value="b")])
    plain = frame(IncrementalAlterConfigsRequest(resources=[topic]), 1)
    assert request_without_secrets(plain) == plain
    assert HIDDEN.encode() not in plain


def test_bytes_that_are_no_such_request_are_recorded_as_their_header() -> None:
    for key in (frame(REQUESTS[0][0], 0)[:2],):
        for content in (b"", b"\0", b"\0\0" + SECRET * 3, b"\x7f\xff" + SECRET * 3, bytes(range(200)) + SECRET):
            assert SECRET not in request_without_secrets(key + content)[10:]
            assert SECRET not in answer_without_secrets(key + b"\0\0" + bytes(8), SECRET + SECRET)[4:]


def test_a_login_is_recorded_without_its_password() -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    with Kafka(users={"alice": TEXT}, topics={"t": 1}) as kafka:
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            producer = confluent_kafka.Producer(kafka.config_for("librdkafka", mechanism=mechanism))
            producer.produce("t", b"x")
            assert producer.flush(20) == 0
        exchanges = kafka.recorded("SaslAuthenticate").everything()
        assert len(exchanges) >= 3
        for exchange in exchanges:
            assert SECRET not in exchange.request_frame
            assert exchange.response_frame is not None
            assert exchange.request.auth_bytes == b""  # type: ignore[union-attr]
            assert exchange.response.auth_bytes == b""  # type: ignore[union-attr]
        assert TEXT not in "\n".join(str(line) for line in kafka.log)
