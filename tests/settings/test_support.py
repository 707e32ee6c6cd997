"""What becomes of each setting: the table is complete and true; what is given and not honoured is refused or told."""

from __future__ import annotations

import ast
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from kafkapy.metadata.dynamic_settings import DynamicSettings
from kafkapy.settings import DIFFERENT_DEFAULTS, Settings, SettingsError, support_table
from kafkapy.settings.catalog import (
    Definition,
    broker_definitions,
    dynamic_only_definitions,
    group_definitions,
    own_definitions,
    topic_definitions,
)
from kafkapy.settings.current import CurrentSettings
from kafkapy.settings.sources import gather
from kafkapy.settings.support import (
    PER_LISTENER,
    broker_support,
    group_support,
    lines_about,
    support_besides,
    support_of,
    topic_support,
)
from kafkapy.settings.support_table import HARMLESS, HONOURED, LATER, REFUSED, Table
from kafkapy_controller.image import MetadataImage
from tests.settings.effects import BROKER_EFFECTS, GROUP_EFFECTS, TOPIC_EFFECTS
from tests.shell.running_node import BROKER, TOPIC, connect, running_node, trio_test

TESTS = Path(__file__).parent.parent


def names_in(table: Table) -> Counter[str]:
    return Counter(name for reasons in table.values() for names in reasons.values() for name in names.split())


# -- the table


def test_every_setting_of_kafka_is_in_the_table_once() -> None:
    assert names_in(support_table.BROKER) == Counter(broker_definitions().keys())
    assert names_in(support_table.TOPIC) == Counter(topic_definitions().keys())
    assert names_in(support_table.GROUP) == Counter(group_definitions().keys())
    assert not support_besides().keys() & broker_definitions().keys()
    assert dynamic_only_definitions().keys() <= support_besides().keys()


def test_every_entry_says_why_and_what_to_do() -> None:
    for table in (broker_support(), topic_support(), group_support(), support_besides()):
        for name, support in table.items():
            assert support.state in (HONOURED, HARMLESS, REFUSED, LATER), name
            assert support.state == HONOURED or support.reason, name
            assert bool(support.advice) is (support.state in (REFUSED, LATER)), name


def shown(effects: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for test, names in effects.items():
        for name in names.split():
            yield name, test


def honoured(support: Mapping[str, object]) -> set[str]:
    return {name for name in support if getattr(support[name], "state", None) == HONOURED}


def test_each_honoured_setting_has_a_test_in_which_its_effect_is_seen() -> None:
    assert {name for name, _ in shown(BROKER_EFFECTS)} == honoured(broker_support())
    assert {name for name, _ in shown(TOPIC_EFFECTS)} == honoured(topic_support())
    assert {name for name, _ in shown(GROUP_EFFECTS)} == honoured(group_support())


@cache
def module(path: str) -> tuple[str, dict[str, str]]:
    """(all of its text, the text of each of its tests)"""
    text = (TESTS / path).read_text(encoding="utf-8")
    lines = text.splitlines()
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return text, {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in nodes}


def test_the_tests_of_effects_are_there_and_speak_of_their_settings() -> None:
    """In Kafka's words or as an attribute; what a test is parametrized with stands beside it in its module."""
    for name, test in [*shown(BROKER_EFFECTS), *shown(TOPIC_EFFECTS), *shown(GROUP_EFFECTS)]:
        path, function = test.split("::")
        text, tests = module(path)
        assert function in tests, test
        assert re.search(r"\bassert\b|\bwhile\b|\buntil\(|pytest\.raises", tests[function]), f"{test} asserts nothing"
        spoken = rf"(?<![\w.]){re.escape(name)}(?![\w.])|\b{name.replace('.', '_')}\b"
        assert re.search(spoken, text), f"{test} says nothing of {name}"


def test_no_typed_attribute_is_read_that_is_not_called_honoured() -> None:
    """The other way round: code that reads a setting gives it an effect, so that the table must say so."""
    sources = [
        path
        for root in ("kafkapy", "log")
        for path in (TESTS.parent / root).rglob("*.py")
        if path.parts[-2:-1] != ("settings",)
    ]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    read = set(re.findall(r"settings\.now\.(?:\w+)\.(\w+)", code))
    names = {name.replace(".", "_"): name for name in broker_definitions()}
    dishonoured = {
        names[attribute]
        for attribute in read & names.keys()
        if broker_support()[names[attribute]].state not in (HONOURED, REFUSED)
    }
    assert not dishonoured


def test_settings_by_listener_are_honoured_where_kafka_has_them() -> None:
    for base in PER_LISTENER:
        support = support_of(f"listener.name.inside.{base}")
        assert support is not None
        assert support.state == HONOURED
    for base, state in (("num.network.threads", HARMLESS), ("ssl.keystore.type", HONOURED), ("log.dirs", LATER)):
        support = support_of(f"listener.name.inside.{base}")
        assert support is not None
        assert support.state == state
    assert support_of("listener.name.inside.no.such") is None


def test_settings_of_our_own_are_known() -> None:
    for name in own_definitions():
        support = support_of(name)
        assert support is not None
        assert support.state == HONOURED
        assert name.startswith("kafkapy.") or name == "java.security.auth.login.config"


# -- refused

REFUSALS = [
    ({"authorizer.class.name": "com.acme.Authorizer"}, "Java classes cannot be run"),
    (
        {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "admin"},
        "super.users: expected a string in format principalType:principalName but got admin: write User:admin",
    ),
    ({"create.topic.policy.class.name": "com.acme.Policy"}, "Java classes cannot be run"),
    ({"alter.config.policy.class.name": "com.acme.Policy"}, "Java classes cannot be run"),
    ({"client.quota.callback.class": "com.acme.Quotas"}, "Java classes cannot be run"),
    ({"principal.builder.class": "com.acme.Principals"}, "Java classes cannot be run"),
    ({"ssl.engine.factory.class": "com.acme.Engines"}, "Java classes cannot be run"),
    ({"replica.selector.class": "com.acme.Selector"}, "Java classes cannot be run"),
    ({"config.providers": "env"}, "kafkapy does not ask configuration providers"),
    (
        {"broker.rack": "${env:RACK}"},
        "broker.rack=${env:RACK} is refused: kafkapy does not ask configuration providers",
    ),
    ({"log.dirs": "/data/${file:/etc/secrets:name}"}, "kafkapy does not ask configuration providers"),
    ({"log.dirs": "/data,~/data"}, "log.dirs=~/data is refused: only a shell replaces ~"),
    ({"cordoned.log.dirs": "/c", "log.dirs": "/a,/b"}, "must be present in log.dirs or log.dir. Missing entries : /c"),
    ({"cordoned.log.dirs": "*,/a", "log.dirs": "/a"}, "When cordoned.log.dirs is set to *, it must not contain other"),
    ({"security.inter.broker.protocol": "SSH"}, "Invalid value SSH for configuration security.inter.broker.protocol"),
    ({"remote.log.storage.system.enable": "true"}, "there is no tiered storage"),
    ({"node.id": "-1"}, "Invalid value -1 for configuration node.id: Value must be at least 0"),
    ({"broker.id": "-1"}, "Invalid value -1 for configuration node.id: Value must be at least 0"),
    (
        {"max.connections.per.ip": "0"},
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
    ),
    ({"num.partitions": "9" * 5_000}, "Not a number of type INT"),
    ({"listeners": f"PLAINTEXT://:{'9' * 5_000}"}, "is not a port (0-65535)"),
    ({"max.connections.per.ip.overrides": f"a:{'9' * 5_000}"}, "is not HOST:COUNT"),
    ({"controller.quorum.voters": f"{'9' * 5_000}@a:9093"}, "Failed to parse voter ID as an integer from 999"),
]


@pytest.mark.parametrize(("given", "told"), REFUSALS)
def test_what_would_open_or_lose_something_is_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(given)
    line = str(caught.value)
    assert told in line
    assert "\n" not in line
    assert len(line) < 2_500


def test_a_refusal_shows_no_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings({"sasl.jaas.config": 'password="hush" ${env:REST}'})
    assert str(caught.value).startswith("sasl.jaas.config is refused: ")
    assert "hush" not in str(caught.value)


ALLOWED = [
    {"authorizer.class.name": "", "super.users": "", "allow.everyone.if.no.acl.found": ""},
    {"principal.builder.class": "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"},
    {"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"},
    {"process.roles": "controller,broker"},
    {"controller.quorum.voters": "1@localhost:9093"},
    {"controller.quorum.voters": "07@localhost:9093", "node.id": "7"},
    {"controller.quorum.bootstrap.servers": "localhost:9093"},
    {"metadata.log.dir": "/elsewhere", "log.dirs": "/data,/more", "cordoned.log.dirs": "/more"},
    {"group.coordinator.rebalance.protocols": "classic"},
    {"security.inter.broker.protocol": "PLAINTEXT"},
    {"remote.log.storage.system.enable": "false"},
    {"broker.rack": "$HOME {a:b} ${nothing}"},
]


@pytest.mark.parametrize("given", ALLOWED)
def test_what_opens_and_loses_nothing_is_taken(given: dict[str, str]) -> None:
    assert Settings(given).given == given


def test_a_refusal_says_where_the_setting_was_given() -> None:
    with pytest.raises(SettingsError, match=r"\(given by KAFKA_CONFIG_PROVIDERS\)$"):
        Settings.parse(gather(environ={"KAFKA_CONFIG_PROVIDERS": "env"}))


# -- told


def told(**given: str) -> list[str]:
    names = {name.replace("_", "."): value for name, value in given.items()}
    return lines_about(names, ["PLAINTEXT", "CONTROLLER"])


def test_a_setting_with_a_meaning_that_does_nothing_is_told_in_one_line() -> None:
    assert told(log_preallocate="true") == [
        (
            "log.preallocate has no effect: segment files grow as they are written, and reserve no room; "
            "keep some room on the disk free"
        )
    ]
    given = gather(environ={"KAFKA_GROUP_STREAMS_NUM_WARMUP_REPLICAS": "5"})
    (line,) = lines_about(given, [])
    assert line.startswith(
        "group.streams.num.warmup.replicas (given by KAFKA_GROUP_STREAMS_NUM_WARMUP_REPLICAS) has no effect: "
    )


def test_sessions_that_one_late_heartbeat_ends_are_told() -> None:
    assert told(broker_heartbeat_interval_ms="100", broker_session_timeout_ms="200") == []
    (line,) = told(broker_session_timeout_ms="3999")
    assert line.startswith("broker.heartbeat.interval.ms=2000 is more than half of broker.session.timeout.ms=3999, ")


def another_value(definition: Definition) -> str:
    """One that is allowed, and no default."""
    if definition.name == "group.consumer.migration.policy":
        return "disabled"
    match definition.type:
        case "BOOLEAN":
            return "true" if definition.default == "false" else "false"
        case "DOUBLE":
            return "0.3"
        case "INT" | "LONG" | "SHORT":
            low = re.match(r"\[(-?\d+)", definition.valid or "[5")
            assert low is not None
            return next(text for step in (3, 4) if (text := str(int(low[1]) + step)) != definition.default)
    return "other"


def test_every_setting_that_comes_later_is_told_unless_it_has_a_default() -> None:
    later = [broker_definitions()[name] for name, support in broker_support().items() if support.state == LATER]
    for definition in later:
        name = definition.name
        assert len(lines_about({name: another_value(definition)}, [])) == 1, name
        defaults = {definition.default, DIFFERENT_DEFAULTS.get(name, (None,))[0]} - {None}
        assert [lines_about({name: str(default)}, []) for default in defaults] == [[]] * len(defaults), name


def test_settings_by_the_name_of_no_listener_are_told() -> None:
    assert lines_about({"listener.name.plaintxt.max.connections": "1"}, ["PLAINTEXT"]) == [
        "listener.name.plaintxt.max.connections has no effect: there is no listener PLAINTXT; correct the name"
    ]
    assert lines_about({"listener.name.plaintext.max.connections": "1"}, ["PLAINTEXT"]) == []
    (line,) = lines_about({"listener.name.plaintext.connections.max.idle.ms": "1"}, ["PLAINTEXT"])
    assert "set connections.max.idle.ms, which holds for all listeners" in line


def test_names_of_listeners_and_mechanisms_in_capitals_are_told() -> None:
    for written, right in (
        ("listener.name.OUTSIDE.ssl.client.auth", "listener.name.outside.ssl.client.auth"),
        ("listener.name.outside.PLAIN.sasl.jaas.config", "listener.name.outside.plain.sasl.jaas.config"),
        (
            "listener.name.Outside.Scram-SHA-256.sasl.jaas.config",
            "listener.name.outside.scram-sha-256.sasl.jaas.config",
        ),
    ):
        (line,) = lines_about({written: "x"}, ["OUTSIDE"])
        assert line.endswith(f"are in small letters there; write {right}")
        assert lines_about({right: "x"}, ["OUTSIDE"]) == []


def test_settings_of_the_controllers_listener_have_an_effect_on_a_broker() -> None:
    """It logs in there, and trusts their certificates, by them."""
    given = {
        "process.roles": "broker",
        "node.id": "4",
        "controller.quorum.bootstrap.servers": "localhost:9093",
        "listeners": "PLAINTEXT://localhost:9092",
        "controller.listener.names": "CTRL",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CTRL:PLAINTEXT",
        "listener.name.ctrl.ssl.truststore.location": "/ca.crt",
    }
    assert lines_about(given, Settings(given).settable_listener_names) == []


def test_what_is_harmless_or_gone_is_not_told() -> None:
    names = ("zookeeper.connect", "inter.broker.protocol.version", "num.io.threads", "ssl.provider")
    assert lines_about(dict.fromkeys(names, "9"), []) == []
    assert gather(overrides=[f"{name}=9" for name in names]).warnings == []


@trio_test
async def test_a_start_tells_what_does_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = {"log.preallocate": "true", "num.io.threads": "9", "log.retention.hours": "3"}
    async with running_node(tmp_path, given):
        lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert lines[0].startswith("log.preallocate has no effect: ")


def test_listeners_that_apache_kafka_has_stored_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """It binds its listeners anew when they are altered. Ours stay, so that clients are told where they are."""
    current = CurrentSettings(Settings())
    stored = {"listeners": "OTHER://:1", "listener.security.protocol.map": "OTHER:PLAINTEXT", "log.retention.ms": "5"}
    DynamicSettings(current).load(MetadataImage(configs={(BROKER, "1"): stored}))
    assert [str(listener) for listener in current.now.listeners] == ["PLAINTEXT://localhost:9092"]
    assert current.now.topic_defaults.retention_ms == 5
    told = [record.getMessage().partition(" has no effect: ")[0] for record in caplog.records]
    assert told == ["listeners of broker 1", "listener.security.protocol.map of broker 1"]


@trio_test
async def test_what_is_set_while_the_node_runs_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        for topic in ("one", "two"):
            await client.create_topic(topic, preallocate="true")
        await client.alter_config(TOPIC, "one", "preallocate", "false")
        await client.alter_config(TOPIC, "one", "retention.ms", "1000")
        await client.alter_config(32, "readers", "streams.num.warmup.replicas", "3")
        await client.alter_config(BROKER, "", "log.preallocate", "true")
        await client.alter_config(BROKER, "1", "log.preallocate", "true")
        await client.alter_config(BROKER, "1", "log.retention.ms", "100000")
        await client.alter_config(BROKER, "", "listener.name.nowhere.max.connections", "5")
    lines = [record.getMessage().partition(":")[0] for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == [
        "preallocate of topic one has no effect",
        "streams.num.warmup.replicas of group readers has no effect",
        "log.preallocate of broker (all) has no effect",
        "listener.name.nowhere.max.connections of broker (all) has no effect",
    ]
    caplog.clear()
    async with running_node(tmp_path):
        assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
            "log.preallocate of broker (all) has no effect",
            "listener.name.nowhere.max.connections of broker (all) has no effect",
        ]
