"""Control records and transaction markers."""

import pytest

from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.records import (
    ControlRecordType,
    build_end_transaction_marker,
    control_record_key,
    crc_matches,
    decode_records,
    end_transaction_marker_value,
    read_batch_header,
    read_control_record_type,
    read_coordinator_epoch,
)

# The key is `version 0, type`.
KEYS = {
    ControlRecordType.ABORT: "00000000",
    ControlRecordType.COMMIT: "00000001",
    ControlRecordType.LEADER_CHANGE: "00000002",
    ControlRecordType.SNAPSHOT_HEADER: "00000003",
    ControlRecordType.SNAPSHOT_FOOTER: "00000004",
    ControlRecordType.KRAFT_VERSION: "00000005",
    ControlRecordType.KRAFT_VOTERS: "00000006",
}


@pytest.mark.parametrize("control_type", KEYS)
def test_keys(control_type: ControlRecordType) -> None:
    assert control_record_key(control_type).hex() == KEYS[control_type]
    assert read_control_record_type(bytes.fromhex(KEYS[control_type])) is control_type


@pytest.mark.parametrize("key", ["00000007", "0000ffff", "00000063"])
def test_types_of_a_later_kafka_are_unknown(key: str) -> None:
    assert read_control_record_type(bytes.fromhex(key)) is ControlRecordType.UNKNOWN


def test_a_later_version_of_the_key_may_be_longer() -> None:
    assert read_control_record_type(bytes.fromhex("000100010203")) is ControlRecordType.COMMIT


@pytest.mark.parametrize("key", [None, b"", b"\0\0\0", b"\xff\xff\0\0"])
def test_keys_that_are_none(key: bytes | None) -> None:
    with pytest.raises(MalformedMessage):
        read_control_record_type(key)


def test_the_value_of_a_marker() -> None:
    assert end_transaction_marker_value(17).hex() == "000000000011"
    assert read_coordinator_epoch(bytes.fromhex("000000000011")) == 17


@pytest.mark.parametrize("value", [None, b"", bytes(5), b"\xff\xff\0\0\0\0"])
def test_values_that_are_none(value: bytes | None) -> None:
    with pytest.raises(MalformedMessage):
        read_coordinator_epoch(value)


@pytest.mark.parametrize("control_type", [ControlRecordType.ABORT, ControlRecordType.COMMIT])
def test_a_transaction_marker_is_a_batch_of_one_offset_without_sequence(control_type: ControlRecordType) -> None:
    batch = build_end_transaction_marker(
        control_type, timestamp=5, producer_id=8, producer_epoch=2, coordinator_epoch=3, base_offset=40
    )
    header = read_batch_header(batch)
    assert crc_matches(batch)
    assert (header.is_control, header.is_transactional, header.next_offset) == (True, True, 41)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (8, 2, -1)
    (record,) = decode_records(batch)
    assert read_control_record_type(record.key) is control_type
    assert read_coordinator_epoch(record.value) == 3
