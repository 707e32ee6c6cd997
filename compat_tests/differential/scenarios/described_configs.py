"""DescribeConfigs with synonyms and documentation, of every type of resource."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from compat_tests.differential.scenarios.configs import (
    BROKER,
    BROKER_LOGGER,
    CLIENT_METRICS,
    DELETE,
    GROUP,
    SET,
    TOPIC,
    UNKNOWN,
    describe,
    incremental,
    settled,
)


def ask(peer: Peer, kind: int, name: str, *keys: str, label: str, everything: bool = False) -> None:
    """Documentation is each broker's own; null or not is compared."""
    for synonyms in (False, True):
        for documentation in (False, True):
            request = describe(kind, name, *keys, everything=everything, synonyms=synonyms, documentation=documentation)
            for version in (1, 2, 3, 4):
                if documentation and version < 3:
                    continue
                answer = peer.quietly(request, version)
                for result in answer.results:
                    result.configs = [c for c in result.configs if c.name not in TOLD]
                    for entry in result.configs:
                        if entry.documentation is not None:
                            entry.documentation = "some"
                what = f"DescribeConfigs v{version} {label}, synonyms {synonyms}, documentation {documentation}"
                peer.note(what, peer.normaliser.plain(answer, version))


TOLD = {"listeners", "controller.quorum.bootstrap.servers", "listener.security.protocol.map"}


@scenario
def every_type(peer: Peer) -> None:
    peer.create_topic("described", config={"retention.ms": "1234", "cleanup.policy": "compact,delete"})
    ask(peer, TOPIC, "described", label="topic", everything=True)
    ask(peer, TOPIC, "described", "retention.ms", "no.such", "retention.ms", label="topic, some")
    ask(peer, TOPIC, "described-no", label="no such topic", everything=True)
    ask(peer, TOPIC, "__consumer_offsets", label="internal topic", everything=True)
    ask(peer, BROKER, "1", label="broker", everything=True)
    ask(peer, BROKER, "1", "num.partitions", "no.such", "num.partitions", label="broker, some")
    ask(peer, BROKER, "", label="all brokers", everything=True)
    ask(peer, BROKER, "", "num.partitions", "no.such", label="all brokers, some")
    ask(peer, BROKER, "7", label="another broker", everything=True)
    for kind, name in (
        (BROKER_LOGGER, "7"),
        (BROKER_LOGGER, ""),
        (BROKER_LOGGER, "x"),
        (UNKNOWN, ""),
        (1, "x"),
        (127, "x"),
        (-128, "x"),
    ):
        ask(peer, kind, name, label=f"type {kind} {name!r}", everything=True)
    for kind, name in ((GROUP, "described-group"), (GROUP, ""), (CLIENT_METRICS, "described-m"), (CLIENT_METRICS, "")):
        ask(peer, kind, name, label=f"type {kind} {name!r}", everything=True)
        ask(peer, kind, name, "no.such", "interval.ms", label=f"type {kind} {name!r}, some")
        ask(peer, kind, name, label=f"type {kind} {name!r}, no keys")


@scenario
def a_setting_that_nobody_knows(peer: Peer) -> None:
    for name in ("", "1"):
        peer.ask(incremental(BROKER, name, ("described.no.such", SET, "1")), label=f"broker {name!r}")
        # Apache Kafka's broker replays it after the controller has answered.
        request = describe(BROKER, name, "described.no.such")
        peer.until(request, lambda answer: answer.results[0].configs, "the setting is there")
        ask(peer, BROKER, name, "described.no.such", label=f"broker {name!r}, unknown setting")
        peer.quietly(incremental(BROKER, name, ("described.no.such", DELETE, None)))


@scenario
def after_they_were_changed(peer: Peer) -> None:
    peer.create_topic("described-changed")
    for kind, name, key, value in (
        (TOPIC, "described-changed", "retention.ms", "77000"),
        (GROUP, "described-changed", "consumer.session.timeout.ms", "50000"),
        (CLIENT_METRICS, "described-changed", "interval.ms", "70000"),
    ):
        peer.ask(incremental(kind, name, (key, SET, value)), label=f"type {kind}")
        settled(peer, kind, name, key, value)
        ask(peer, kind, name, label=f"type {kind} changed", everything=True)
        ask(peer, kind, name, key, label=f"type {kind} changed, one")
