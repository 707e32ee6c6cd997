"""The config APIs hold the conversation of `config_scenario` as Apache Kafka 4.3.1 held it, on a metadata image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from kafkapy.apis import alter_configs, describe_configs, incremental_alter_configs, list_config_resources
from kafkapy.settings import DIFFERENT_DEFAULTS, Settings
from kafkapy.settings.current import CurrentSettings
from kafkapy.settings.properties import parse_properties
from kafkapy_controller.configs import ELR_FEATURE, decide_alter_configs
from kafkapy_controller.image import BrokerImage, MetadataImage, TopicImage
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.uuid import ZERO_UUID
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


class FakeNode:
    """The parts of a node that the config APIs read, and a controller that commits at once."""

    def __init__(self, static: Mapping[str, str]) -> None:
        broker = BrokerImage(1, 0, ZERO_UUID, {}, {}, fenced=False)
        image = MetadataImage(
            brokers={1: broker}, features={ELR_FEATURE: 1}, configs={(4, ""): {"min.insync.replicas": "1"}}
        )
        self.metadata = SimpleNamespace(image=image)
        self.controller = self
        self.settings = CurrentSettings(Settings(static))
        self.refuses: KafkaError | None = None
        self._publish(image)

    def _publish(self, image: MetadataImage) -> None:
        self.metadata.image = image
        self.settings.change(
            self.settings.now.with_dynamic(image.resource_configs(4, ""), image.resource_configs(4, "1"))
        )

    def create_topic(self, name: str) -> None:
        topic = TopicImage(name, ZERO_UUID, ())
        image = self.metadata.image
        self._publish(image._replace(topics={**image.topics, name: topic}))

    async def alter_configs(self, changes: Any, *, validate_only: bool) -> None:
        await trio.lowlevel.checkpoint()
        if self.refuses is not None:
            raise self.refuses
        if not validate_only:
            image = self.metadata.image
            self._publish(image.apply(decide_alter_configs(image, changes).records, image.offset + 1, 0))


def asked(step: Step) -> tuple[int, Any]:
    """The version and the request of a step: which class it is, the step says."""
    _, version, message = request(step)
    return version, message


def ask(node: FakeNode, step: Step) -> Any:
    """Our answer to a step, as `config_scenario.noted` writes it down."""
    version, message = asked(step)
    context: Any = SimpleNamespace(broker=node, api_version=version)
    match step[0]:
        case "create":
            node.create_topic(str(step[1]))
            return None
        case "describe":
            return noted(describe_configs.handle(message, context))
        case "list":
            return noted(list_config_resources.handle(message, context))
        case "alter":
            return noted(trio.run(alter_configs.handle, message, context))
        case _:
            return noted(trio.run(incremental_alter_configs.handle, message, context))


def without_our_defaults(answer: Any) -> Any:
    """Without the settings whose defaults are ours, unless the recorded broker was given them too."""
    ours = DIFFERENT_DEFAULTS.keys() - STATIC.keys()
    if isinstance(answer, dict):
        return {name: without_our_defaults(value) for name, value in answer.items() if name not in ours}
    return [without_our_defaults(value) for value in answer] if isinstance(answer, list) else answer


@pytest.fixture
def node() -> FakeNode:
    return FakeNode(parse_properties("\n".join(f"{name}={value}" for name, value in STATIC.items())))


def test_answers_are_apache_kafkas(node: FakeNode) -> None:
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


def test_a_refusal_of_the_controller_is_the_answer_of_what_was_good(node: FakeNode) -> None:
    node.create_topic("orders")
    node.refuses = KafkaError(ErrorCode.NOT_CONTROLLER)
    step = incremental((TOPIC, "orders", [("retention.ms", 0, "1")]), (TOPIC, "nowhere", [("retention.ms", 0, "1")]))
    assert ask(node, step) == [
        [3, "The topic 'nowhere' does not exist.", TOPIC, "nowhere"],
        [41, None, TOPIC, "orders"],
    ]


def test_documentation_is_there_only_when_asked_for(node: FakeNode) -> None:
    node.create_topic("orders")
    _, message = asked(describe((TOPIC, "orders", ["retention.ms"])))
    message.include_documentation = True
    context: Any = SimpleNamespace(broker=node, api_version=4)
    response = describe_configs.handle(message, context)
    assert [entry.documentation for entry in response.results[0].configs] == [""]


def test_only_subscriptions_are_listed_in_version_0(node: FakeNode) -> None:
    ask(node, set_one(16, "everything", "interval.ms", "1000"))
    _, message = asked(("list", ()))
    context: Any = SimpleNamespace(broker=node, api_version=0)
    assert noted(list_config_resources.handle(message, context)) == [0, [[16, "everything"]]]
