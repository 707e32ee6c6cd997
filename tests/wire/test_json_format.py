"""JSON as Kafka's converters print and read it."""

from __future__ import annotations

import math

import pytest

from kafkapy_wire.errors import UnsupportedVersion
from kafkapy_wire.json_format import JsonValue, from_json, to_json
from kafkapy_wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    OpData,
)
from kafkapy_wire.messages.heartbeat import HeartbeatRequest
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.produce import ProduceRequest
from kafkapy_wire.messages.write_txn_markers import WriteTxnMarkersRequest

HEARTBEAT: dict[str, JsonValue] = {"groupId": "g", "generationId": 1, "memberId": "m"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "HeartbeatRequest: an object is expected, not an array"),
        (None, "HeartbeatRequest: an object is expected, not null"),
        ({**HEARTBEAT, "groupId": None}, "HeartbeatRequest.groupId is null"),
        ({**HEARTBEAT, "groupId": 1}, "groupId: a string is expected, not a number"),
        ({**HEARTBEAT, "groupId": "x" * 32768}, "32767"),
        ({**HEARTBEAT, "groupId": "\ud800"}, "surrogate"),
        ({**HEARTBEAT, "generationId": 2**31}, "generationId: 2147483648 is no int32"),
        ({**HEARTBEAT, "generationId": True}, "generationId: a whole number is expected"),
        ({**HEARTBEAT, "generationId": 1.0}, "generationId: a whole number is expected"),
        ({**HEARTBEAT, "generationId": "z"}, "generationId: not a number"),
        ({**HEARTBEAT, "generation": 1}, "HeartbeatRequest.generation: version 0 has no such field"),
        ({"groupId": "g", "memberId": "m"}, "HeartbeatRequest.generationId is missing"),
    ],
)
def test_bad_json_is_refused_with_its_path(given: JsonValue, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_json(HeartbeatRequest, given, 0)


def test_paths_go_through_arrays() -> None:
    with pytest.raises(ValueError, match=r"MetadataRequest.topics\[1\].name is missing"):
        from_json(MetadataRequest, {"topics": [{"name": "a"}, {}]}, 0)
    with pytest.raises(ValueError, match="topics: an array is expected"):
        from_json(MetadataRequest, {"topics": {}}, 0)
    partition: JsonValue = {"index": 0, "records": "?"}
    topic: JsonValue = {"name": "a", "partitionData": [partition]}
    produce: JsonValue = {"transactionalId": None, "acks": 1, "timeoutMs": 1, "topicData": [topic]}
    with pytest.raises(ValueError, match=r"topicData\[0\].partitionData\[0\].records: not base64"):
        from_json(ProduceRequest, produce, 3)
    with pytest.raises(ValueError, match=r"topics\[0\].topicId: not a Kafka uuid"):
        from_json(
            MetadataRequest,
            {
                "topics": [{"topicId": "x", "name": "a"}],
                "allowAutoTopicCreation": True,
                "includeTopicAuthorizedOperations": False,
            },
            12,
        )
    with pytest.raises(ValueError, match="transactionResult: true or false"):
        from_json(
            WriteTxnMarkersRequest, {"markers": [{"producerId": 1, "producerEpoch": 1, "transactionResult": 1}]}, 1
        )


def test_numbers_may_come_as_text() -> None:
    assert from_json(HeartbeatRequest, {**HEARTBEAT, "generationId": "0x7f"}, 0).generation_id == 127


@pytest.mark.parametrize(("value", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_numbers_that_json_lacks_are_named(value: float, text: str) -> None:
    message = AlterClientQuotasRequest(entries=[AlterClientQuotasRequestEntryData(ops=[OpData(key="k", value=value)])])
    printed = to_json(message, 1)
    assert printed["entries"] == [{"entity": [], "ops": [{"key": "k", "value": text, "remove": False}]}]
    again = from_json(AlterClientQuotasRequest, printed, 1).entries[0].ops[0].value
    assert again == value or (math.isnan(again) and math.isnan(value))


def test_what_the_version_cannot_carry_is_not_printed() -> None:
    with pytest.raises(UnsupportedVersion, match="groupInstanceId"):
        to_json(HeartbeatRequest(group_instance_id="i"), 0)
    with pytest.raises(ValueError, match="groupId is None"):
        to_json(HeartbeatRequest(group_id=None), 0)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedVersion):
        to_json(HeartbeatRequest(), 9)
    with pytest.raises(UnsupportedVersion):
        from_json(HeartbeatRequest, {}, 9)
