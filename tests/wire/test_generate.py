"""The message classes are what the schemas say."""

from __future__ import annotations

import json

import pytest

from kafkapy_wire import generate
from kafkapy_wire.catalog import UnknownSchema, message_class, schema_name
from kafkapy_wire.schema_index import SCHEMA_CLASSES


def test_the_generated_files_are_what_is_checked_in() -> None:
    assert generate.stale_files(generate.generate()) == []


def test_check_names_what_would_change(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0
    monkeypatch.setattr(generate, "LINE_LENGTH", 100)
    assert generate.main(["--check"]) == 1
    assert "messages/fetch.py" in capsys.readouterr().out


def test_every_schema_has_its_class() -> None:
    files = [path for path in generate.SCHEMAS.rglob("*.json") if path.parent != generate.SCHEMAS]
    assert len(files) == len(SCHEMA_CLASSES) == 286
    for path in files:
        name = path.relative_to(generate.SCHEMAS).with_suffix("").as_posix()
        schema = json.loads(path.read_text())
        cls = message_class(name)
        assert cls.__name__ == cls.__schema__.name == schema["name"]
        assert cls.__schema__.versions == schema["validVersions"]
        assert [field.name for field in cls.__fields__] == [generate.attribute_name(f) for f in schema["fields"]]
        assert [field.json_name for field in cls.__fields__] == [
            f["name"][0].lower() + f["name"][1:] for f in schema["fields"]
        ]


def test_a_message_is_found_by_short_and_full_name_and_a_wrong_name_gets_a_hint() -> None:
    assert schema_name("FetchRequest") == schema_name("messages/FetchRequest") == "messages/FetchRequest"
    assert (
        schema_name("ZkMigrationRecord")
        == schema_name("ZkMigrationStateRecord")
        == "records/metadata/ZkMigrationRecord"
    )
    with pytest.raises(UnknownSchema, match="did you mean FetchRequest"):
        schema_name("FecthRequest")
    with pytest.raises(UnknownSchema, match=r"unknown message qqqqqqqqqqqqqq$"):
        schema_name("qqqqqqqqqqqqqq")
