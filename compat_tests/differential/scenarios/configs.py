"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources."""

from __future__ import annotations

from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from kafkapy_wire.messages import alter_configs, incremental_alter_configs
from kafkapy_wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kafkapy_wire.messages.list_config_resources import ListConfigResourcesRequest

UNKNOWN, TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 0, 2, 4, 8, 16, 32
DYNAMIC_SOURCES = {1, 2, 3, 7, 8}  # of a topic, a broker, all brokers, client metrics, a group
SET, DELETE, APPEND, SUBTRACT = range(4)


def describe(
    kind: int, name: str, *keys: str, everything: bool = False, synonyms: bool = False, documentation: bool = False
) -> DescribeConfigsRequest:
    resource = DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=None if everything else list(keys)
    )
    return DescribeConfigsRequest(resources=[resource], include_synonyms=synonyms, include_documentation=documentation)


def incremental(
    kind: int, name: str, *changes: tuple[str, int, str | None], validate_only: bool = False
) -> incremental_alter_configs.IncrementalAlterConfigsRequest:
    configs = [
        incremental_alter_configs.AlterableConfig(name=key, config_operation=operation, value=value)
        for key, operation, value in changes
    ]
    resource = incremental_alter_configs.AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
    return incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)


def replacing(
    kind: int, name: str, *changes: tuple[str, str | None], validate_only: bool = False
) -> alter_configs.AlterConfigsRequest:
    configs = [alter_configs.AlterableConfig(name=key, value=value) for key, value in changes]
    resource = alter_configs.AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
    return alter_configs.AlterConfigsRequest(resources=[resource], validate_only=validate_only)


def settled(peer: Peer, kind: int, name: str, key: str, value: str | None) -> None:
    """Wait until a change shows: Apache Kafka's broker replays it after the controller has answered."""
    request = describe(kind, name, everything=True)

    def shows(answer: object) -> bool:
        (result,) = answer.results  # type: ignore[attr-defined]  # a DescribeConfigsResponse
        dynamic = {c.name: c.value for c in result.configs if c.config_source in DYNAMIC_SOURCES}
        return bool(dynamic.get(key) == value)

    peer.until(request, shows, f"{name} {key} = {value}")


@scenario
def topics_are_described(peer: Peer) -> None:
    peer.create_topic("configs-plain")
    peer.create_topic("configs-own", config={"retention.ms": "1234", "cleanup.policy": "compact,delete"})
    for topic in ("configs-plain", "configs-own"):
        for synonyms in (False, True):
            request = describe(TOPIC, topic, everything=True, synonyms=synonyms)
            peer.ask_versions(request, f"{topic} synonyms {synonyms}")
    peer.ask(describe(TOPIC, "configs-plain", everything=True, documentation=True), label="documentation")
    peer.ask_versions(describe(TOPIC, "configs-own", "retention.ms", "no.such", "retention.ms"), "some keys")
    peer.ask_versions(describe(TOPIC, "configs-own"), "no keys")
    peer.ask_versions(describe(TOPIC, "configs-unknown", everything=True), "unknown topic")
    peer.ask_versions(describe(TOPIC, "configs unknown", everything=True), "invalid topic")
    peer.ask_versions(describe(TOPIC, "", everything=True), "empty topic")
    peer.ask_versions(DescribeConfigsRequest(resources=[]), "nothing")


@scenario
def the_broker_is_described(peer: Peer) -> None:
    keys = (
        "node.id",
        "advertised.listeners",
        "log.retention.ms",
        "log.retention.hours",
        "log.segment.bytes",
        "num.partitions",
        "message.max.bytes",
        "min.insync.replicas",
        "auto.create.topics.enable",
        "compression.type",
        "offsets.topic.num.partitions",
        "group.initial.rebalance.delay.ms",
        "ssl.keystore.password",
        "log.cleanup.policy",
        "listener.security.protocol.map",
        "no.such.setting",
    )
    for synonyms in (False, True):
        peer.ask_versions(describe(BROKER, "1", *keys, synonyms=synonyms), f"some keys synonyms {synonyms}")
    for name in ("", "2", "-1", "x", "1 "):
        peer.ask_versions(describe(BROKER, name, "num.partitions"), f"broker {name!r}")


@scenario
def every_broker_setting(peer: Peer) -> None:
    """Names, types, defaults and sources of all settings; what each broker was told to be is in the table."""
    peer.ask(describe(BROKER, "1", everything=True, synonyms=True))
    peer.ask(describe(BROKER, "", everything=True, synonyms=True), label="cluster default")


@scenario
def setting_documentation(peer: Peer) -> None:
    peer.ask(describe(BROKER, "1", "num.partitions", "log.retention.ms", documentation=True))


@scenario
def other_resources(peer: Peer) -> None:
    for kind in (UNKNOWN, 1, 3, 64, -1):
        peer.ask_versions(describe(kind, "1", everything=True), f"type {kind}")
    peer.ask_versions(describe(GROUP, "configs-group", everything=True, synonyms=True), "group")
    peer.ask_versions(describe(GROUP, "", everything=True), "empty group")
    peer.ask_versions(describe(CLIENT_METRICS, "configs-metrics", everything=True), "client metrics")
    peer.ask_versions(describe(CLIENT_METRICS, "", everything=True), "empty client metrics")
    peer.ask(describe(BROKER_LOGGER, "2", everything=True), label="another broker's loggers")


@scenario
def topics_are_changed(peer: Peer) -> None:
    peer.create_topic("configs-changed")
    for version in (0, 1):
        changes: list[tuple[str, int, str | None]] = [
            ("retention.ms", SET, str(1_000 + version)),
            ("cleanup.policy", APPEND, "compact"),
        ]
        peer.ask(incremental(TOPIC, "configs-changed", *changes), version, "set and append")
        settled(peer, TOPIC, "configs-changed", "retention.ms", str(1_000 + version))
        peer.ask(describe(TOPIC, "configs-changed", "retention.ms", "cleanup.policy", synonyms=True))
        changes = [("retention.ms", DELETE, None), ("cleanup.policy", SUBTRACT, "delete")]
        peer.ask(incremental(TOPIC, "configs-changed", *changes), version, "delete and subtract")
        settled(peer, TOPIC, "configs-changed", "retention.ms", None)
        peer.ask(describe(TOPIC, "configs-changed", "retention.ms", "cleanup.policy", synonyms=True))
    peer.ask(incremental(TOPIC, "configs-changed", ("cleanup.policy", APPEND, "compact")), label="append what is there")
    peer.ask(incremental(TOPIC, "configs-changed", ("cleanup.policy", SUBTRACT, "x")), label="subtract what is not")
    peer.ask(incremental(TOPIC, "configs-changed", ("flush.ms", DELETE, None)), label="delete what is not set")
    only = incremental(TOPIC, "configs-changed", ("flush.ms", SET, "77"), validate_only=True)
    peer.ask_versions(only, "validate only")
    peer.ask(describe(TOPIC, "configs-changed", "flush.ms", "cleanup.policy"))


@scenario
def settings_are_replaced(peer: Peer) -> None:
    """AlterConfigs: what is not named goes back to its default."""
    peer.create_topic("configs-replaced", config={"flush.ms": "5"})
    for version in range(3):
        value = str(2_000 + version)
        peer.ask(replacing(TOPIC, "configs-replaced", ("retention.ms", value)), version, "replace")
        settled(peer, TOPIC, "configs-replaced", "retention.ms", value)
        peer.ask(describe(TOPIC, "configs-replaced", "retention.ms", "flush.ms"), label=f"replaced by v{version}")
    cases = {
        "unknown setting": replacing(TOPIC, "configs-replaced", ("no.such.setting", "1")),
        "invalid value": replacing(TOPIC, "configs-replaced", ("retention.ms", "soon")),
        "null value": replacing(TOPIC, "configs-replaced", ("retention.ms", None)),
        "twice": replacing(TOPIC, "configs-replaced", ("retention.ms", "1"), ("retention.ms", "2")),
        "validate only": replacing(TOPIC, "configs-replaced", ("retention.ms", "1"), validate_only=True),
        "unknown topic": replacing(TOPIC, "configs-replaced-not", ("retention.ms", "1")),
        "broker": replacing(BROKER, "7", ("log.retention.ms", "1")),
        "type 0": replacing(UNKNOWN, "x", ("retention.ms", "1")),
        "type 99": replacing(99, "x", ("retention.ms", "1")),
    }
    for label, request in cases.items():
        peer.ask_versions(request, label)
    peer.ask(describe(TOPIC, "configs-replaced", "retention.ms", "flush.ms"), label="at last")


@scenario
def bad_changes(peer: Peer) -> None:
    peer.create_topic("configs-bad")
    cases = {
        "unknown setting": ("no.such.setting", SET, "1"),
        "invalid value": ("retention.ms", SET, "soon"),
        "out of range": ("retention.ms", SET, "-2"),
        "empty value": ("retention.ms", SET, ""),
        "null value": ("retention.ms", SET, None),
        "append to what is no list": ("retention.ms", APPEND, "1"),
        "subtract from what is no list": ("retention.ms", SUBTRACT, "1"),
        "append null": ("cleanup.policy", APPEND, None),
        "invalid list member": ("cleanup.policy", APPEND, "shred"),
        "empty list": ("cleanup.policy", SUBTRACT, "delete"),
        "empty name": ("", SET, "1"),
        "broker setting": ("log.retention.ms", SET, "1"),
    }
    for label, change in cases.items():
        peer.ask_versions(incremental(TOPIC, "configs-bad", change), label)
    # Once only: Apache Kafka's controller takes this for a fault of its own and needs two seconds to come back.
    peer.ask(incremental(TOPIC, "configs-bad", ("retention.ms", 9, "1")), label="unknown operation")
    twice = incremental(TOPIC, "configs-bad", ("retention.ms", SET, "1"), ("retention.ms", SET, "2"))
    peer.ask_versions(twice, "setting twice")
    again = incremental(TOPIC, "configs-bad", ("retention.ms", SET, "1"))
    again.resources.append(again.resources[0])
    peer.ask_versions(again, "resource twice")
    peer.ask_versions(incremental(TOPIC, "configs-bad"), "no changes")
    peer.ask_versions(incremental(TOPIC, "configs-bad-unknown", ("retention.ms", SET, "1")), "unknown topic")
    peer.ask_versions(incremental(TOPIC, "configs bad", ("retention.ms", SET, "1")), "invalid topic")
    peer.ask_versions(incremental(TOPIC, "", ("retention.ms", SET, "1")), "empty topic")
    peer.ask_versions(incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[]), "nothing")
    for kind in (UNKNOWN, 1, 99, -1):
        peer.ask_versions(incremental(kind, "x", ("retention.ms", SET, "1")), f"type {kind}")
    one_good = incremental(TOPIC, "configs-bad", ("retention.ms", SET, "soon"))
    one_good.resources += incremental(TOPIC, "configs-bad-unknown", ("retention.ms", SET, "1")).resources
    peer.ask_versions(one_good, "two resources")
    peer.ask(describe(TOPIC, "configs-bad", "retention.ms", "cleanup.policy"))


@scenario
def the_broker_is_changed(peer: Peer) -> None:
    for name in ("1", ""):
        label = f"broker {name!r}"
        peer.ask_versions(incremental(BROKER, name, ("log.flush.interval.ms", SET, "12345")), label)
        settled(peer, BROKER, name, "log.flush.interval.ms", "12345")
        peer.ask(describe(BROKER, "1", "log.flush.interval.ms", synonyms=True), label=label)
        peer.create_topic(f"configs-broker-{len(name)}")
        peer.ask(describe(TOPIC, f"configs-broker-{len(name)}", "flush.ms", synonyms=True), label=label)
        peer.ask_versions(incremental(BROKER, name, ("log.flush.interval.ms", DELETE, None)), f"{label} again")
        settled(peer, BROKER, name, "log.flush.interval.ms", None)
        for key, value in (
            ("node.id", "7"),
            ("log.dirs", "/x"),
            ("no.such.setting", "1"),
            ("message.max.bytes", "many"),
            ("num.partitions", "7"),
            ("log.cleaner.threads", "0"),
        ):
            peer.ask_versions(incremental(BROKER, name, (key, SET, value)), f"{label} {key}")
    for name in ("2", "x", "-1"):
        peer.ask_versions(incremental(BROKER, name, ("log.flush.interval.ms", SET, "1")), f"broker {name!r}")
    # Without threads kafkapy would compact nothing for the scenarios that come.
    for name in ("", "1"):
        for key in ("no.such.setting", "log.cleaner.threads"):
            peer.quietly(incremental(BROKER, name, (key, DELETE, None)))


@scenario
def groups_and_metrics_are_changed(peer: Peer) -> None:
    change = ("consumer.session.timeout.ms", SET, "50000")
    peer.ask_versions(incremental(GROUP, "configs-a-group", change), "group")
    settled(peer, GROUP, "configs-a-group", "consumer.session.timeout.ms", "50000")
    peer.ask(describe(GROUP, "configs-a-group", everything=True, synonyms=True), label="group")
    peer.ask_versions(incremental(GROUP, "configs-a-group", ("no.such", SET, "1")), "group, unknown setting")
    peer.ask_versions(
        incremental(GROUP, "configs-a-group", ("consumer.session.timeout.ms", SET, "1")), "group, too low"
    )
    peer.ask_versions(incremental(GROUP, "", change), "empty group")
    peer.ask_versions(incremental(CLIENT_METRICS, "configs-metrics", ("interval.ms", SET, "1000")), "metrics")
    settled(peer, CLIENT_METRICS, "configs-metrics", "interval.ms", "1000")
    peer.ask(describe(CLIENT_METRICS, "configs-metrics", everything=True, synonyms=True), label="metrics")
    peer.ask_versions(incremental(CLIENT_METRICS, "configs-metrics", ("no.such", SET, "1")), "metrics, unknown setting")
    peer.ask_versions(incremental(CLIENT_METRICS, "", ("interval.ms", SET, "1000")), "empty metrics")
    listed = ListConfigResourcesRequest(resource_types=[GROUP, CLIENT_METRICS])
    peer.ask(listed, label="changed")
    peer.ask(ListConfigResourcesRequest(), 0, "changed")
    peer.ask(incremental(GROUP, "configs-a-group", ("consumer.session.timeout.ms", DELETE, None)), label="group back")
    peer.ask(incremental(CLIENT_METRICS, "configs-metrics", ("interval.ms", DELETE, None)), label="metrics back")
    settled(peer, CLIENT_METRICS, "configs-metrics", "interval.ms", None)
    peer.ask(listed, label="changed back")


@scenario
def resources_are_listed(peer: Peer) -> None:
    peer.create_topic("configs-listed")
    for kinds in ([BROKER], [BROKER_LOGGER], [BROKER, BROKER_LOGGER, BROKER], [UNKNOWN], [99], [-1], [TOPIC, 99]):
        peer.ask_versions(ListConfigResourcesRequest(resource_types=kinds), f"types {kinds}")
    for kinds in ([], [TOPIC]):
        answer = peer.quietly(ListConfigResourcesRequest(resource_types=kinds))
        answer.config_resources = [
            one for one in answer.config_resources if one.resource_name in {"1", "configs-listed"}
        ]
        peer.note(f"ListConfigResources types {kinds}", peer.normaliser.plain(answer, 1))
