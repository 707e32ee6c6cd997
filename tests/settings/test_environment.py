"""The variables of images, of applications and of Kubernetes: what is meant for the broker, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kafkapy.node import Node
from kafkapy.settings import Settings, SettingsError
from kafkapy.settings.environment import setting_name, variable_of
from kafkapy.settings.given import GivenTopic
from kafkapy.settings.sources import gather
from kafkapy.settings.support import lines_about
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import connect, running_node, trio_test

# Of images, scripts and applications; none of them is a setting.
OTHERS = """
    KAFKA_HEAP_OPTS KAFKA_OPTS KAFKA_JMX_PORT KAFKA_JMX_OPTS KAFKA_LOG4J_ROOT_LOGLEVEL KAFKA_LOG4J_LOGGERS
    KAFKA_TOOLS_LOG4J_LOGLEVEL KAFKA_VERSION KAFKA_HOME KAFKA_GC_LOG_OPTS KAFKA_JVM_PERFORMANCE_OPTS
    KAFKA_CLIENT_USERS KAFKA_CLIENT_PASSWORDS KAFKA_CLIENT_PASSWORDS_FILE KAFKA_INTER_BROKER_USER
    KAFKA_INTER_BROKER_PASSWORD_FILE KAFKA_CONTROLLER_USER KAFKA_CLIENT_LISTENER_NAME KAFKA_TLS_TYPE
    KAFKA_TLS_CLIENT_AUTH KAFKA_CERTIFICATE_PASSWORD KAFKA_SSL_KEYSTORE_FILENAME KAFKA_SSL_KEY_CREDENTIALS
    KAFKA_ENABLE_KRAFT KAFKA_BOOTSTRAP_SERVERS KAFKA_BOOTSTRAP_SERVER KAFKA_BROKERS KAFKA_BROKER KAFKA_BROKER_URL
    KAFKA_TOPIC KAFKA_TOPICS KAFKA_TOPIC_NAME KAFKA_TOPIC_ORDERS KAFKA_GROUP_ID KAFKA_CONSUMER_GROUP KAFKA_CLIENT_ID
    KAFKA_USERNAME KAFKA_PASSWORD KAFKA_SASL_MECHANISM KAFKA_SASL_USERNAME KAFKA_SECURITY_PROTOCOL KAFKA_URL
    KAFKA_CONSUMER_MAX_POLL_RECORDS KAFKA_PRODUCER_ACKS KAFKA_SCHEMA_REGISTRY_URL KAFKA_CONNECT_URL KAFKA_REST_URL
    KAFKA_SERVICE_HOST KAFKA_SERVICE_PORT KAFKA_SERVICE_PORT_CLIENT KAFKA_PORT KAFKA_PORT_9092_TCP
    KAFKA_PORT_9092_TCP_ADDR KAFKA_PORT_9092_TCP_PORT KAFKA_PORT_9092_TCP_PROTO KAFKA_BROKER_SERVICE_HOST
    KAFKA_UI_PORT_8080_TCP_ADDR KAFKA_HEADLESS_SERVICE_PORT_TCP_CLIENT KAFKA_NAME KAFKA_ENV_JAVA_HOME
    KAFKA_ KAFKAESQUE PATH ALLOW_PLAINTEXT_LISTENER
"""


@pytest.mark.parametrize("variable", OTHERS.split())
def test_variables_of_others_are_no_reason_for_a_warning(variable: str) -> None:
    given = gather(environ={variable: "tcp://10.0.0.1:9092"})
    assert given == {}
    assert given.warnings == []


@pytest.mark.parametrize("variable", ["KAFKA_NUM_PARTITION", "KAFKA_CFG_TOPIC_DEFAULT", "KAFKA_LOG_RETENTION_HOUR"])
def test_a_variable_that_is_meant_for_the_broker_and_unknown_is_told(variable: str) -> None:
    (line,) = gather(environ={variable: "3"}).warnings
    assert f"given by {variable}" in line


def test_known_settings_win_over_names_that_applications_use() -> None:
    given = gather(environ={"KAFKA_CLIENT_QUOTA_CALLBACK_CLASS": "", "KAFKA_GROUP_MAX_SIZE": "3"})
    assert given == {"client.quota.callback.class": "", "group.max.size": "3"}


# -- CLUSTER_ID

ID, OTHER_ID = "5L6g3nShT-eMCtK--X86sw", "kraftCluster"  # the image's own, and one that is no UUID


@pytest.mark.parametrize("variable", ["CLUSTER_ID", "KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"])
def test_the_cluster_id_is_taken_from_the_images_variables(variable: str) -> None:
    given = gather(environ={variable: f" {ID} "})
    assert given.cluster_id == ID
    assert given == {}
    assert gather(environ={variable: ""}).cluster_id is None


async def cluster_id_of(node: Node) -> str | None:
    async with connect(node) as client:
        return (await client.ask(MetadataRequest(topics=[]), MetadataResponse)).cluster_id


def node_at(directory: Path, *, cluster_id: str | None = None, topics: list[GivenTopic] | None = None) -> Node:
    settings = Settings({"listeners": "PLAINTEXT://127.0.0.1:0"})
    return Node(settings, directory, durable=False, cluster_id=cluster_id, topics=topics or [])


@trio_test
async def test_a_new_directory_gets_the_cluster_id_and_keeps_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with node_at(tmp_path, cluster_id=OTHER_ID).started() as node:
        assert await cluster_id_of(node) == OTHER_ID
    async with node_at(tmp_path).started() as node:
        assert await cluster_id_of(node) == OTHER_ID
    assert not caplog.records
    async with node_at(tmp_path, cluster_id=ID).started() as node:
        assert await cluster_id_of(node) == OTHER_ID
    (record,) = caplog.records
    assert f"keeps its cluster id {OTHER_ID}, although {ID} is asked for" in record.getMessage()


# -- KAFKA_CREATE_TOPICS


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("orders:3:1", [GivenTopic("orders", 3, 1, {})]),
        (
            " a:1:1 , b:2:1:compact,",
            [GivenTopic("a", 1, 1, {}), GivenTopic("b", 2, 1, {"cleanup.policy": "compact"})],
        ),
        ("a,b::", [GivenTopic("a", -1, -1, {}), GivenTopic("b", -1, -1, {})]),
        ("", []),
    ],
)
def test_topics_to_create_are_read_as_the_images_read_them(text: str, topics: list[GivenTopic]) -> None:
    assert gather(environ={"KAFKA_CREATE_TOPICS": text}).topics == topics


def test_topics_to_create_may_be_separated_by_something_else() -> None:
    for separator, text in (("\n", "a:1:1\nb:2:1\n"), ("$'\\n'", "a:1:1\nb:2:1"), (";", "a:1:1;b:2:1")):
        environ = {"KAFKA_CREATE_TOPICS": text, "KAFKA_CREATE_TOPICS_SEPARATOR": separator}
        assert [topic.name for topic in gather(environ=environ).topics] == ["a", "b"]


@pytest.mark.parametrize("text", ["a:x:1", "a:1:0", ":1:1", "a:1:1:compact:more", f"a:{'9' * 5_000}:1"])
def test_what_is_no_topic_to_create_is_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match=r"KAFKA_CREATE_TOPICS: .* is not a topic; write name:partitions:replicas"):
        gather(environ={"KAFKA_CREATE_TOPICS": text})


@trio_test
async def test_topics_are_there_before_anybody_connects(tmp_path: Path) -> None:
    topics = gather(environ={"KAFKA_CREATE_TOPICS": "orders:3:1,table:1:1:compact,plain"}).topics
    for _ in range(2):  # the second time they are there already
        async with node_at(tmp_path, topics=topics).started() as node, connect(node) as client:
            answer = await client.ask(MetadataRequest(topics=None), MetadataResponse)
            assert {topic.name: len(topic.partitions) for topic in answer.topics} == {
                "orders": 3,
                "table": 1,
                "plain": 1,
            }
            assert node.broker.partitions.leader("table", 0).settings.cleanup_policy == ("compact",)


@trio_test
async def test_a_topic_that_cannot_be_made_ends_the_start(tmp_path: Path) -> None:
    for topic, told in (
        (GivenTopic("orders", 1, 3, {}), "orders: .*replication factor of 3 cannot be reached"),
        (GivenTopic("a/b", 1, 1, {}), "a/b: "),
        (GivenTopic("orders", 1, 1, {"cleanup.policy": "sometimes"}), "orders: Invalid value sometimes"),
    ):
        with pytest.raises(Exception, match=f"cannot create a topic of KAFKA_CREATE_TOPICS: {told}"):
            async with node_at(tmp_path / topic.name.replace("/", "-"), topics=[topic]).started():
                await trio.lowlevel.checkpoint()


# -- before there were listeners


@pytest.mark.parametrize(
    ("environ", "listeners", "advertised"),
    [
        ({"KAFKA_ADVERTISED_HOST_NAME": "kafka"}, "PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://kafka:9092"),
        (
            {"KAFKA_ADVERTISED_HOST_NAME": "10.0.0.1", "KAFKA_ADVERTISED_PORT": "19092", "KAFKA_PORT": "9092"},
            "PLAINTEXT://0.0.0.0:9092",
            "PLAINTEXT://10.0.0.1:19092",
        ),
        ({"KAFKA_ADVERTISED_PORT": "7"}, "PLAINTEXT://0.0.0.0:7", "PLAINTEXT://localhost:7"),
        (
            {"KAFKA_ADVERTISED_HOST_NAME": "::1", "KAFKA_PORT": "tcp://10.0.0.1:9092"},
            "PLAINTEXT://0.0.0.0:9092",
            "PLAINTEXT://[::1]:9092",
        ),
    ],
)
def test_an_advertised_host_and_port_are_a_listener(environ: dict[str, str], listeners: str, advertised: str) -> None:
    given = gather(environ=environ)
    assert given == {"listeners": listeners, "advertised.listeners": advertised}
    Settings.parse(given)


def test_listeners_win_over_the_advertised_host_of_old() -> None:
    environ = {"KAFKA_ADVERTISED_HOST_NAME": "kafka", "KAFKA_LISTENERS": "PLAINTEXT://:1"}
    assert gather(environ=environ) == {"listeners": "PLAINTEXT://:1"}


def test_an_advertised_port_that_is_none_is_one_line() -> None:
    with pytest.raises(SettingsError, match="KAFKA_ADVERTISED_PORT=x is not a port"):
        gather(environ={"KAFKA_ADVERTISED_PORT": "x"})


# -- as people have them

KAFKA_4_SERVER_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""
KAFKA_3_SERVER_PROPERTIES = """
broker.id=0
num.network.threads=3
num.io.threads=8
log.dirs=/tmp/kafka-logs
num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
zookeeper.connect=localhost:2181
zookeeper.connection.timeout.ms=18000
group.initial.rebalance.delay.ms=0
inter.broker.protocol.version=3.6
log.message.format.version=3.0
"""
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "apache/kafka": {
        "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093,EXTERNAL://0.0.0.0:29092",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://broker:9092,EXTERNAL://localhost:29092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@broker:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_LOG_DIRS": "/tmp/kraft-combined-logs",
        "KAFKA_NUM_PARTITIONS": "3",
    },
    "cp-kafka": {
        "CLUSTER_ID": "MkU3OEVBNTcwNTJENDM2Qk",
        "KAFKA_NODE_ID": "1",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_JMX_PORT": "9101",
        "KAFKA_JMX_HOSTNAME": "localhost",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@broker:29093",
        "KAFKA_LISTENERS": "PLAINTEXT://broker:29092,CONTROLLER://broker:29093,PLAINTEXT_HOST://0.0.0.0:9092",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LOG_DIRS": "/tmp/kraft-combined-logs",
        "KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE": "false",
        "KAFKA_CONFLUENT_LICENSE_TOPIC_REPLICATION_FACTOR": "1",
    },
    "cp-kafka with ZooKeeper": {
        "KAFKA_BROKER_ID": "1",
        "KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_LOG4J_LOGGERS": "kafka.controller=INFO",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "true",
    },
    "bitnami": {
        "KAFKA_CFG_NODE_ID": "0",
        "KAFKA_CFG_PROCESS_ROLES": "controller,broker",
        "KAFKA_CFG_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS": "0@kafka:9093",
        "KAFKA_CFG_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_KRAFT_CLUSTER_ID": "abcdefghijklmnopqrstuv",
        "KAFKA_CLIENT_USERS": "user",
        "KAFKA_CLIENT_PASSWORDS": "password",
        "ALLOW_PLAINTEXT_LISTENER": "yes",
        "BITNAMI_DEBUG": "true",
    },
    "testcontainers": {
        "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:32768,BROKER://8f3a1c:9093,",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_NODE_ID": "1",
        "KAFKA_BROKER_ID": "1",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES": "9223372036854775807",
        "KAFKA_ZOOKEEPER_CONNECT": "localhost:2181",
    },
    "wurstmeister": {
        "KAFKA_ADVERTISED_HOST_NAME": "localhost",
        "KAFKA_ADVERTISED_PORT": "9092",
        "KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181",
        "KAFKA_CREATE_TOPICS": "orders:1:1,table:1:1:compact",
    },
}


@pytest.mark.parametrize("image", ENVIRONMENTS)
def test_the_variables_of_an_image_are_all_understood(image: str) -> None:
    given = gather(environ=ENVIRONMENTS[image])
    settings = Settings.parse(given)
    assert given.warnings == []
    assert lines_about(given, [listener.name for listener in settings.listeners]) == []


@pytest.mark.parametrize("text", [KAFKA_4_SERVER_PROPERTIES, KAFKA_3_SERVER_PROPERTIES], ids=["4.x", "3.x"])
def test_kafkas_own_server_properties_are_all_understood(text: str, tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text(text)
    given = gather(file)
    settings = Settings.parse(given)
    assert given.warnings == []
    assert lines_about(given, [listener.name for listener in settings.listeners]) == []


@trio_test
async def test_a_node_starts_with_an_images_variables(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = gather(environ=ENVIRONMENTS["apache/kafka"])
    ports = {"listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://:9093,EXTERNAL://127.0.0.1:0"}
    advertised = {"advertised.listeners": "PLAINTEXT://127.0.0.1:0,EXTERNAL://localhost:0"}
    async with running_node(tmp_path, {**given, **ports, **advertised}) as node, connect(node) as client:
        await client.create_topic("orders", partitions=-1)
        assert len(node.broker.metadata.image.topics["orders"].partitions) == 3
    assert not caplog.records


@pytest.mark.parametrize(
    "name",
    ["num.partitions", "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config", "log.cleaner.min.cleanable.ratio"],
)
def test_the_variable_of_a_setting_is_read_as_that_setting(name: str) -> None:
    assert setting_name(variable_of(name).removeprefix("KAFKA_"), lambda _: False) == name
