"""The rules that docs/faults.md shows are rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kafkapy.faults import Rule
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
