"""Parsing and bounds, held to Apache Kafka's ConfigDef: `config_def_answers.tsv` has what that says to each value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy.settings import catalog
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.parse import default_value, java_double_text, parse_value, value_text

TABLES = {
    "broker": catalog.broker_definitions(),
    "topic": catalog.topic_definitions(),
    "group": catalog.group_definitions(),
    "metrics": catalog.client_metrics_definitions(),
}


def config_def_answers() -> Iterator[list[str]]:
    """Area, name, value, "OK" or the exception, and the value as Kafka shows it or the message."""
    with Path(__file__).with_name("config_def_answers.tsv").open(newline="\n") as lines:
        for line in lines:
            yield line.rstrip("\n").split("\t")


def test_values_and_messages_are_those_of_config_def() -> None:
    wrong = []
    for area, name, value, *expected in config_def_answers():
        definition = TABLES[area][name]
        try:
            ours = ["OK", value_text(definition, parse_value(definition, value))]
        except SettingsError as error:
            ours = ["ConfigException", str(error)]
        if ours != expected:
            wrong.append((area, name, value, ours, expected))
    assert wrong == []


@pytest.mark.parametrize("area", TABLES)
def test_every_default_reads_back_as_it_is_written(area: str) -> None:
    for definition in TABLES[area].values():
        value = default_value(definition)
        if definition.type != "PASSWORD":
            assert value_text(definition, value) == definition.default, definition.name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (9_999_999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (-12345678.9, "-1.23456789E7"),
        (1.5e300, "1.5E300"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_doubles_are_written_as_java_does(value: float, text: str) -> None:
    assert java_double_text(value) == text
