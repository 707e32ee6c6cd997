"""The config APIs hold the conversation of `config_scenario` as Apache Kafka 4.4.0 held it, on a controller."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kafkapy.apis import alter_configs, describe_configs, incremental_alter_configs, list_config_resources
from kafkapy.settings import DIFFERENT_DEFAULTS, documentation
from kafkapy.settings.properties import parse_properties
from kafkapy_wire.errors import ErrorCode
from tests.apis.config_scenario import (
    SCENARIO,
    STATIC,
    TOPIC,
    Step,
    alter,
    describe,
    incremental,
    noted,
    request,
    set_one,
)
from tests.apis.topic_lab import Lab, lab, topic

ANSWERS = json.loads(Path(__file__).with_name("config_answers.json").read_text())

# Where we differ, and what we say instead.
DIFFERS: dict[str, object] = {
    # Can be changed here: see the module of IncrementalAlterConfigs.
    json.dumps(set_one(4, "1", "advertised.listeners", "PLAINTEXT://x:1")): [[0, None, 4, "1"]],
    # Apache Kafka shows where Java's substring gave up.
    json.dumps(set_one(4, "1", "max.connections.per.ip.overrides", "a")): [
        [42, "Error parsing configuration property 'max.connections.per.ip.overrides': a is not HOST:COUNT", 4, "1"]
    ],
    # Apache Kafka never answers.
    json.dumps(alter((TOPIC, "orders", []), (TOPIC, "orders", []))): [
        [42, "Each resource must appear at most once.", 2, "orders"],
        [42, "Each resource must appear at most once.", 2, "orders"],
    ],
}


def asked(step: Step) -> tuple[int, Any]:
    """The version and the request of a step: which class it is, the step says."""
    _, version, message = request(step)
    return version, message


def ask(node: Lab, step: Step) -> Any:
    """Our answer to a step, as `config_scenario.noted` writes it down."""
    version, message = asked(step)
    match step[0]:
        case "create":
            node.create(topic(str(step[1])))
            return None
        case "describe":
            return noted(node.call(describe_configs, message, version))
        case "list":
            return noted(node.call(list_config_resources, message, version))
        case "alter":
            return noted(node.call(alter_configs, message, version))
        case _:
            return noted(node.call(incremental_alter_configs, message, version))


def without_our_defaults(answer: Any) -> Any:
    """Without the settings whose defaults are ours, unless the recorded broker was given them too."""
    ours = DIFFERENT_DEFAULTS.keys() - STATIC.keys()
    ours |= {name.removeprefix("group.") for name in ours}  # what is the broker's default for groups
    if isinstance(answer, dict):
        return {name: without_our_defaults(value) for name, value in answer.items() if name not in ours}
    return [without_our_defaults(value) for value in answer] if isinstance(answer, list) else answer


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path, parse_properties("\n".join(f"{name}={value}" for name, value in STATIC.items()))) as opened:
        yield opened


def test_answers_are_apache_kafkas(node: Lab) -> None:
    assert [json.loads(json.dumps(step)) for step in SCENARIO] == [answer["asked"] for answer in ANSWERS]
    wrong = []
    for step, answer in zip(SCENARIO, ANSWERS, strict=True):
        if step == set_one(4, "1", "advertised.listeners", "PLAINTEXT://x:1"):
            step = incremental((4, "1", [("advertised.listeners", 0, "PLAINTEXT://x:1")]), validate_only=True)
            expected: Any = [[0, None, 4, "1"]]
        else:
            expected = DIFFERS.get(json.dumps(step), answer["answered"])
        ours = without_our_defaults(json.loads(json.dumps(ask(node, step))))
        expected = without_our_defaults(expected)
        if step[0] != "create" and ours != expected:
            wrong.append(difference(step, ours, expected))
    assert not wrong, "\n".join(wrong)


def difference(step: Step, ours: Any, theirs: Any) -> str:
    if step[0] == "describe":
        lines = []
        for mine, other in zip(ours, theirs, strict=True):
            if mine[:4] != other[:4]:
                lines.append(f"{mine[:4]} / {other[:4]}")
            lines += [
                f"{name}: {mine[4].get(name)} / {other[4].get(name)}"
                for name in sorted(mine[4].keys() | other[4].keys())
                if mine[4].get(name) != other[4].get(name)
            ]
        return f"{step}\n  " + "\n  ".join(lines)
    return f"{step}\n  ours   {ours}\n  theirs {theirs}"


def test_a_refusal_of_the_controller_is_the_answer_of_what_was_good(node: Lab) -> None:
    node.create(topic("orders"))
    step = incremental((TOPIC, "orders", [("retention.ms", 0, "1")]), (TOPIC, "nowhere", [("retention.ms", 0, "1")]))
    with full_disk(node):
        unknown, refused = ask(node, step)
    assert unknown == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The topic 'nowhere' does not exist.", TOPIC, "nowhere"]
    assert refused[0] == ErrorCode.KAFKA_STORAGE_ERROR
    assert refused[2:] == [TOPIC, "orders"]
    assert node.image.resource_configs(TOPIC, "orders") == {}


@contextmanager
def full_disk(node: Lab) -> Iterator[None]:
    """No file grows beyond what the metadata log has."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A module that is imported now would be cached in part, and could not be imported again.
    writes_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (node.metadata_log.log.size_bytes, limits[1]))
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_no_bytecode
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_documentation_is_there_only_when_asked_for(node: Lab) -> None:
    node.create(topic("orders"))
    _, message = asked(describe((TOPIC, "orders", ["retention.ms"])))
    message.include_documentation = True
    response = node.call(describe_configs, message, 4)
    assert [entry.documentation for entry in response.results[0].configs] == [documentation.of_topic("retention.ms")]


def test_only_subscriptions_are_listed_in_version_0(node: Lab) -> None:
    ask(node, set_one(16, "everything", "interval.ms", "1000"))
    _, message = asked(("list", ()))
    assert noted(node.call(list_config_resources, message, 0)) == [0, [[16, "everything"]]]


def test_listeners_are_refused_as_they_are_bound_once(node: Lab) -> None:
    """Taken over without being bound they would be advertised after the next start: nobody would find the broker."""
    for name, other in (
        ("listeners", "PLAINTEXT://127.0.0.1:1"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT"),
    ):
        ((error, message, _, _),) = ask(node, set_one(4, "1", name, other))
        assert error == ErrorCode.INVALID_REQUEST
        assert message.startswith("kafkapy binds its listeners once")
    assert ask(node, set_one(4, "1", "listeners", STATIC["listeners"])) == [[0, None, 4, "1"]], "it is so already"
