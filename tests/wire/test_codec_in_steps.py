"""Codecs that stop now and then do what the others do, and bound what a message may hold."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import pytest

from kafkapy_wire.catalog import message_class
from kafkapy_wire.codec import decode_from, decoder_in_steps, encode, encoder_in_steps
from kafkapy_wire.emit_decoder import TAGGED_FIELDS_MAX
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.message import Message
from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from tests.wire.test_vectors import Vector

T = TypeVar("T")

PLENTY = 1_000_000


def to_the_end(steps: Generator[None, None, T]) -> tuple[T, int]:
    """What is returned, and how often it has stopped before."""
    count = 0
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration as end:
            return end.value, count


def encode_in_steps(message: Message, version: int) -> tuple[bytes, int]:
    out = bytearray()
    _, count = to_the_end(encoder_in_steps(type(message), version)(message, out, None))
    return bytes(out), count


def test_all_vectors_in_both_directions(vectors: list[Vector]) -> None:
    for vector in vectors[::5]:  # compiling both forms of all of them would take ten seconds
        cls, version, data = message_class(vector["schema"]), vector["version"], bytes.fromhex(vector["hex"])
        (message, position), _ = to_the_end(decoder_in_steps(cls, version)(memoryview(data), 0, PLENTY))
        assert (message, position) == decode_from(cls, data, 0, version), vector
        assert encode_in_steps(message, version)[0].hex() == vector["hex"], vector


def test_many_elements_take_many_steps() -> None:
    partitions = [MetadataResponsePartition(partition_index=index, replica_nodes=[1, 2, 3]) for index in range(3_000)]
    partitions[7].isr_nodes = list(range(20_000))
    response = MetadataResponse(topics=[MetadataResponseTopic(name="t", partitions=partitions)])
    data, count = encode_in_steps(response, 12)
    assert data == encode(response, 12)
    assert count >= 3_000 // 256 + 20_000 // 4_096
    (decoded, position), count = to_the_end(decoder_in_steps(MetadataResponse, 12)(memoryview(data), 0, PLENTY))
    assert (decoded, position) == (response, len(data))
    assert count >= 3_000 // 256 + 20_000 // 4_096


@pytest.mark.parametrize("version", [1, 6], ids=["of texts", "of structs"])
def test_more_elements_than_allowed(version: int) -> None:
    names = [f"t{number}" for number in range(5_000)]
    request = DeleteTopicsRequest(topic_names=names)
    if version == 6:
        request = DeleteTopicsRequest(topics=[DeleteTopicState(name=name) for name in names])
    data = memoryview(encode(request, version))
    assert to_the_end(decoder_in_steps(DeleteTopicsRequest, version)(data, 0, 5_000))[0][0] == request
    with pytest.raises(MalformedMessage, match="more elements than"):
        to_the_end(decoder_in_steps(DeleteTopicsRequest, version)(data, 0, 4_000))


def test_numbers_count_as_elements() -> None:
    partition = MetadataResponsePartition(replica_nodes=list(range(10_000)))
    data = memoryview(encode(MetadataResponse(topics=[MetadataResponseTopic(name="t", partitions=[partition])]), 12))
    with pytest.raises(MalformedMessage, match="replica_nodes: the message has more elements"):
        to_the_end(decoder_in_steps(MetadataResponse, 12)(data, 0, 9_000))


def test_a_struct_has_few_tagged_fields() -> None:
    """Each takes two bytes on the wire, and a hundred in memory."""
    request = HeartbeatRequest(group_id="g")
    request.unknown_tagged_fields = [(tag, b"") for tag in range(TAGGED_FIELDS_MAX + 1)]
    data = encode(request, 4)
    with pytest.raises(MalformedMessage, match="more elements than"):
        decode_from(HeartbeatRequest, data, 0, 4)
    request.unknown_tagged_fields = request.unknown_tagged_fields[:-1]
    assert decode_from(HeartbeatRequest, encode(request, 4), 0, 4)[0] == request


def test_every_cut_of_a_message_is_malformed() -> None:
    topics = [MetadataRequestTopic(name=f"topic-{number}") for number in range(20)]
    data = encode(MetadataRequest(topics=topics), 12)
    for end in range(len(data)):
        with pytest.raises(MalformedMessage):
            to_the_end(decoder_in_steps(MetadataRequest, 12)(memoryview(data)[:end], 0, PLENTY))
