"""The generated tables are up to date, and every typed field agrees with them."""

from __future__ import annotations

import pytest

from kafkapy.settings import broker, catalog, definitions, generate, log_manager, node, security
from kafkapy.settings.area import Area
from kafkapy.settings.different_defaults import DIFFERENT_DEFAULTS
from kafkapy.settings.group import GroupSettings
from kafkapy.settings.parse import default_value, parse_value
from kafkapy.settings.topic import TopicSettings

BROKER_AREAS: list[type[Area]] = [
    node.NodeSettings,
    broker.NetworkSettings,
    log_manager.LogManagerSettings,
    broker.TopicCreationSettings,
    broker.GroupCoordinatorSettings,
    broker.ShareSettings,
    broker.TransactionSettings,
    broker.ReplicationSettings,
    security.SecuritySettings,
    broker.QuotaSettings,
]
TYPES = {"BOOLEAN": "bool", "DOUBLE": "float", "LIST": "tuple[str, ...]", "SHORT": "int", "INT": "int", "LONG": "int"}


def test_definitions_are_what_generate_writes() -> None:
    assert definitions.__file__ is not None
    assert generate.TARGET.read_text() == generate.definitions_source(generate.FACTS.read_text())


def test_all_of_kafkas_settings_are_there() -> None:
    assert [len(table) for table in (definitions.BROKER, definitions.TOPIC, definitions.GROUP)] == [379, 38, 27]


@pytest.mark.parametrize("area", [*BROKER_AREAS, TopicSettings, GroupSettings])
def test_fields_have_kafkas_names_types_and_defaults(area: type[Area]) -> None:
    table = {**catalog.broker_definitions(), **catalog.dynamic_only_definitions(), **catalog.own_definitions()}
    if area is TopicSettings:
        table = dict(catalog.topic_definitions())
    elif area is GroupSettings:
        table = dict(catalog.group_definitions())
    for name, attribute in area.SETTING_NAMES.items():
        definition = table[name]
        ours = getattr(area(), attribute)
        if name == "max.connections.per.ip.overrides":  # text in Kafka, read once into counts by host
            assert ours == {}
            continue
        if name in DIFFERENT_DEFAULTS:
            text, kafkas, _ = DIFFERENT_DEFAULTS[name]
            assert kafkas == definition.default
            assert ours == parse_value(definition, text), name
        else:
            assert ours == default_value(definition), name
        annotation = area.__annotations__[attribute].removesuffix(" | None")
        assert annotation == TYPES.get(definition.type, "str"), name


def test_topics_and_groups_have_a_field_for_every_setting() -> None:
    assert TopicSettings.SETTING_NAMES.keys() == catalog.topic_definitions().keys()
    assert GroupSettings.SETTING_NAMES.keys() == catalog.group_definitions().keys()


def test_no_setting_has_two_fields() -> None:
    names = [name for area in BROKER_AREAS for name in area.SETTING_NAMES]
    assert len(set(names)) == len(names)


def test_areas_are_immutable_and_compare_by_value() -> None:
    topics = broker.TopicCreationSettings(num_partitions=3)
    with pytest.raises(AttributeError):
        topics.num_partitions = 4  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        topics.replace({"partitions": 4})
    assert topics == broker.TopicCreationSettings().with_settings({"num.partitions": 3, "no.such": 1})
    assert topics != broker.TopicCreationSettings()
    assert repr(topics) == "TopicCreationSettings(num_partitions=3)"
