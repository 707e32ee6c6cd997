"""What the encoder writes, leaves out and refuses; what classes and headers promise."""

from __future__ import annotations

import pickle
import subprocess
import sys
import traceback

import pytest

from kafkapy_wire.api_keys import (
    API_VERSIONS,
    ApiKey,
    request_class,
    request_header_version,
    response_class,
    response_header_version,
)
from kafkapy_wire.codec import EncodedList, decode, encode, encode_segments, encode_struct, encoder
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage, UnsupportedVersion
from kafkapy_wire.message import EncodedStructs, Message, field
from kafkapy_wire.messages.api_versions import ApiVersionsResponse
from kafkapy_wire.messages.create_topics import (
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from kafkapy_wire.messages.fetch import FetchableTopicResponse, FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kafkapy_wire.messages.fetch import PartitionData as FetchPartitionData
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.leader_and_isr import LeaderAndIsrRequest
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse, MetadataResponseTopic
from kafkapy_wire.messages.request_header import RequestHeader
from kafkapy_wire.record_formats.group_coordinator import ClassicMemberMetadata, ConsumerGroupMemberMetadataValue
from kafkapy_wire.uuid import ZERO_UUID, Uuid, parse_uuid, random_uuid, uuid_text


class FileRange:
    """Stands for bytes that are sent from a file."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


def fetch_response(*records: object) -> FetchResponse:
    partitions = [FetchPartitionData(partition_index=i, records=r) for i, r in enumerate(records)]  # type: ignore[arg-type]  # wrong ones are tried, too
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=partitions)])


def test_a_field_that_must_not_get_lost_is_refused() -> None:
    with pytest.raises(UnsupportedVersion, match="group_instance_id"):
        encode(HeartbeatRequest(group_instance_id="static"), 2)
    with pytest.raises(UnsupportedVersion, match="last_fetched_epoch"):
        encode(FetchRequest(topics=[FetchTopic(partitions=[FetchPartition(last_fetched_epoch=3)])]), 11)
    with pytest.raises(UnsupportedVersion, match="unknown_tagged_fields"):
        encode(HeartbeatRequest(unknown_tagged_fields=[(1, b"")]), 3)


def test_an_ignorable_field_is_left_out() -> None:
    assert encode(HeartbeatResponse(throttle_time_ms=9), 0) == b"\0\0"


def test_unknown_versions_are_refused() -> None:
    for version in (-1, 5):
        with pytest.raises(UnsupportedVersion, match="0-4"):
            encode(HeartbeatRequest(), version)
        with pytest.raises(UnsupportedVersion):
            decode(HeartbeatRequest, b"", version)
    with pytest.raises(UnsupportedVersion, match="none"):
        encode(LeaderAndIsrRequest(), 0)


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (HeartbeatRequest(group_id=None), "group_id is None"),  # type: ignore[arg-type]
        (HeartbeatRequest(group_id=b"g"), "group_id must be of type string"),  # type: ignore[arg-type]
        (HeartbeatRequest(group_id="x" * 32768), "group_id|32767"),
        (HeartbeatRequest(group_id="\ud800"), "group_id"),
        (HeartbeatRequest(generation_id=2**31), "generation_id must be of type int32"),
        (MetadataRequest(topics=["t"]), r"topics\[0\] must be a MetadataRequestTopic"),  # type: ignore[list-item]
    ],
)
@pytest.mark.parametrize("version", [1, 4])
def test_a_value_that_its_type_cannot_hold_is_named(message: HeartbeatRequest, path: str, version: int) -> None:
    with pytest.raises(ValueError, match=path):
        encode(message, version)


def test_null_is_refused_where_the_version_has_none() -> None:
    with pytest.raises(ValueError, match="topics is None"):
        encode(MetadataRequest(topics=None), 0)
    assert encode(MetadataRequest(topics=None), 1) == b"\xff\xff\xff\xff"


def test_unknown_tagged_fields_are_sent_on_between_known_ones() -> None:
    message = ApiVersionsResponse(finalized_features_epoch=5, unknown_tagged_fields=[(9, b"new"), (300, b"")])
    data = encode(message, 3)
    assert data.endswith(bytes.fromhex("03 01 08 0000000000000005 09 03 6e6577 ac02 00"))
    assert decode(ApiVersionsResponse, data, 3) == message
    with pytest.raises(ValueError, match="tags must rise"):
        encode(HeartbeatRequest(unknown_tagged_fields=[(7, b""), (5, b"")]), 4)
    with pytest.raises(ValueError, match="tags must rise"):
        encode(ApiVersionsResponse(finalized_features_epoch=5, unknown_tagged_fields=[(1, b"")]), 3)


def member_metadata(classic: ClassicMemberMetadata | None) -> ConsumerGroupMemberMetadataValue:
    return ConsumerGroupMemberMetadataValue(
        instance_id=None,
        rack_id=None,
        subscribed_topic_regex=None,
        server_assignor=None,
        classic_member_metadata=classic,
    )


MEMBER_METADATA = bytes(2) + b"\x01\x01\x01\x00" + b"\xff" * 4 + b"\x00"
"""All fields of `member_metadata` but the tagged one, and how it is encoded by Apache Kafka's own class."""

TAGGED_STRUCTS = [
    (None, "01 00 01 00"),
    (ClassicMemberMetadata(), "00"),
    (ClassicMemberMetadata(session_timeout_ms=7), "01 00 07 01 00000007 01 00"),
]


@pytest.mark.parametrize(("classic", "tagged_fields"), TAGGED_STRUCTS)
def test_a_tagged_struct_may_be_null(classic: ClassicMemberMetadata | None, tagged_fields: str) -> None:
    """An unsigned varint says whether it is there, where an untagged struct has a signed byte."""
    message = member_metadata(classic)
    data = MEMBER_METADATA + bytes.fromhex(tagged_fields)
    assert encode(message, 0) == data
    assert decode(ConsumerGroupMemberMetadataValue, data, 0) == message


@pytest.mark.parametrize("presence", ["02", "7f", "8001", "ffffffff07"])
def test_any_positive_varint_says_that_a_tagged_struct_is_there(presence: str) -> None:
    content = bytes.fromhex(presence) + bytes.fromhex("00000007 01 00")
    data = MEMBER_METADATA + bytes([1, 0, len(content)]) + content
    decoded = decode(ConsumerGroupMemberMetadataValue, data, 0)
    assert decoded == member_metadata(ClassicMemberMetadata(session_timeout_ms=7))


@pytest.mark.parametrize("absence", ["00", "8000", "8080808008", "ffffffff0f"])
def test_zero_and_what_java_reads_as_negative_is_a_tagged_null(absence: str) -> None:
    content = bytes.fromhex(absence)
    data = MEMBER_METADATA + bytes([1, 0, len(content)]) + content
    assert decode(ConsumerGroupMemberMetadataValue, data, 0) == member_metadata(None)


def test_every_cut_of_a_tagged_struct_is_malformed() -> None:
    whole = encode(member_metadata(ClassicMemberMetadata(session_timeout_ms=7)), 0)
    for end in range(len(whole)):
        with pytest.raises(MalformedMessage):
            decode(ConsumerGroupMemberMetadataValue, whole[:end], 0)


def test_many_unknown_tagged_fields() -> None:
    message = HeartbeatRequest(unknown_tagged_fields=[(tag, bytes([tag % 256])) for tag in range(200)])
    assert decode(HeartbeatRequest, encode(message, 4), 4) == message


@pytest.mark.parametrize("size", [0, 126, 127, 16_382, 16_383, 2_097_151])
def test_records_have_a_length_of_as_many_bytes_as_it_takes(size: int) -> None:
    """Compact lengths are length + 1, seven bits a byte."""
    data = encode(fetch_response(b"\xaa" * size), 12)
    value, length = size + 1, bytearray()
    while value > 127:
        length.append(value & 127 | 128)
        value >>= 7
    length.append(value)
    assert bytes(length) + b"\xaa" * size in data
    (partition,) = decode(FetchResponse, data, 12).responses[0].partitions
    assert isinstance(partition.records, memoryview)
    assert bytes(partition.records) == b"\xaa" * size


@pytest.mark.parametrize("version", [4, 12])
def test_records_that_are_no_bytes_are_left_to_the_sender(version: int) -> None:
    ranges = [FileRange(300), FileRange(5)]
    out, records = bytearray(b"header"), list[tuple[int, object]]()
    encode_segments(fetch_response(ranges[0], b"\xaa" * 7, None, ranges[1]), version, out, records)
    assert [value for _, value in records] == ranges
    whole, copied = b"", 0
    for position, value in records:
        assert isinstance(value, FileRange)
        whole += bytes(out[copied:position]) + b"\xee" * len(value)
        copied = position
    whole += bytes(out[copied:])
    expected = fetch_response(b"\xee" * 300, b"\xaa" * 7, None, b"\xee" * 5)
    assert whole == b"header" + encode(expected, version)


def test_encode_wants_records_as_bytes() -> None:
    with pytest.raises(ValueError, match="encode_segments"):
        encode(fetch_response(FileRange(3)), 12)


def test_the_client_id_of_a_request_header_is_never_compact() -> None:
    header = RequestHeader(request_api_key=12, request_api_version=4, correlation_id=7, client_id="ab")
    assert encode(header, 2).hex() == "000c0004000000070002616200"
    assert encode(header, 1).hex() == "000c00040000000700026162"
    assert encode(RequestHeader(client_id=None), 1).endswith(b"\xff\xff")


def test_header_versions_follow_flexibility_and_api_versions_answers_plainly() -> None:
    assert [request_header_version(ApiKey.HEARTBEAT, version) for version in (3, 4)] == [1, 2]
    assert [response_header_version(ApiKey.HEARTBEAT, version) for version in (3, 4)] == [0, 1]
    assert [request_header_version(18, version) for version in (2, 3)] == [1, 2]
    assert [response_header_version(18, version) for version in (2, 3, 4)] == [0, 0, 0]
    assert request_header_version(ApiKey.SASL_HANDSHAKE, 1) == 1


def test_every_api_has_its_classes() -> None:
    for key, api in API_VERSIONS.items():
        request, response = request_class(key).__schema__, response_class(key).__schema__
        assert (request.api_key, request.kind, response.api_key, response.kind) == (key, "request", key, "response")
        assert request.name == api.message_name + "Request"
        assert api.min_version in request.valid_versions
        assert api.max_version in request.valid_versions
        assert request.versions == response.versions
        flexible = range(api.first_flexible_version, 32768)
        assert all(
            (version in request.flexible_versions) == (version in flexible) for version in request.valid_versions
        )
    with pytest.raises(KeyError):
        request_class(4)


def test_error_codes_know_what_clients_do_with_them() -> None:
    assert ErrorCode(3) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert ErrorCode.UNKNOWN_TOPIC_OR_PARTITION.retriable
    assert ErrorCode.UNKNOWN_TOPIC_OR_PARTITION.refreshes_metadata
    assert not ErrorCode.NONE.retriable
    error = KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, "no")
    assert (error.code, error.message, str(error)) == (17, "no", "INVALID_TOPIC_EXCEPTION: no")


@pytest.mark.parametrize("version", range(2, 8))
def test_a_list_that_is_encoded_already_goes_out_as_any_other(version: int) -> None:
    entries = [CreatableTopicConfigs(name=f"n{number}", value=None if number else "v") for number in range(200)]
    kept = EncodedList(CreateTopicsResponse, entries)
    if version >= 5:
        assert kept == entries
        assert kept.encoded(version) is kept.encoded(version)
        assert encode_struct(CreateTopicsResponse, entries[0], version) == kept.encoded(version)[:9]
    plain, spliced = (
        CreateTopicsResponse(topics=[CreatableTopicResult(name="t", configs=configs)]) for configs in (entries, kept)
    )
    assert encode(spliced, version) == encode(plain, version)


class EncodedMetadata(Message, api_key=3, kind="response", versions="0-13", flexible="9+"):
    """A part of MetadataResponse."""

    throttle_time_ms: int = field("int32", "3+", default=0, ignorable=True)
    topics: EncodedStructs = field("encoded", "0+", default=EncodedStructs(0, b""))


class PlainMetadata(Message, api_key=3, kind="response", versions="0-13", flexible="9+"):
    """The same with structs."""

    throttle_time_ms: int = field("int32", "3+", default=0, ignorable=True)
    topics: list[MetadataResponseTopic] = field([MetadataResponseTopic], "0+", factory=list)


@pytest.mark.parametrize("count", [0, 1, 300])
@pytest.mark.parametrize("version", range(14))
def test_structs_that_are_encoded_already_are_copied(version: int, count: int) -> None:
    structs = [MetadataResponseTopic(name=f"t{number}") for number in range(count)]
    encoded = b"".join(encode_struct(MetadataResponse, each, version) for each in structs)
    spliced = EncodedMetadata(topics=EncodedStructs(count, encoded))
    assert encode(spliced, version) == encode(PlainMetadata(topics=structs), version)


def test_a_struct_that_cannot_be_encoded_is_named() -> None:
    wrong = MetadataResponseTopic(name="t", error_code=1 << 20)
    with pytest.raises(ValueError, match=r"MetadataResponseTopic v3: error_code must be of type int16, not 1048576"):
        encode_struct(MetadataResponse, wrong, 3)
    with pytest.raises(UnsupportedVersion):
        encode_struct(MetadataResponse, wrong, 99)
    message = EncodedMetadata(topics=7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"EncodedMetadata v3: topics must be of type encoded"):
        encode(message, 3)


def test_messages_are_equal_by_value_and_show_their_fields() -> None:
    assert CreateTopicsRequest() == CreateTopicsRequest(timeout_ms=60000)
    assert CreateTopicsRequest() != CreateTopicsRequest(timeout_ms=1)
    assert HeartbeatRequest() != HeartbeatResponse()
    assert "generation_id=3" in repr(HeartbeatRequest(generation_id=3))
    assert FetchRequest().topics is not FetchRequest().topics
    message = FetchRequest(topics=[FetchTopic(topic="t")])
    assert pickle.loads(pickle.dumps(message)) == message
    with pytest.raises(TypeError):
        HeartbeatRequest(group="g")  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        HeartbeatRequest().group = "g"  # type: ignore[attr-defined]


def test_a_traceback_through_a_codec_shows_its_lines() -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode(HeartbeatRequest, b"\x02g", 4)
    assert "unpack_from_" in "".join(traceback.format_exception(caught.value))


def test_codecs_are_compiled_once() -> None:
    assert encoder(HeartbeatRequest, 4) is encoder(HeartbeatRequest, 4)


def test_uuids_are_16_bytes_and_22_characters() -> None:
    assert uuid_text(ZERO_UUID) == "A" * 22
    assert parse_uuid("oUfacYTmPihukGhPbbEAsA").hex() == "a147da7184e63e286e90684f6db100b0"
    assert uuid_text(parse_uuid("imMCdTqJkWi-tZENLApgUw")) == "imMCdTqJkWi-tZENLApgUw"
    made = [random_uuid() for _ in range(500)]
    assert all(parse_uuid(uuid_text(value)) == value and not uuid_text(value).startswith("-") for value in made)
    for text in ("", "A" * 21, "A" * 23, "A" * 21 + "+", "A" * 21 + "é", "A" * 20 + "=="):
        with pytest.raises(ValueError, match="uuid"):
            parse_uuid(text)
    assert Uuid(bytes(16)) == ZERO_UUID


def test_the_codec_imports_no_message() -> None:
    """Start-up time: a broker pays for the messages it meets."""
    lazy = (
        "kafkapy_wire.messages.",
        "kafkapy_wire.record_formats.",
        "kafkapy_wire.emit",
        "json",
        "dataclasses",
        "inspect",
    )
    program = (
        "import sys, kafkapy_wire, kafkapy_wire.codec, kafkapy_wire.api_keys, kafkapy_wire.framing\n"
        f"print([name for name in sys.modules if name.startswith({lazy!r})])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert output.stdout.strip() == "[]"
