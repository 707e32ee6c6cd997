"""Seeds are read from JSON lines, YAML and objects; what is wrong is refused with its place and the nearest choice."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkapy.seeds import InvalidSeed, Seed
from kafkapy.seeds.entries import Entry, SeedGroup, SeedRecord, SeedTopic
from kafkapy.seeds.invalid_seed import Place
from kafkapy.seeds.json_lines import line_of, read_line
from kafkapy.seeds.plan import Plan
from kafkapy.seeds.yaml_file import parse_yaml

YAML = """\
topics:
  orders: 3
  table:
    partitions: 1
    replicas: 1
    settings: {cleanup.policy: compact, min.compaction.lag.ms: 5, preallocate: false}
    offsets: {0: [5, 12]}
records:
  orders:
    - 1 tea
    - {key: alice, value: {json: {id: 1}}, headers: {trace: "1"}, timestamp: 2026-01-31T12:00:00Z, partition: 2}
    - {base64: /w==}
    - {value: null, headers: [[a, b], [a, null]], timestamp: 5, partition: 0, offset: 7}
groups:
  shop:
    orders: {0: 1, 2: {offset: 3, metadata: mine}}
  7: {}
"""


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def plain(entries: list[Entry]) -> list[Any]:
    return [entry._replace(place=Place()) for entry in entries]


def test_yaml_and_an_object_say_the_same(tmp_path: Path) -> None:
    entries = list(Seed.read(written(tmp_path / "seed.yaml", YAML)).entries())
    table = SeedTopic(
        Place(),
        "table",
        1,
        1,
        {"cleanup.policy": "compact", "min.compaction.lag.ms": "5", "preallocate": "false"},
        {0: (5, 12)},
    )
    records = [
        SeedRecord(Place(), "orders", None, b"1 tea", (), None, None, None),
        SeedRecord(Place(), "orders", b"alice", b'{"id":1}', (("trace", b"1"),), 1769860800000, 2, None),
        SeedRecord(Place(), "orders", None, b"\xff", (), None, None, None),
        SeedRecord(Place(), "orders", None, None, (("a", b"b"), ("a", None)), 5, 0, 7),
    ]
    groups = [
        SeedGroup(Place(), "shop", {("orders", 0): (1, ""), ("orders", 2): (3, "mine")}),
        SeedGroup(Place(), "7", {}),
    ]
    assert plain(entries) == [SeedTopic(Place(), "orders", 3), table, *records, *groups]
    parsed = parse_yaml(YAML)
    assert isinstance(parsed, dict)
    assert plain(list(Seed.of(parsed).entries())) == plain(entries)


def test_what_is_written_in_json_lines_is_read_again(tmp_path: Path) -> None:
    entries = list(Seed.read(written(tmp_path / "seed.yml", YAML)).entries())
    lines = b"".join(map(line_of, entries))
    again = list(Seed.read(written(tmp_path / "seed.jsonl", lines)).entries())
    assert plain(again) == plain(entries)
    assert [entry.place.line for entry in again] == list(range(1, len(entries) + 1))


def test_bytes_of_a_header_name_that_are_not_utf_8_are_kept() -> None:
    record = SeedRecord(Place(), "t", b"\xfe", b"", (("\udcff", b"\xff"),), None, None, None)
    assert plain([read_line(line_of(record), Place())]) == [record]


def test_a_directory_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    written(tmp_path / "2.yaml", "groups: {shop: {orders: {0: 1}}}")
    written(tmp_path / "1.jsonl", '{"kind": "topic", "topic": "orders"}\n\n{"topic": "orders", "value": "a"}')
    written(tmp_path / ".hidden", "nonsense")
    assert [type(entry).__name__ for entry in Seed.read(tmp_path).entries()] == ["SeedTopic", "SeedRecord", "SeedGroup"]


def test_lines_of_kafkapy_consume_are_records() -> None:
    line = b'{"topic": "t", "partition": 1, "offset": 7, "timestamp": 5, "timestamp_type": "CREATE_TIME", "key": null, '
    read = read_line(line + b'"value": "v", "headers": [["a", null]]}', Place())
    assert read == SeedRecord(Place(), "t", None, b"v", (("a", None),), 5, 1, 7)


YAML_FAULTS = [
    ("topisc: {}", "line 1: topisc: a seed has no such part (did you mean 'topics'?)"),
    ("topics:\n  orders: many", "line 2: topics.orders: a whole number from 1 to 2147483647 is expected, not 'many'"),
    (
        "topics:\n  orders:\n    partitoins: 2",
        ("line 3: topics.orders.partitoins: a topic has no such field (did you mean 'partitions'?)"),
    ),
    ("topics:\n  orders: 1\n  orders: 2", "line 3: 'orders' is there twice"),
    (
        "records:\n  orders:\n    - a\n    - 5",
        (
            'line 4: records.orders[1]: a text, null, {"base64": ...} or {"json": '
            '...} is expected, not 5; as text it is written "5"'
        ),
    ),
    (
        "records:\n  orders:\n    - key: a\n      vaule: b",
        ("line 4: records.orders[0].vaule: a record has no such field (did you mean 'value'?)"),
    ),
    (
        "records:\n  orders:\n    - {topic: other}",
        ("line 3: records.orders[0]: it names a topic: the records are those of the topic whose list they stand in"),
    ),
    ("records:\n  orders: a", "line 2: records.orders: a list is expected, not 'a'"),
    (
        "records:\n  orders:\n    - {value: a, offset: 3}",
        ("line 3: records.orders[0].offset: a record with an offset needs its partition, too"),
    ),
    (
        "records:\n  orders:\n    - {value: a, timestamp: 2026-01-31}",
        (
            "line 3: records.orders[0].timestamp: milliseconds "
            "since 1970, or a time with its zone such as 2026-01-31T12:00:00Z, is expected, not '2026-01-31'"
        ),
    ),
    ("groups:\n  shop:\n    orders: {x: 1}", "line 3: groups.shop.orders.x: 'x' is no number of a partition"),
    (
        "groups:\n  shop: {orders: {0: -1}}",
        ("line 2: groups.shop.orders.0: a whole number from 0 to 9223372036854775807 is expected, not -1"),
    ),
    ("acls: {}", "line 1: acls: a list is expected, not {}"),
    ("acls:\n  - {principal: 'User:a'}", "line 2: acls[0].resource_type: it is missing: write one of topic, group, "),
    (
        "acls:\n  - {principal: 'User:a', operation: reed, resource_type: TRANSACTIONAL_ID, resource_name: t}",
        "line 2: acls[0].operation: 'reed' is none (did you mean 'read'?)",
    ),
    (
        "acls:\n  - {principle: 'User:a'}",
        "line 2: acls[0].principle: an ACL has no such field (did you mean 'principal'?)",
    ),
    ("acls:\n  - {operation: read, resource_type: cluster}", "line 2: acls[0].principal: it is missing"),
    ("a: &x 1\nb: *x", "line 2: aliases (*name) are not taken: write it out"),
    ("topics: {orders: 1", "line 1: that is not YAML: expected ',' or '}', but got '<stream end>'"),
    ("topics: {[a]: 1}", "line 1: a list or an object is no name"),
    ("topics: {a: !!set {}}", "line 1: "),
    ("records: {t: [!!python/object:os.system x]}", "line 1: values of the kind "),
    ("- a", "an object with topics, records, groups, acls is expected, not ['a']"),
]


@pytest.mark.parametrize(("text", "told"), YAML_FAULTS)
def test_what_is_wrong_in_yaml_is_told_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    path = written(tmp_path / "seed.yaml", text)
    with pytest.raises(InvalidSeed) as refused:
        Plan.checked(Seed.read(path))
    assert str(refused.value).startswith(f"{path}: {told}")


LINE_FAULTS = [
    (
        '{"topic": "a", "value": "x"}\n{"kind": "tpoic", "topic": "b"}',
        ("line 2: kind: there is no kind 'tpoic' (did you mean 'topic'?)"),
    ),
    (
        '{"kind": "topic", "topic": "a", "partition": 2}',
        ("line 1: partition: a topic has no such field (did you mean 'partitions'?)"),
    ),
    (
        '{"kind": "topic", "topic": "a"}\n{"kind": "topic", "topic": "a"}',
        ("line 2: topic: topic 'a' is there twice, first in line 1"),
    ),
    (
        '{"kind": "group", "group": "g", "offsets": {}}\n{"kind": "group", "group": "g", "offsets": {}}',
        ("line 2: group: group 'g' is there twice, first in line 1"),
    ),
    ('{"kind": "acl", "resource_type": "topic"}', "line 1: resource_name: it is missing"),
    ('{"kind": "acls"}', "line 1: kind: there is no kind 'acls' (did you mean 'acl'?)"),
    ('{"topic": "a", "topic": "b"}', "line 1: that is not JSON: 'topic' is there twice"),
    ('{"topic": "a", "value": NaN}', "line 1: that is not JSON: NaN is no number"),
    ('{"topic": "a", "value": "\\ud800"}', "line 1: value: half of a surrogate pair is no character"),
    ('{"topic": "a", "value": {"base64": "?"}}', "line 1: value: that is no base64"),
    ('{"topic": "a", "value": {"json": {"a": "\\ud800"}}}', "line 1: value: half of a surrogate pair"),
    ('{"value": "x"}', "line 1: topic: it is missing"),
    (
        '{"kind": "topic", "topic": "a", "offsets": {"0": [9, 3]}}',
        ("line 1: offsets.0: it begins at 9, which is after its end at 3"),
    ),
    ("[" * 100_000, "line 1: that is not JSON: it nests too deep"),
    ("x", "line 1: that is not JSON: "),
    ("[1]", "line 1: a JSON object is expected"),
]


@pytest.mark.parametrize(("text", "told"), LINE_FAULTS)
def test_what_is_wrong_in_a_line_is_told_with_its_number(text: str, told: str, tmp_path: Path) -> None:
    path = written(tmp_path / "seed.jsonl", text)
    with pytest.raises(InvalidSeed) as refused:
        Plan.checked(Seed.read(path))
    assert str(refused.value).startswith(f"{path}: {told}")


def test_what_is_no_seed_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    cases = {
        tmp_path / "none.jsonl": "it cannot be read: No such file or directory",
        written(
            tmp_path / "seed.json", "{}"
        ): "its name ends in none of .jsonl, .ndjson, .yaml, .yml, so its format is not known",
        tmp_path / "pipe.jsonl": "it is no regular file, so that it cannot be read twice: copy it into one",
        written(
            tmp_path / "latin.yaml", b"topics: {\xe4: 1}"
        ): "it is not in UTF-8: invalid continuation byte at byte 9",
    }
    for path, told in cases.items():
        with pytest.raises(InvalidSeed) as refused:
            Plan.checked(Seed.read(path))
        assert str(refused.value) == f"{path}: {told}"


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "seed.jsonl", '{"topic": "a", "value": "x"}\n')
    seed = Seed.read(path)
    assert len(list(seed.entries())) == 1
    with path.open("a") as file:
        file.write('{"topic": "a", "value": "y"}\n')
    with pytest.raises(InvalidSeed, match="it has changed while it was read"):
        list(seed.entries())


def test_a_seed_without_pyyaml_can_be_json_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    monkeypatch.delitem(__import__("sys").modules, "kafkapy.seeds.yaml_file", raising=False)
    with pytest.raises(InvalidSeed, match=r"YAML needs PyYAML, which is not installed: .* or write JSON lines"):
        Seed.read(written(tmp_path / "seed.yaml", YAML))
    assert list(Seed.read(written(tmp_path / "seed.jsonl", "\n")).entries()) == []


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_line_raises_anything_else(line: bytes) -> None:
    try:
        entry = read_line(line, Place(1))
    except InvalidSeed:
        return
    assert plain([read_line(line_of(entry), Place())]) == plain([entry])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["topics", "records", "groups", "a", "0", "value", "base64", "json", "offsets", "headers"])
            | st.integers(0, 3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["topics", "records", "groups", "acl"]), json_values, max_size=3))
def test_no_object_raises_anything_else(document: dict[str, Any]) -> None:
    try:
        entries = list(Seed.of(document).entries())
    except InvalidSeed:
        return
    for entry in entries:
        assert plain([read_line(line_of(entry), Place())]) == plain([entry])


def test_base64_is_what_it_was_made_of() -> None:
    value = bytes(range(256))
    line = b'{"topic": "t", "value": {"base64": "' + b64encode(value) + b'"}}'
    read = read_line(line, Place())
    assert isinstance(read, SeedRecord)
    assert read.value == value
