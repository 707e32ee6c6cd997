"""The small text files, against bytes that Apache Kafka 4.3.1 wrote, and against nonsense."""

from collections.abc import Callable
from contextlib import suppress

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from kafkapy_log.checkpoint_files import (
    CorruptFileError,
    TopicPartition,
    clean_shutdown_marker,
    leader_epoch_checkpoint,
    offset_checkpoint,
    parse_clean_shutdown_marker,
    parse_leader_epoch_checkpoint,
    parse_offset_checkpoint,
    parse_partition_metadata,
    parse_properties,
    partition_metadata,
    properties,
)
from kafkapy_wire.uuid import parse_uuid

META_PROPERTIES = b"""#
#Sat Nov 21 12:43:00 UTC 2026
node.id=1
directory.id=zl6AvNhJ5wyOrrdyNII-VA
version=1
cluster.id=abcdefghijklmnopqrstuv
"""


def test_offset_checkpoint() -> None:
    data = b"0\n2\n__transaction_state 42 0\nt1 0 300\n"
    offsets = {TopicPartition("__transaction_state", 42): 0, TopicPartition("t1", 0): 300}
    assert parse_offset_checkpoint(data) == offsets
    assert offset_checkpoint(offsets) == data
    assert offset_checkpoint({}) == b"0\n0\n"
    assert parse_offset_checkpoint(b"") == {}, "Kafka creates the file empty"


def test_leader_epoch_checkpoint() -> None:
    assert parse_leader_epoch_checkpoint(b"0\n2\n0 0\n3 17\n") == [(0, 0), (3, 17)]
    assert leader_epoch_checkpoint([(0, 0)]) == b"0\n1\n0 0\n"


@pytest.mark.parametrize("data", [b"0\n2\n3 17\n0 0\n", b"0\n1\n-1 0\n", b"0\n2\n1 5\n2 5\n"])
def test_epochs_out_of_order_are_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptFileError):
        parse_leader_epoch_checkpoint(data)


@pytest.mark.parametrize(
    "number", ["-1", "+1", "1_0", " 1", "1.0", "", "\u0663", "9223372036854775808", "9" * 5_000], ids=lambda n: n[:20]
)
def test_what_is_no_offset_is_corrupt(number: str) -> None:
    with pytest.raises(CorruptFileError) as corrupt:
        parse_offset_checkpoint(f"0\n1\norders 0 {number}\n".encode())
    assert len(str(corrupt.value)) < 200
    with pytest.raises(CorruptFileError):
        parse_offset_checkpoint(f"0\n1\norders {number} 0\n".encode())
    with pytest.raises(CorruptFileError):
        parse_leader_epoch_checkpoint(f"0\n1\n{number} 0\n".encode())
    assert parse_offset_checkpoint(b"0\n1\norders 0 9223372036854775807\n") == {TopicPartition("orders", 0): 2**63 - 1}


@pytest.mark.parametrize(
    "data",
    [b"", b"[" * 100_000, b'{"brokerEpoch":1e400}', b'{"brokerEpoch":-7}', b'{"brokerEpoch":9223372036854775808}'],
)
def test_a_damaged_marker_of_a_clean_stop_says_that_the_stop_was_clean(data: bytes) -> None:
    assert parse_clean_shutdown_marker(data) == -1


def test_partition_metadata() -> None:
    data = b"version: 0\ntopic_id: j6hL9ZS7Q42LbbyWltCRqQ"
    assert parse_partition_metadata(data) == parse_uuid("j6hL9ZS7Q42LbbyWltCRqQ")
    assert partition_metadata(parse_uuid("j6hL9ZS7Q42LbbyWltCRqQ")) == data


def test_meta_properties() -> None:
    values = {
        "node.id": "1",
        "directory.id": "zl6AvNhJ5wyOrrdyNII-VA",
        "version": "1",
        "cluster.id": "abcdefghijklmnopqrstuv",
    }
    assert parse_properties(META_PROPERTIES) == values
    assert parse_properties(properties(values)) == values


def test_clean_shutdown_marker() -> None:
    assert clean_shutdown_marker(11) == b'{"version":0,"brokerEpoch":11}'
    assert parse_clean_shutdown_marker(b'{"version":0,"brokerEpoch":11}') == 11
    for damaged in (b"", b"[]", b"{}", b"\xff", b'{"brokerEpoch":"x"}'):
        assert parse_clean_shutdown_marker(damaged) == -1


@pytest.mark.parametrize(
    "parse", [parse_offset_checkpoint, parse_leader_epoch_checkpoint, parse_partition_metadata, parse_properties]
)
@settings(deadline=None, derandomize=True)
@given(data=st.binary(max_size=60) | st.text("0123456789 -\nab:=", max_size=60).map(str.encode))
def test_nonsense_is_corrupt_and_nothing_else(parse: Callable[[bytes], object], data: bytes) -> None:
    with suppress(CorruptFileError):
        parse(data)
