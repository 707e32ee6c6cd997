"""Writes `definitions.py` from `configs.json`, Apache Kafka 4.4.0's settings: `python -m kafkapy.settings.generate`.

The result is literal tuples: importing it costs the reading of one compiled file and no call at all.
"""

from __future__ import annotations

import json
from pathlib import Path

FACTS = Path(__file__).with_name("configs.json")
TARGET = Path(__file__).with_name("definitions.py")

HEADER = '''\
"""Every setting of Apache Kafka 4.4.0 by area of use. Written by `python -m kafkapy.settings.generate`: do not edit.

A row is (name, type, default, valid values, importance, internal, dynamic, synonyms), in the order of the fields of
`catalog.Definition`. `default` is text as in a properties file, None where Kafka has null or none at all.
"""

Row = tuple[str, str, str | None, str | None, str, bool, bool, tuple[str, ...]]
'''

# Subscriptions to client metrics (KIP-714) are a resource of their own and no part of configs.json.
CLIENT_METRICS = [
    {
        "name": "interval.ms",
        "type": "INT",
        "default": "300000",
        "valid": None,
        "importance": "MEDIUM",
        "internal": False,
    },
    {"name": "match", "type": "LIST", "default": "", "valid": "", "importance": "MEDIUM", "internal": False},
    {"name": "metrics", "type": "LIST", "default": "", "valid": "", "importance": "MEDIUM", "internal": False},
]

# The first of the broker's assignors is what a group has by default.
GROUP_SYNONYMS = {"streams.assignor.name": "group.streams.assignors"}


def definitions_source(facts: str) -> str:
    """The text of `definitions.py` for the text of `configs.json`."""
    settings = json.loads(facts)
    broker_names = {entry["name"] for entry in settings["broker"]}
    for entry in settings["group"]:
        # A group's setting falls back to the broker's of the same name behind "group.", where there is one.
        synonym = GROUP_SYNONYMS.get(entry["name"], f"group.{entry['name']}")
        entry["broker_synonyms"] = [synonym] if synonym in broker_names else []
    tables = {
        "BROKER": settings["broker"],
        "TOPIC": settings["topic"],
        "GROUP": settings["group"],
        "CLIENT_METRICS": CLIENT_METRICS,
    }
    return HEADER + "".join(f"\n{name}: tuple[Row, ...] = (\n{_rows(entries)})\n" for name, entries in tables.items())


def _rows(entries: list[dict[str, object]]) -> str:
    lines = []
    for entry in sorted(entries, key=lambda entry: str(entry["name"])):
        synonyms = entry.get("broker_synonyms", [])
        assert isinstance(synonyms, list)
        # A topic's or group's setting can always be changed; of a broker's, `dynamic` says.
        fields = [
            _text(entry["name"]),
            _text(entry["type"]),
            _text(entry["default"]),
            _text(entry["valid"]),
            _text(entry["importance"]),
            repr(entry["internal"]),
            repr(entry.get("dynamic", True)),
            "(" + ", ".join(_text(name) for name in synonyms) + ("," if len(synonyms) == 1 else "") + ")",
        ]
        one_line = f"    ({', '.join(fields)}),"
        if len(one_line) > 120:
            one_line = "    (\n" + "".join(f"        {field},\n" for field in fields) + "    ),"
        lines.append(one_line + "\n")
    return "".join(lines)


def _text(value: object) -> str:
    return "None" if value is None else json.dumps(value)


if __name__ == "__main__":
    TARGET.write_text(definitions_source(FACTS.read_text()))
