"""A conversation about settings, as Apache Kafka 4.4.0 holds it: what is asked, and how the answers are recorded.

    python -m tests.apis.config_scenario HOST:PORT > tests/apis/config_answers.json

records the answers of a real broker, which was formatted afresh and started with STATIC as its server.properties.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections.abc import Callable

from kafkapy_wire import codec
from kafkapy_wire.message import Message
from kafkapy_wire.messages import (
    alter_configs,
    create_topics,
    describe_configs,
    incremental_alter_configs,
    list_config_resources,
)

STATIC = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@localhost:39193",
    "listeners": "PLAINTEXT://127.0.0.1:39192,CONTROLLER://127.0.0.1:39193",
    "controller.listener.names": "CONTROLLER",
    "advertised.listeners": "PLAINTEXT://127.0.0.1:39192",
    "log.dirs": "/tmp/kraft-combined-logs",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "num.io.threads": " 2 ",
    "num.network.threads": "1",
    "log.retention.hours": "100",
    "log.cleanup.policy": "delete , compact",
    "ssl.keystore.password": "hush",
    "listener.name.plaintext.max.connections": "1000",
    "no.such.setting": "kept",
}

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3
SOME = ["cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes", "flush.ms", "segment.ms"]

Step = tuple[object, ...]


def describe(*resources: tuple[int, str, list[str] | None], synonyms: bool = True) -> Step:
    return ("describe", resources, synonyms)


def incremental(*resources: tuple[int, str, list[tuple[str, int, str | None]]], validate_only: bool = False) -> Step:
    return ("incremental", resources, validate_only)


def alter(*resources: tuple[int, str, list[tuple[str, str | None]]], validate_only: bool = False) -> Step:
    return ("alter", resources, validate_only)


def set_one(kind: int, name: str, key: str, value: str | None, operation: int = SET) -> Step:
    return incremental((kind, name, [(key, operation, value)]))


# In the order in which they are found, so that of the rest the first is named.
BEYOND_ALL_BOUNDS = [
    ("streams.rack.aware.assignment.tags", "a,a"),
    ("consumer.heartbeat.interval.ms", "1"),
    ("consumer.session.timeout.ms", "1"),
    ("consumer.assignment.interval.ms", "99999"),
    ("share.heartbeat.interval.ms", "1"),
    ("share.session.timeout.ms", "1"),
    ("share.record.lock.duration.ms", "1000"),
    ("share.delivery.count.limit", "99"),
    ("share.partition.max.record.locks", "5000"),
    ("share.assignment.interval.ms", "99999"),
    ("streams.heartbeat.interval.ms", "1"),
    ("streams.session.timeout.ms", "1"),
    ("streams.num.standby.replicas", "9"),
    ("streams.assignment.interval.ms", "99999"),
    ("streams.task.offset.interval.ms", "1"),
    ("streams.num.warmup.replicas", "21"),
    ("streams.assignor.name", "uniform"),
    ("errors.deadletterqueue.topic.name", "__secret"),
]

SCENARIO: list[Step] = [
    ("list", ()),
    ("create", "orders"),
    ("create", "empty"),
    describe((TOPIC, "orders", None)),
    describe((TOPIC, "orders", SOME), synonyms=False),
    describe((TOPIC, "orders", [])),
    describe((TOPIC, "orders", ["no.such", "retention.ms", "retention.ms"])),
    describe((BROKER, "1", None)),
    describe((BROKER, "", None)),
    describe((GROUP, "people", None)),
    describe((CLIENT_METRICS, "everything", None)),
    describe((TOPIC, "nowhere", None), (TOPIC, "", None), (TOPIC, "a b", None), (TOPIC, "..", None)),
    describe((BROKER, "2", None), (BROKER, "x", None), (BROKER, "+1", ["node.id"]), (BROKER, "-1", None)),
    describe((GROUP, "", None), (CLIENT_METRICS, "", None), (BROKER_LOGGER, "", None), (BROKER_LOGGER, "2", None)),
    describe((7, "x", None)),
    # A topic's own values
    incremental(
        (TOPIC, "orders", [("retention.ms", SET, " 5000 "), ("cleanup.policy", APPEND, "compact")]),
        (TOPIC, "nowhere", [("retention.ms", SET, "5000")]),
        (TOPIC, "empty", [("retention.ms", SET, "soon")]),
    ),
    describe((TOPIC, "orders", SOME)),
    set_one(TOPIC, "orders", "cleanup.policy", "delete", SUBTRACT),
    describe((TOPIC, "orders", ["cleanup.policy"])),
    set_one(TOPIC, "orders", "cleanup.policy", "compact", SUBTRACT),
    describe((TOPIC, "orders", ["cleanup.policy"])),
    set_one(TOPIC, "orders", "cleanup.policy", "compact,delete", APPEND),
    set_one(TOPIC, "orders", "cleanup.policy", "nonsense", APPEND),
    set_one(TOPIC, "orders", "cleanup.policy", "compact,compact"),
    set_one(TOPIC, "orders", "cleanup.policy", " compact , delete "),
    set_one(TOPIC, "orders", "cleanup.policy", "delete", SUBTRACT),
    describe((TOPIC, "orders", ["cleanup.policy"])),
    set_one(TOPIC, "orders", "cleanup.policy", ""),
    set_one(TOPIC, "orders", "cleanup.policy", ",compact", APPEND),
    describe((TOPIC, "orders", ["cleanup.policy"])),
    set_one(TOPIC, "orders", "leader.replication.throttled.replicas", "0:1", APPEND),
    set_one(TOPIC, "orders", "leader.replication.throttled.replicas", "x", APPEND),
    set_one(TOPIC, "orders", "retention.ms", "1", APPEND),
    set_one(TOPIC, "orders", "retention.ms", "1", SUBTRACT),
    set_one(TOPIC, "orders", "no.such", "1"),
    set_one(TOPIC, "orders", "no.such", "1", APPEND),
    set_one(TOPIC, "orders", "no.such", "1", SUBTRACT),
    set_one(TOPIC, "orders", "no.such", None, DELETE),
    set_one(TOPIC, "orders", "retention.ms", None),
    set_one(TOPIC, "orders", "cleanup.policy", None, APPEND),
    set_one(TOPIC, "orders", "retention.ms", "1", 9),
    set_one(TOPIC, "orders", "retention.ms", "-2"),
    set_one(TOPIC, "orders", "retention.bytes", "99999999999999999999"),
    set_one(TOPIC, "orders", "min.insync.replicas", "0"),
    set_one(TOPIC, "orders", "min.insync.replicas", "5"),
    set_one(TOPIC, "orders", "compression.type", "brotli"),
    set_one(TOPIC, "orders", "segment.bytes", "1000"),
    set_one(TOPIC, "orders", "internal.segment.bytes", "1000"),
    set_one(TOPIC, "orders", "message.timestamp.type", "never"),
    set_one(TOPIC, "orders", "remote.storage.enable", "true"),
    set_one(TOPIC, "orders", "remote.log.copy.disable", "true"),
    set_one(TOPIC, "orders", "min.compaction.lag.ms", "9223372036854775807"),
    set_one(TOPIC, "orders", "max.compaction.lag.ms", "1"),
    set_one(TOPIC, "orders", "local.retention.ms", "999999999999"),
    set_one(TOPIC, "orders", "remote.copy.lag.ms", "999999999999"),
    set_one(TOPIC, "orders", "max.decompressed.message.bytes", "0"),
    set_one(TOPIC, "orders", "max.decompressed.message.bytes", "2147483640"),
    set_one(TOPIC, "orders", "max.decompressed.message.bytes", "1"),
    set_one(TOPIC, "orders", "max.decompressed.message.bytes", None, DELETE),
    set_one(TOPIC, "orders", "errors.deadletterqueue.group.enable", "maybe"),
    set_one(TOPIC, "orders", "min.compaction.lag.ms", None, DELETE),
    incremental((TOPIC, "orders", [("min.compaction.lag.ms", SET, "10"), ("max.compaction.lag.ms", SET, "5")])),
    set_one(TOPIC, "", "retention.ms", "1"),
    set_one(TOPIC, "a b", "retention.ms", "1"),
    incremental((TOPIC, "orders", [("retention.ms", SET, "1"), ("retention.ms", SET, "2")])),
    incremental((TOPIC, "orders", [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)])),
    incremental((TOPIC, "orders", [("retention.ms", SET, "77")]), (TOPIC, "orders", [("retention.ms", SET, "78")])),
    incremental((TOPIC, "orders", [("retention.ms", SET, "99")]), validate_only=True),
    incremental((TOPIC, "orders", [])),
    incremental(),
    describe((TOPIC, "orders", SOME)),
    set_one(TOPIC, "orders", "retention.ms", None, DELETE),
    set_one(TOPIC, "orders", "flush.ms", "7", DELETE),
    describe((TOPIC, "orders", SOME)),
    # The broker's
    set_one(BROKER, "1", "node.id", "3"),
    set_one(BROKER, "1", "advertised.listeners", "PLAINTEXT://x:1"),
    incremental((BROKER, "", [("num.partitions", SET, "3"), ("log.dirs", SET, "x")])),
    set_one(BROKER, "", "listeners", "PLAINTEXT://127.0.0.1:1"),
    set_one(BROKER, "1", "ssl.keystore.password", "x"),
    set_one(BROKER, "", "listener.name.plaintext.ssl.keystore.password", "x"),
    set_one(BROKER, "1", "log.retention.ms", "soon"),
    set_one(BROKER, "1", "log.retention.ms", "0"),
    set_one(BROKER, "1", "log.segment.bytes", "1"),
    set_one(BROKER, "1", "log.cleaner.threads", "9"),
    set_one(BROKER, "1", "num.io.threads", "9"),
    set_one(BROKER, "1", "num.io.threads", "4"),
    set_one(BROKER, "1", "num.io.threads", "1"),
    set_one(BROKER, "1", "num.io.threads", "1", 9),
    set_one(BROKER, "1", "num.io.threads", "1", SUBTRACT),
    set_one(BROKER, "1", "max.connections.per.ip.overrides", "a"),
    set_one(BROKER, "1", "max.connections.per.ip.overrides", "127.0.0.1:99"),
    set_one(BROKER, "1", "no.such", "1"),
    set_one(BROKER, "1", "no.such", "1", APPEND),
    set_one(BROKER, "1", "num.io.threads", "1", APPEND),
    set_one(BROKER, "1", "retention.ms", "1"),
    set_one(BROKER, "2", "num.io.threads", "3"),
    set_one(BROKER, "x", "num.io.threads", "3"),
    set_one(BROKER, "1", "min.insync.replicas", "1"),
    set_one(BROKER, "", "min.insync.replicas", "2"),
    set_one(BROKER, "1", "log.cleanup.policy", "delete", SUBTRACT),
    set_one(BROKER, "", "log.retention.ms", "123456"),
    set_one(BROKER, "1", "log.retention.ms", "654321"),
    set_one(BROKER, "", "message.max.bytes", " 2000000 "),
    set_one(BROKER, "", "leader.replication.throttled.rate", "1000"),
    set_one(BROKER, "1", "leader.replication.throttled.rate", "-1"),
    set_one(BROKER, "", "follower.replication.throttled.rate", "x"),
    incremental((BROKER, "", [("log.roll.ms", SET, "1000"), ("no.such.either", SET, "1")]), validate_only=True),
    set_one(BROKER, "", "log.roll.ms", "7000"),
    set_one(BROKER, "", "log.roll.jitter.ms", "70"),
    set_one(BROKER, "1", "log.flush.interval.ms", "50"),
    set_one(BROKER, "1", "listener.name.plaintext.max.connections", "9"),
    set_one(BROKER, "1", "listener.name.plaintext.max.connections", "x"),
    set_one(BROKER, "1", "sasl.jaas.config", "secret"),
    set_one(BROKER, "1", "listener.name.plaintext.ssl.keystore.type", "PEM"),
    set_one(BROKER, "", "group.consumer.assignment.interval.ms", "99999"),
    set_one(BROKER, "", "max.decompressed.message.bytes", "0"),
    set_one(BROKER, "", "max.decompressed.message.bytes", "5000000"),
    set_one(BROKER, "1", "errors.deadletterqueue.topic.name.prefix", "__"),
    set_one(BROKER, "", "group.consumer.assignor.offload.enable", "false"),
    set_one(BROKER, "", "group.streams.num.warmup.replicas", "3"),
    set_one(BROKER, "", "log.local.retention.ms", "999999999999"),
    set_one(BROKER, "", "log.local.retention.ms", "-1"),
    set_one(BROKER, "", "log.local.retention.ms", "100"),
    set_one(BROKER, "", "log.remote.copy.lag.ms", "101"),
    set_one(BROKER, "", "log.remote.copy.lag.ms", "100"),
    set_one(BROKER, "1", "log.retention.ms", "50"),
    set_one(BROKER, "", "log.local.retention.bytes", "5000"),
    set_one(BROKER, "", "log.retention.bytes", "100"),
    set_one(BROKER, "", "log.remote.copy.lag.bytes", "5001"),
    incremental((BROKER, "", [("log.retention.bytes", SET, "9000"), ("log.local.retention.bytes", SET, "-1")])),
    incremental((BROKER, "", [("log.retention.bytes", SET, "9000"), ("log.remote.copy.lag.bytes", SET, "5000")])),
    set_one(BROKER, "", "unclean.leader.election.enable", "yes"),
    set_one(BROKER, "", "compression.type", "zstd"),
    describe((TOPIC, "orders", None), (TOPIC, "empty", SOME)),
    describe((BROKER, "1", None)),
    describe((BROKER, "", None)),
    describe((BROKER, "", ["message.max.bytes", "node.id"]), synonyms=False),
    set_one(BROKER, "1", "log.retention.ms", None, DELETE),
    describe((TOPIC, "empty", ["retention.ms"])),
    # Groups and client metrics
    set_one(GROUP, "people", "consumer.session.timeout.ms", "50000"),
    set_one(GROUP, "people", "consumer.session.timeout.ms", "1"),
    set_one(GROUP, "people", "consumer.session.timeout.ms", "70000"),
    set_one(GROUP, "people", "consumer.heartbeat.interval.ms", "1"),
    set_one(GROUP, "people", "consumer.heartbeat.interval.ms", "49999999"),
    set_one(GROUP, "people", "share.record.lock.duration.ms", "1000"),
    set_one(GROUP, "people", "share.record.lock.duration.ms", "70000"),
    set_one(GROUP, "people", "share.delivery.count.limit", "11"),
    set_one(GROUP, "people", "share.partition.max.record.locks", "5000"),
    set_one(GROUP, "people", "share.session.timeout.ms", "1"),
    set_one(GROUP, "people", "share.heartbeat.interval.ms", "99999"),
    set_one(GROUP, "people", "share.auto.offset.reset", "by_duration:PT1H"),
    set_one(GROUP, "people", "share.auto.offset.reset", "sometimes"),
    set_one(GROUP, "people", "streams.num.standby.replicas", "3"),
    set_one(GROUP, "people", "streams.session.timeout.ms", "1"),
    set_one(GROUP, "people", "streams.heartbeat.interval.ms", "99999"),
    set_one(GROUP, "people", "consumer.assignment.interval.ms", "99999"),
    set_one(GROUP, "people", "streams.num.warmup.replicas", "21"),
    set_one(GROUP, "people", "streams.num.warmup.replicas", "20"),
    set_one(GROUP, "people", "streams.task.offset.interval.ms", "14999"),
    set_one(GROUP, "people", "streams.acceptable.recovery.lag", "0"),
    set_one(GROUP, "people", "streams.assignor.name", "uniform"),
    set_one(GROUP, "people", "streams.assignor.name", ""),
    set_one(GROUP, "people", "streams.rack.aware.assignment.tags", "zone,zone"),
    set_one(GROUP, "people", "streams.rack.aware.assignment.tags", "zone,,rack"),
    set_one(GROUP, "people", "streams.rack.aware.assignment.tags", "zone,,zone"),
    set_one(GROUP, "people", "streams.rack.aware.assignment.tags", "zone, rack"),
    set_one(GROUP, "people", "consumer.assignor.offload.enable", "false"),
    set_one(GROUP, "people", "errors.deadletterqueue.copy.record.enable", "true"),
    set_one(GROUP, "people", "errors.deadletterqueue.topic.name", "a b"),
    set_one(GROUP, "people", "errors.deadletterqueue.topic.name", "__secret"),
    set_one(GROUP, "others", "streams.assignor.name", "sticky"),
    describe((GROUP, "others", ["streams.assignor.name", "streams.num.warmup.replicas"])),
    *(
        incremental((GROUP, "others", [(name, SET, value) for name, value in BEYOND_ALL_BOUNDS[first:]]))
        for first in range(len(BEYOND_ALL_BOUNDS))
    ),
    set_one(GROUP, "people", "no.such", "1"),
    set_one(GROUP, "people", "consumer.session.timeout.ms", "1", APPEND),
    set_one(GROUP, "people", "consumer.session.timeout.ms", "1", 9),
    set_one(GROUP, "people", "consumer.session.timeout.ms", "x"),
    set_one(GROUP, "", "consumer.session.timeout.ms", "50000"),
    describe((GROUP, "people", None)),
    set_one(CLIENT_METRICS, "everything", "interval.ms", "1000"),
    set_one(CLIENT_METRICS, "everything", "interval.ms", "99"),
    set_one(CLIENT_METRICS, "everything", "interval.ms", "3600001"),
    set_one(CLIENT_METRICS, "everything", "match", "client_id=x.*", APPEND),
    set_one(CLIENT_METRICS, "everything", "match", "colour=red"),
    set_one(CLIENT_METRICS, "everything", "match", "client_id=["),
    set_one(CLIENT_METRICS, "everything", "match", "client_id"),
    set_one(CLIENT_METRICS, "everything", "match", " client_id = a.* , client_source_port=9"),
    set_one(CLIENT_METRICS, "everything", "match", "client_id="),
    set_one(CLIENT_METRICS, "everything", "metrics", "*"),
    set_one(CLIENT_METRICS, "everything", "no.such", "1"),
    set_one(CLIENT_METRICS, "", "interval.ms", "1000"),
    describe((CLIENT_METRICS, "everything", None)),
    # Others
    set_one(7, "x", "a", "b"),
    set_one(BROKER_LOGGER, "2", "kafka", "DEBUG"),
    set_one(BROKER_LOGGER, "x", "kafka", "DEBUG"),
    set_one(BROKER_LOGGER, "1", "kafka.nowhere", "DEBUG"),
    # The old way: what is not named goes
    alter((TOPIC, "orders", [("segment.ms", "1000"), ("retention.ms", "7")]), (TOPIC, "nowhere", [])),
    describe((TOPIC, "orders", SOME)),
    alter((TOPIC, "orders", [("retention.ms", None)])),
    alter((TOPIC, "orders", [("retention.ms", "x")])),
    alter((TOPIC, "orders", [("retention.ms", "1"), ("retention.ms", "2")])),
    alter((TOPIC, "orders", []), (TOPIC, "orders", [])),
    alter((TOPIC, "orders", [("flush.ms", "9")]), validate_only=True),
    alter((TOPIC, "", [])),
    alter((7, "x", [])),
    alter((BROKER_LOGGER, "1", [("kafka", "DEBUG")])),
    alter((BROKER, "1", [("node.id", "3")])),
    alter((BROKER, "2", [])),
    alter((BROKER, "", [("compression.type", "lz4")])),
    alter((GROUP, "people", [])),
    describe((TOPIC, "orders", SOME), (BROKER, "", None), (GROUP, "people", ["consumer.session.timeout.ms"])),
    alter((TOPIC, "orders", [])),
    ("list", ()),
    ("list", (BROKER,)),
    ("list", (TOPIC, GROUP)),
    ("list", (7,)),
    ("list", (BROKER, 7)),
]


def request(step: Step) -> tuple[int, int, Message]:
    """The API key, version and request of a step."""
    kind, argument = step[0], step[1]
    match kind:
        case "create":
            topic = create_topics.CreatableTopic(name=str(argument), num_partitions=1, replication_factor=1)
            return 19, 7, create_topics.CreateTopicsRequest(topics=[topic], timeout_ms=10_000)
        case "list":
            assert isinstance(argument, tuple)
            return 74, 1, list_config_resources.ListConfigResourcesRequest(resource_types=list(argument))
    assert isinstance(argument, tuple)
    flag = bool(step[2])
    if kind == "describe":
        return (
            32,
            4,
            describe_configs.DescribeConfigsRequest(
                resources=[
                    describe_configs.DescribeConfigsResource(
                        resource_type=kind, resource_name=name, configuration_keys=keys
                    )
                    for kind, name, keys in argument
                ],
                include_synonyms=flag,
            ),
        )
    if kind == "incremental":
        return (
            44,
            1,
            incremental_alter_configs.IncrementalAlterConfigsRequest(
                resources=[
                    incremental_alter_configs.AlterConfigsResource(
                        resource_type=kind,
                        resource_name=name,
                        configs=[
                            incremental_alter_configs.AlterableConfig(name=key, config_operation=operation, value=value)
                            for key, operation, value in operations
                        ],
                    )
                    for kind, name, operations in argument
                ],
                validate_only=flag,
            ),
        )
    assert kind == "alter", kind
    return (
        33,
        2,
        alter_configs.AlterConfigsRequest(
            resources=[
                alter_configs.AlterConfigsResource(
                    resource_type=kind,
                    resource_name=name,
                    configs=[alter_configs.AlterableConfig(name=key, value=value) for key, value in values],
                )
                for kind, name, values in argument
            ],
            validate_only=flag,
        ),
    )


def noted(response: Message | None) -> object:
    """An answer as JSON: what a client may rely on, sets and maps in order of their names; None: no answer came."""
    match response:
        case None:
            return None
        case describe_configs.DescribeConfigsResponse():
            return [
                [
                    result.error_code,
                    result.error_message,
                    result.resource_type,
                    result.resource_name,
                    {
                        entry.name: [
                            entry.value,
                            entry.read_only,
                            entry.config_source,
                            entry.is_sensitive,
                            [[synonym.name, synonym.value, synonym.source] for synonym in entry.synonyms],
                            entry.config_type,
                            entry.documentation,
                        ]
                        for entry in sorted(result.configs, key=lambda entry: entry.name)
                    },
                ]
                for result in response.results
            ]
        case list_config_resources.ListConfigResourcesResponse():
            resources = [[entry.resource_type, entry.resource_name] for entry in response.config_resources]
            return [response.error_code, sorted(resources)]
        case create_topics.CreateTopicsResponse():
            return [response.topics[0].error_code, sorted(entry.name for entry in response.topics[0].configs or [])]
        case alter_configs.AlterConfigsResponse() | incremental_alter_configs.IncrementalAlterConfigsResponse():
            results = [
                [int(result.error_code), result.error_message, result.resource_type, result.resource_name]
                for result in response.responses
            ]
            return sorted(results, key=lambda result: (result[3], result[2]))
    raise AssertionError(response)


RESPONSES: dict[int, type[Message]] = {
    19: create_topics.CreateTopicsResponse,
    32: describe_configs.DescribeConfigsResponse,
    33: alter_configs.AlterConfigsResponse,
    44: incremental_alter_configs.IncrementalAlterConfigsResponse,
    74: list_config_resources.ListConfigResourcesResponse,
}


def asker(host: str, port: int) -> Callable[[Step], Message | None]:
    """Asks a broker one step, each on a connection of its own."""

    def ask(step: Step) -> Message | None:
        key, version, message = request(step)
        frame = struct.pack(">hhih", key, version, 1, 0) + b"\0" + codec.encode(message, version)
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(struct.pack(">i", len(frame)) + frame)
            stream = connection.makefile("rb")
            try:
                head = stream.read(4)
            except TimeoutError:  # Apache Kafka forgets to answer some of what it cannot read
                return None
            if len(head) < 4:
                return None
            return codec.decode(RESPONSES[key], stream.read(struct.unpack(">i", head)[0])[5:], version)

    return ask


def main() -> None:
    import time

    host, _, port = sys.argv[1].rpartition(":")
    ask = asker(host, int(port))
    answers = []
    for step in SCENARIO:
        answers.append({"asked": step, "answered": noted(ask(step))})
        time.sleep(0.3)  # a broker applies what its controller has committed a little later
    print("[\n" + ",\n".join(json.dumps(answer) for answer in answers) + "\n]")


if __name__ == "__main__":
    main()
