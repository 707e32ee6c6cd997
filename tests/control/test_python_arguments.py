"""Arguments of callers in Python: what is wrong is refused with its field, and nothing is carried out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest

from kafkapy.control.arguments import InvalidArgument, check_arguments
from kafkapy.control.operations import OPERATIONS
from kafkapy.control.signatures import REQUIRED, signature_of
from kafkapy.control.values import NewRecord
from kafkapy.testing import Kafka
from kafkapy.testing.options import Options

EVERY_ARGUMENT = [
    (operation, name)
    for operation in OPERATIONS
    for name in signature_of(operation).own_arguments
    if name != "api"  # it is refused with an InvalidFilter, where it is read
]


@pytest.mark.parametrize(("operation", "name"), EVERY_ARGUMENT)
def test_what_is_of_no_kind_is_refused_by_every_operation(operation: str, name: str) -> None:
    arguments = signature_of(operation).own_arguments
    position = list(arguments).index(name)
    valid: dict[object, object] = {str: "x", int: 1}
    before = [
        valid[each.kind] if each.default is REQUIRED else each.default for each in list(arguments.values())[:position]
    ]
    with pytest.raises(InvalidArgument) as refused:
        check_arguments(operation, [*before, object()], {})
    assert refused.value.field.startswith(name)
    assert "object at" in refused.value.reason or "one of" in refused.value.reason
    if not arguments[name].is_list:
        with pytest.raises(InvalidArgument) as refused:
            check_arguments(operation, [], {name: object()})
        assert refused.value.field.startswith(name)


@pytest.mark.parametrize(
    ("operation", "given", "told"),
    [
        ("create_topic", (5,), "name: a text is expected, not 5"),
        ("create_topic", ("t", "3"), "partitions: a whole number is expected, not '3'"),
        ("create_topic", ("t", 3.0), "partitions: a whole number is expected, not 3.0"),
        ("create_topic", ("t", True), "partitions: a whole number is expected, not True"),
        ("create_topic", ("t", 2**63), "partitions: 9223372036854775808 is not a number of 64 bits"),
        ("create_topic", ("\ud800",), "name: half of a surrogate pair is no character"),
        ("create_topic", ("t", 1, 1, {"a": 5}), "settings['a']: a text is expected, not 5"),
        ("delete_topics", ("a", ["b"]), "names[1]: a text is expected, not ['b']"),
        ("produce", ("t", NewRecord(value=b"")), "records: a list is expected, not NewRecord(value=b'"),
        ("produce", ("t", [b"x"]), "records[0]: a NewRecord is expected, not b'x'"),
        ("produce", ("t", [NewRecord(value=())]), "records[0].value: a bytes object is expected, not ()"),  # type: ignore[arg-type]
        ("produce", ("t", [NewRecord(value=b"", partition=())]), "records[0].partition: a whole number is expected"),  # type: ignore[arg-type]
        ("produce", ("t", [NewRecord(value=5)]), "records[0].value: a bytes object is expected, not 5"),  # type: ignore[arg-type]
        ("produce", ("t", [NewRecord(value=b"", headers=(("h",),))]), "headers[0]: a tuple of 2 values is expected, n"),  # type: ignore[arg-type]
        ("produce", ("t", [NewRecord(value=b"", headers={"h": b""})]), "headers: a list is expected, not {'h': b''}"),  # type: ignore[arg-type]
        ("records", ("t", None, "read_commited"), "(did you mean 'read_committed'?)"),
        ("records", ("t", None, 5), "isolation: it is one of read_committed, read_uncommitted"),
        ("records", ("t", None, "read_committed", 1), "control: true or false is expected, not 1"),
        ("commit_offsets", ("g", [("t", 0)]), "offsets: a dictionary is expected, not [('t', 0)]"),
        ("commit_offsets", ("g", {"t": 0}), "offsets: key 't': a tuple of 2 values is expected, not 't'"),
        ("commit_offsets", ("g", {("t", 0): "1"}), "offsets[('t', 0)]: a whole number is expected, not '1'"),
        ("wait_for_topic", ("t", 1, "5"), "timeout: a number is expected, not '5'"),
        ("wait_for_topic", ("t", 1, -1), "timeout: it is negative"),
        ("wait_for_topic", ("t", 1, float("nan")), "timeout: it is negative"),
        ("take_snapshot", ("x" * 10_000 and b"x" * 10_000,), "name: a text is expected, not b'xxx"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(operation: str, given: tuple[Any, ...], told: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_arguments(operation, given, {})
    assert told in str(refused.value)
    assert len(str(refused.value)) < 400
    assert isinstance(refused.value, TypeError)
    assert isinstance(refused.value, ValueError)


class Number:
    """As numpy's are: no int, and as good."""

    def __index__(self) -> int:
        return 3

    def __ge__(self, other: int) -> bool:
        return other <= 3


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("create_topic", ("t", Number(), None, MappingProxyType({"retention.ms": "1"}))),
        ("delete_topics", ()),
        ("delete_topics", ("a", "b")),
        ("produce", ("t", ())),
        ("produce", ("t", [NewRecord(value=None), NewRecord(value=bytearray(b"x"), headers=[["h", None]])])),  # type: ignore[arg-type]
        ("commit_offsets", ("g", {("t", 0): 5})),
        ("wait_for_topic", ("t", 1, 0)),
        ("wait_for_topic", ("t", 1, float("inf"))),
        ("wait_for_topic", ("t", 1, Number())),
        ("recorded", (["Produce", "Fetch"],)),
        ("add_faults", ([{"api": "Produce", "where": object()}],)),
    ],
)
def test_what_is_right_in_python_is_taken(operation: str, given: tuple[Any, ...]) -> None:
    check_arguments(operation, given, {})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"host": 5}, "host: a text is expected, not 5"),
        ({"port": "1"}, "port: a whole number is expected, not '1'"),
        ({"port": 65_536}, "port is a number from 0 to 65535"),
        ({"racks": "abc"}, "racks: a list is expected, not 'abc'"),
        ({"as_kafka": 2.8}, "as_kafka: a text is expected, not 2.8"),
        ({"cap_apis": ["Fetch=11"]}, "cap_apis: a dictionary is expected"),
        ({"cap_apis": {"Fetch": "11"}}, "cap_apis['Fetch']: a whole number is expected, not '11'"),
        ({"settings": ["num.partitions=1"]}, "settings: a dictionary"),
        ({"settings": {1: 2}}, "settings: a name: a text is expected, not 1"),
        ({"topics": {"t": {"settings": {1: 2}}}}, "settings: a name: a text is expected, not 1"),
        ({"record": "no"}, "record: true or false is expected, not 'no'"),
        ({"topics": {5: 3}}, "topics: a name: a text is expected, not 5"),
        ({"topics": {"t": True}}, "topic 't' is written with the number of its partitions"),
        ({"topics": {"t": {"partitions": "3"}}}, "topic 't': partitions: a whole number is expected, not '3'"),
        ({"topics": {"t": {"settings": 5}}}, "topic 't': settings: a dictionary is expected, not 5"),
    ],
)
def test_wrong_arguments_of_a_cluster_are_refused_before_it_starts(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(told)):
        Kafka(**given)


def test_options_are_what_they_were() -> None:
    assert Options(racks=("a",), topics={"t": {"partitions": 1, "settings": {"retention.ms": "1"}}}).racks == ("a",)


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with Kafka(topics={"t": {"partitions": 1, "settings": {"retention.ms": 5_000_000}}}) as kafka:
        yield kafka


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda kafka: kafka.create_topic(5), "name: a text is expected, not 5"),
        (lambda kafka: kafka.create_topic("new", partitions="3"), "partitions: a whole number is expected, not '3'"),
        (lambda kafka: kafka.create_topic("new", settings="a=b"), "settings: a dictionary"),
        (lambda kafka: kafka.create_topic("new", settings={1: 2}), "settings: a name: a text is expected, not 1"),
        (lambda kafka: kafka.produce("new", 5), r"records\[0\]: the value of a record is text, bytes or a NewRecord"),
        (lambda kafka: kafka.produce("new", "a", "\ud800"), r"records\[1\]: half of a surrogate pair"),
        (lambda kafka: kafka.clock.advance("1"), "seconds: a number is expected, not '1'"),
        (lambda kafka: kafka.clock.advance(float("nan")), "seconds: nan is no time"),
        (lambda kafka: kafka.clock.advance(float("-inf")), "time does not go back"),
        (lambda kafka: kafka.clock.advance(float("inf")), "seconds: inf is beyond the year 9999"),
        (lambda kafka: kafka.commit_offsets("g", 5), "offsets: a dictionary is expected, not 5"),
        (lambda kafka: kafka.recorded(5j), "api: an API has a name or a number: 5j is neither"),
        (lambda kafka: kafka.faults.add(api=5j), "api: "),
    ],
)
def test_nothing_is_carried_out(kafka: Kafka, call: Any, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}"):
        call(kafka)
    assert kafka.topics() == ["t"]
    assert kafka.topic("t").settings == {"retention.ms": "5000000"}
    assert kafka.take_bugs() == []
