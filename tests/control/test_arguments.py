"""JSON to the arguments of operations, and what is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kafkapy.control.arguments import InvalidArgument
from kafkapy.control.http.arguments import read_arguments, read_json, read_texts
from kafkapy.control.http.as_json import as_json
from kafkapy.control.http.openapi import description
from kafkapy.control.operations import OPERATIONS
from kafkapy.control.signatures import LOOKING, REQUIRED, signature_of
from kafkapy.control.values import NewRecord, Record, Stored


def read(name: str, **given: Any) -> tuple[list[Any], dict[str, Any]]:
    return read_arguments(signature_of(name), given)


def test_values_of_every_kind() -> None:
    records = [{"value": "a", "key": {"base64": "/w=="}, "headers": [["h", "1"], ["n", None]]}, {"value": None}]
    assert read("produce", topic="orders", records=records) == (
        [],
        {
            "topic": "orders",
            "records": [NewRecord(value=b"a", key=b"\xff", headers=(("h", b"1"), ("n", None))), NewRecord(value=None)],
        },
    )
    assert read("produce", topic="orders", records=["a", {"base64": "/w=="}])[1]["records"] == [
        NewRecord(value=b"a"),
        NewRecord(value=b"\xff"),
    ]
    assert read("delete_topics", names=["a", "b"]) == (["a", "b"], {})
    assert read("commit_offsets", group_id="g", offsets={"orders": {"0": 5}})[1]["offsets"] == {("orders", 0): 5}
    assert read("wait_for_fault", fault_id=1, timeout=2)[1] == {"fault_id": 1, "timeout": 2.0}
    assert read("records", topic="t", partition=None, isolation="read_uncommitted", control=True)[1] == {
        "topic": "t",
        "isolation": "read_uncommitted",
        "control": True,
    }
    assert read("recorded", api="Fetch", node=2)[1] == {"api": "Fetch", "node": 2}


@pytest.mark.parametrize(
    ("name", "given", "field", "nearest"),
    [
        ("records", {"topik": "t"}, "topik", "topic"),
        ("records", {}, "topic", None),
        ("records", {"topic": 1}, "topic", None),
        ("records", {"topic": ["t"]}, "topic", None),
        ("records", {"topic": "t", "partition": True}, "partition", None),
        ("records", {"topic": "t", "partition": 1.0}, "partition", None),
        ("records", {"topic": "t", "partition": 2**63}, "partition", None),
        ("records", {"topic": "t", "isolation": "read_commited"}, "isolation", "read_committed"),
        ("records", {"topic": "t", "isolation": {}}, "isolation", None),
        ("records", {"topic": "t", "control": "true"}, "control", None),
        ("produce", {"topic": "t", "records": {}}, "records", None),
        ("produce", {"topic": "t", "records": [{"value": "a"}, {"valeu": "b"}]}, "records[1].valeu", "value"),
        ("produce", {"topic": "t", "records": [{"key": "a"}]}, "records[0].value", None),
        ("produce", {"topic": "t", "records": [{"value": {"base64": "?"}}]}, "records[0].value", None),
        ("produce", {"topic": "t", "records": [{"value": {"base64": "/w==", "x": 1}}]}, "records[0].value", None),
        ("produce", {"topic": "t", "records": [{"value": 1}]}, "records[0].value", None),
        ("produce", {"topic": "t", "records": [{"value": "a", "headers": [["h"]]}]}, "records[0].headers[0]", None),
        ("commit_offsets", {"group_id": "g", "offsets": {"t": 1}}, "offsets.t", None),
        ("commit_offsets", {"group_id": "g", "offsets": {"t": {"first": 1}}}, "offsets.t.first", None),
        ("commit_offsets", {"group_id": "g", "offsets": {"t": {"1.5": 1}}}, "offsets.t.1.5", None),
        ("commit_offsets", {"group_id": "g", "offsets": {"t": {"-1": 1}}}, "offsets.t.-1", None),
        ("commit_offsets", {"group_id": "g", "offsets": {"t": {"9" * 11: 1}}}, f"offsets.t.{'9' * 11}", None),
        ("delete_topics", {"names": "orders"}, "names", None),
        ("wait_for_fault", {"fault_id": 1, "timeout": 10**400}, "timeout", None),
        ("add_faults", {"rules": "Produce"}, "rules", None),
        ("add_faults", {"rules": [1]}, "rules[0]", None),
    ],
)
def test_what_is_wrong_is_named(name: str, given: dict[str, Any], field: str, nearest: str | None) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_arguments(signature_of(name), given)
    assert (refused.value.field, refused.value.nearest) == (field, nearest)


@pytest.mark.parametrize("given", [None, 1, "x", [], [{}]])
def test_a_body_is_an_object(given: object) -> None:
    with pytest.raises(InvalidArgument, match="a JSON object"):
        read_arguments(signature_of("topics"), given)


def test_what_may_be_anything_is_of_bounded_depth() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    for given in ({"api": deep}, {"api": {"a": deep}}):
        with pytest.raises(InvalidArgument, match="more than 32 deep"):
            read("add_faults", rules=[given])
    with pytest.raises(InvalidArgument) as refused:
        read("records", topic=deep)
    assert len(str(refused.value)) < 200


def test_errors_are_short_however_long_the_mistake() -> None:
    for given in ({"x" * 100_000: 1}, {"topic": ["x" * 100_000] * 1_000}, {"topic": "t", "partition": "9" * 100_000}):
        with pytest.raises(InvalidArgument) as refused:
            read_arguments(signature_of("records"), given)
        assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe{}",
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"\\uDFFF": 1}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_json(body)
    assert refused.value.field == "body"
    assert len(str(refused.value)) < 300


def test_pairs_of_surrogates_are_characters() -> None:
    assert read_json(b'{"a": "\\ud83d\\ude00", "b": "\\\\ud800"}') == {"a": "\U0001f600", "b": "\\ud800"}


def test_a_query_is_read_by_the_types_of_the_arguments() -> None:
    signature = signature_of("records")
    given = read_texts(signature, [("topic", "7"), ("partition", "7"), ("control", "true")])
    assert given == {"topic": "7", "partition": 7, "control": True}
    for name, text in (("partition", "x"), ("partition", "nan"), ("partition", "1e999"), ("partition", "9" * 5_000)):
        with pytest.raises(InvalidArgument):
            read_arguments(signature, read_texts(signature, [("topic", "t"), (name, text)]))


def test_values_become_json() -> None:
    record = Record(topic="t", partition=0, offset=1, timestamp_ms=2, key=None, value=b"\xff", headers=(("h", b"a"),))
    found = as_json([record, Stored(topic="t", partition=0, offset=1), {("t", 0): 5, ("t", 1): 6}])
    assert json.loads(json.dumps(found)) == [
        {
            "topic": "t",
            "partition": 0,
            "offset": 1,
            "timestamp_ms": 2,
            "key": None,
            "value": {"base64": "/w=="},
            "headers": [["h", "a"]],
            "control": None,
            "producer_id": -1,
            "is_transactional": False,
        },
        {"topic": "t", "partition": 0, "offset": 1},
        {"t": {"0": 5, "1": 6}},
    ]
    with pytest.raises(TypeError):
        as_json(object())


def test_every_operation_is_described() -> None:
    document = description()
    assert {path for path in document["paths"] if path.startswith("/v1/")} == {f"/v1/{name}" for name in OPERATIONS}
    assert json.loads(json.dumps(document)) == document
    for name in OPERATIONS:
        methods = document["paths"][f"/v1/{name}"]
        assert set(methods) == ({"get", "post"} if name in LOOKING else {"post"})
        body = methods["post"]["requestBody"]["content"]["application/json"]["schema"]
        arguments = signature_of(name).arguments
        assert set(body["properties"]) == set(arguments)
        needed = {each.name for each in arguments.values() if each.default is REQUIRED and not each.is_list}
        assert set(body.get("required", ())) == needed
        assert all(body["properties"].values()), f"{name} has an argument of no known type"
        said = [methods["post"]["summary"], methods["post"]["description"]]
        assert said[0]
        assert not re.search(r"\bRaises\b|\bNone\b|`\w+\.\w|Error\b", " ".join(said)), f"{name}: that is for Python"
    schemas = document["components"]["schemas"]
    for found in references(document):
        assert found.removeprefix("#/components/schemas/") in schemas
    assert set(OPERATIONS) >= LOOKING


def references(document: object) -> list[str]:
    """All `$ref`s."""
    if isinstance(document, list):
        return [found for each in document for found in references(each)]
    if isinstance(document, dict):
        return [*([document["$ref"]] if "$ref" in document else []), *references(list(document.values()))]
    return []
