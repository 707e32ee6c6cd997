"""Levels of a broker's loggers (KIP-412). Each has loggers of its own; all have the root logger."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.configs import APPEND, BROKER_LOGGER, DELETE, SET, SUBTRACT, TOPIC, describe
from kafkapy_wire.messages.describe_configs import DescribeConfigsRequest
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

ROOT = "root"
LEVELS = ("FATAL", "ERROR", "WARN", "TRACE", "DEBUG", "INFO")


def change(
    *changes: tuple[str, int, str | None], name: str = "1", validate_only: bool = False
) -> IncrementalAlterConfigsRequest:
    configs = [AlterableConfig(name=each, config_operation=kind, value=value) for each, kind, value in changes]
    resource = AlterConfigsResource(resource_type=BROKER_LOGGER, resource_name=name, configs=configs)
    return IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)


def root(peer: Peer, label: str) -> None:
    peer.ask(describe(BROKER_LOGGER, "1", ROOT), label=label)


def own_logger(peer: Peer) -> str:
    """A logger that this broker has, besides the root logger."""
    (described,) = peer.quietly(describe(BROKER_LOGGER, "1", everything=True)).results
    names = [entry.name for entry in described.configs if entry.name.startswith(("kafka", "org.apache"))]
    return max(map(str, names))


@scenario
def loggers_are_described(peer: Peer) -> None:
    peer.quietly(change((ROOT, SET, "INFO")))  # kafkapy begins with WARN
    keys = (ROOT, "no.such", ROOT)
    for synonyms in (False, True):
        for documentation in (False, True):
            request = describe(BROKER_LOGGER, "1", *keys, synonyms=synonyms, documentation=documentation)
            peer.ask_versions(request, f"root, synonyms {synonyms}, documentation {documentation}")
    for label, request in {
        "all": describe(BROKER_LOGGER, "1", everything=True),
        "no keys": describe(BROKER_LOGGER, "1"),
    }.items():
        (described,) = peer.quietly(request).results
        peer.note(label, [described.error_code, ROOT in {entry.name for entry in described.configs}])
        peer.note(f"{label}: levels", all(entry.value in LEVELS for entry in described.configs))
        peer.note(f"{label}: more than the root logger", len(described.configs) > 1)
    peer.ask(describe(BROKER_LOGGER, "1", "no.such"), label="a logger that does not exist")
    twice = DescribeConfigsRequest(resources=2 * describe(BROKER_LOGGER, "1", ROOT).resources)
    peer.ask(twice, label="twice")


@scenario
def levels_are_changed(peer: Peer) -> None:
    own = own_logger(peer)
    try:
        for level in LEVELS:
            peer.ask(change((ROOT, SET, level)), label=level)
            root(peer, f"after {level}")
        peer.ask(change((ROOT, SET, "ERROR"), validate_only=True), label="validate only")
        root(peer, "after validate only")
        for changed in ((own, SET, "ERROR"), (own, DELETE, None)):
            peer.note(f"own {changed[1:]}", peer.quietly(change(changed)).responses[0].error_code)
            (described,) = peer.quietly(describe(BROKER_LOGGER, "1", own)).results
            peer.note(f"own after {changed[1:]}", described.configs[0].value)
        wrong = change((own, SET, "ERROR"), (ROOT, SET, "LOUD"))
        peer.note("one of two is wrong", peer.quietly(wrong).responses[0].error_code)
        (described,) = peer.quietly(describe(BROKER_LOGGER, "1", own)).results
        peer.note("nothing of it is done", described.configs[0].value)
    finally:
        peer.quietly(change((ROOT, SET, "INFO")))


@scenario
def levels_that_cannot_be(peer: Peer) -> None:
    for version in (0, 1):
        for level in ("", "loud", "info", "INFO ", "OFF", "ALL", "WARNING", None):
            peer.ask(change((ROOT, SET, level)), version, f"level {level!r}")
        for kind in (DELETE, APPEND, SUBTRACT, 4, -1):
            for name in (ROOT, "no.such"):
                peer.ask(change((name, kind, "INFO")), version, f"{name}, operation {kind}")
        for name in ("no.such", "", "Root"):
            peer.ask(change((name, SET, "INFO")), version, f"logger {name!r}")
        for node in ("", "2", "-1", "x", "1 ", "+1", "01", "99999999999"):
            peer.ask(change((ROOT, SET, "INFO"), name=node), version, f"node {node!r}")
        peer.ask(change((ROOT, SET, "INFO"), (ROOT, SET, "WARN")), version, "a logger twice")
        peer.ask(change((ROOT, DELETE, None), ("no.such", SET, "INFO")), version, "two are wrong")
        peer.ask(change(), version, "no logger")
    root(peer, "afterwards")


@scenario
def with_other_resources(peer: Peer) -> None:
    peer.create_topic("with-loggers")
    topic = AlterConfigsResource(
        resource_type=TOPIC,
        resource_name="with-loggers",
        configs=[AlterableConfig(name="retention.ms", config_operation=SET, value="70000")],
    )
    (logger,) = change((ROOT, SET, "INFO")).resources
    (wrong,) = change(("no.such", SET, "INFO")).resources
    for label, resources in {
        "logger, topic": [logger, topic],
        "topic, logger": [topic, logger],
        "topic, wrong logger": [topic, wrong],
        "topic": [topic],
    }.items():
        peer.ask(IncrementalAlterConfigsRequest(resources=resources), label=label)
    peer.ask(describe(TOPIC, "with-loggers", "retention.ms"), label="the topic is changed")
