"""Kafka's tools for client metrics, loggers, groups' settings, features, transactions and directories, in one JVM."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from compat_tests.apache_kafka import CONFIGS, JavaTools
from compat_tests.deadlines import eventually
from kafkapy.testing import ClientMetricsPush, Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
pytestmark = pytest.mark.usefixtures("java")

CLIENT_METRICS = "org.apache.kafka.tools.ClientMetricsCommand"
FEATURES = "org.apache.kafka.tools.FeatureCommand"
GROUPS = "org.apache.kafka.tools.GroupsCommand"
LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"
SETTINGS = {"metric.reporters": "kafkapy.ClientTelemetryReceiver"}
ID = "of-tools"


class Tools:
    """Tools that are run against one Kafka."""

    def __init__(self, jvm: JavaTools, kafka: Kafka) -> None:
        self._jvm = jvm
        self.kafka = kafka

    def __call__(self, main_class: str, *arguments: str, exit_code: int = 0) -> str:
        """What the tool has printed."""
        code, printed = self._jvm.run(main_class, "--bootstrap-server", self.kafka.bootstrap_servers, *arguments)
        assert code == exit_code, printed
        return printed


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    with Kafka(settings=SETTINGS, topics={"t": 2}) as kafka, JavaTools() as jvm:
        yield Tools(jvm, kafka)
        assert kafka.take_bugs() == []


def test_a_java_producer_pushes_what_kafka_client_metrics_asks_for(tools: Tools) -> None:
    pytest.importorskip("opentelemetry.proto.metrics.v1.metrics_pb2")
    options = ("--name", ID, "--metrics", "org.apache.kafka.producer.", "--interval", "100")
    assert f"Altered client metrics config for {ID}." in tools(CLIENT_METRICS, "--alter", *options)
    assert tools(CLIENT_METRICS, "--list").split() == [ID]
    described = tools(CLIENT_METRICS, "--describe", "--name", ID)
    assert re.findall(r"^ +(\S+)$", described, re.MULTILINE) == [
        *("interval.ms=100", "match=", "metrics=org.apache.kafka.producer.")
    ]
    entity = ("--entity-type", "client-metrics", "--entity-name", ID)
    assert "interval.ms=100 sensitive=false" in tools(CONFIGS, "--describe", *entity)
    load = ("--num-records", "20", "--record-size", "10", "--throughput", "40")

    def pushed_by_a_producer() -> list[ClientMetricsPush]:
        """A push takes a random part of the interval, and a producer half a second: on a busy machine that is short."""
        tools(PERFORMANCE, "--topic", "t", *load, "--command-property", "client.id=java-client")
        return tools.kafka.client_metrics.pushed("java-client")

    push = eventually(pushed_by_a_producer, "a producer has pushed its metrics")[0]
    assert push.software == "apache-kafka-java 4.4.0"
    assert not push.is_malformed
    assert push.values("org.apache.kafka.producer.connection.count") == [pytest.approx(2, abs=2)]
    assert {metric.name.startswith("org.apache.kafka.producer.") for metric in push.metrics} == {True}
    assert f"Deleted client metrics config for {ID}." in tools(CLIENT_METRICS, "--delete", "--name", ID)
    assert tools(CLIENT_METRICS, "--list").split() == []


def test_kafka_configs_changes_levels_of_loggers_and_settings_of_groups(tools: Tools) -> None:
    loggers = ("--entity-type", "broker-loggers", "--entity-name", "1")
    assert "Completed updating config for broker-logger 1." in tools(
        CONFIGS, "--alter", *loggers, "--add-config", "kafkapy.groups=DEBUG,kafkapy.disk=ERROR"
    )
    described = tools(CONFIGS, "--describe", *loggers)
    assert re.findall(r"^ +(kafkapy\.(?:disk|groups)=\S+)", described, re.MULTILINE) == [
        *("kafkapy.disk=ERROR", "kafkapy.groups=DEBUG")
    ]
    assert "root=" in described
    tools(CONFIGS, "--alter", *loggers, "--add-config", "kafkapy.no=DEBUG", exit_code=1)
    tools(CONFIGS, "--alter", *loggers, "--delete-config", "kafkapy.groups,kafkapy.disk")
    group = ("--entity-type", "groups", "--entity-name", ID)
    tools(CONFIGS, "--alter", *group, "--add-config", "consumer.session.timeout.ms=50000")
    assert "consumer.session.timeout.ms=50000" in tools(CONFIGS, "--describe", "--entity-type", "groups")


def test_transactions_are_listed_described_and_aborted(tools: Tools) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": tools.kafka.bootstrap_servers, "transactional.id": ID})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce("t", b"x", partition=1)
    producer.flush()
    (start,) = (record.offset for record in tools.kafka.records("t", partition=1, isolation="read_uncommitted")[-1:])
    for filters in ((), ("--transactional-id-pattern", "of-.*"), ("--duration-filter", "0")):
        name, coordinator, _, state = tools(TRANSACTIONS, "list", *filters).split()[4:8]
        assert (name, coordinator, state) == (ID, "1", "Ongoing")
    assert ID not in tools(TRANSACTIONS, "list", "--duration-filter", "3600000")
    described = tools(TRANSACTIONS, "describe", "--transactional-id", ID)
    coordinator, name, _, epoch, state, timeout_ms, *_, partitions = described.split()[9:]
    assert (coordinator, name, epoch, state, timeout_ms, partitions) == ("1", ID, "0", "Ongoing", "60000", "t-1")
    partition = ("--topic", "t", "--partition", "1")
    assert tools(TRANSACTIONS, "describe-producers", *partition).split()[-1] == str(start)
    assert tools(TRANSACTIONS, "find-hanging", "--broker-id", "1").count("\n") == 1, "its head alone"
    tools(TRANSACTIONS, "abort", *partition, "--start-offset", str(start))
    assert tools(TRANSACTIONS, "describe-producers", *partition).split()[-1] == "None"


def test_groups_features_and_directories_are_shown(tools: Tools) -> None:
    tools.kafka.commit_offsets("shown", {("t", 0): 0})
    assert tools(GROUPS, "--list").split()[3:] == ["shown", "Classic"]
    assert tools(GROUPS, "--list", "--group-type", "share").split()[3:] == []
    features = re.findall(r"Feature: (\S+).*FinalizedVersionLevel: (\S+)", tools(FEATURES, "describe"))
    assert {("metadata.version", "4.4-IV2"), ("share.version", "2"), ("transaction.version", "2")} <= set(features)
    directories = tools(LOG_DIRS, "--describe", "--topic-list", "t")
    assert sorted(re.findall(r'"partition":"(t-\d)"', directories)) == ["t-0", "t-1"]
