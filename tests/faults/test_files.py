"""Rules in files: three formats, and what is told of a wrong one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kafkapy.faults import InvalidRule, Rule
from kafkapy.faults.files import FILE_BYTES_MAX, InvalidFile, load_rules

JSON = '[{"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2}, {"delay_ms": 5}]'
TOML = """
[[faults]]
api = "Produce"
topic = "orders"
error = "NOT_LEADER_OR_FOLLOWER"
times = 2

[[faults]]
delay_ms = 5
"""
YAML = """
faults:
- api: Produce
  topic: orders
  error: NOT_LEADER_OR_FOLLOWER
  times: 2
- delay_ms: 5
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", JSON), ("a.json", f'{{"faults": {JSON}}}'), ("a.toml", TOML), ("a.yaml", YAML), ("a.YML", YAML)],
)
def test_the_formats_say_the_same(name: str, text: str, tmp_path: Path) -> None:
    if "y" in name.lower():
        pytest.importorskip("yaml")
    file = tmp_path / name
    file.write_text(text)
    assert load_rules(file) == [
        Rule.parse({"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2}),
        Rule.parse({"delay_ms": 5}),
    ]


@pytest.mark.parametrize("name", ["a.json", "a.toml"])
def test_no_rules(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text('{"faults": []}' if name == "a.json" else "")
    assert load_rules(file) == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.ini", b"", "ends in none of .json, .toml, .yaml, .yml"),
        ("a.json", b"[", "not valid JSON: Expecting value"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("a.json", b"\xff", "not in UTF-8"),
        ("a.json", b"5", "neither a list of rules"),
        ("a.json", b'{"fault": []}', "did you mean 'faults'?"),
        ("a.json", b'{"faults": {}}', "neither a list of rules"),
        ("a.json", b"[" + b"5," * 1_000 + b"5]", "more than 1000"),
        ("a.json", b" " * (FILE_BYTES_MAX + 1), "more than 1048576 bytes"),
        ("a.toml", b"[[faults]", "not valid TOML"),
    ],
)
def test_a_file_without_rules_is_refused(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InvalidFile) as refused:
        load_rules(file)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="cannot be read: No such file"):
        load_rules(tmp_path / "a.json")


def test_yaml_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    file = tmp_path / "a.yaml"
    file.write_text(YAML)
    with pytest.raises(InvalidFile, match=r"run `pip install '\./kafkapy\[yaml\]'`, where"):
        load_rules(file)


def test_broken_yaml(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    file = tmp_path / "a.yaml"
    file.write_text("faults: [\n- a: b: c\n")
    with pytest.raises(InvalidFile, match="not valid YAML") as refused:
        load_rules(file)
    assert "\n" not in str(refused.value)


def test_a_wrong_rule_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('[{"delay_ms": 5}, {"api": "Produce", "group": "g", "error": 1}]')
    with pytest.raises(InvalidRule) as refused:
        load_rules(file)
    assert refused.value.field == "faults[1].group"
