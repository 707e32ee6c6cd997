"""The rules that docs/faults.md shows are rules."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

from kafkapy.faults import FIELDS, Rule
from kafkapy.faults.files import load_rules

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_every_rule_of_the_page_is_one(tmp_path: Path) -> None:
    shown = [json.loads(block) for block in blocks("json")]
    assert len(shown) > 5
    for rule in shown:
        Rule.parse(rule)


def test_the_file_of_the_page_is_one(tmp_path: Path) -> None:
    (block,) = blocks("toml")
    file = tmp_path / "faults.toml"
    file.write_text(block)
    assert [rule.name for rule in load_rules(file)] == ["the leader moves twice", "a commit whose answer is lost"]


def test_what_an_editor_shows_of_add_names_the_fields() -> None:
    """`add(**rule)` has no names of its own that an editor could complete."""
    from kafkapy.testing.kafka import Faults

    doc = inspect.getdoc(Faults.add) or ""
    kinds = ["Which requests", "Which of these", "What is done to a request", "To a connection", "Besides"]
    told = re.findall(rf"(?:{'|'.join(kinds)}): ([^.]*)\.", doc)
    assert [re.findall(r"\w+", each) for each in told] == [
        [field.name for field in FIELDS.values() if field.kind == kind]
        for kind in ("which", "when", "what", "connection", "")
    ]
