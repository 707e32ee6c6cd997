"""The variables, files and directories of the images of Apache Kafka, Confluent and Bitnami; what is refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.image.docker_image import Container, container, network, volume
from compat_tests.ports import free_port

kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")

VALUES = [b"one", b"two"]
ANY_PORT = ("--publish", "127.0.0.1::9092")


def send_and_read(bootstrap: str, topic: str = "orders") -> list[bytes]:
    """Through the addresses that the broker tells."""
    with closing(kafka.KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        for value in VALUES:
            producer.send(topic, value).get(timeout=PATIENCE_SECONDS)
    settings = {"group_id": "g", "auto_offset_reset": "earliest", "consumer_timeout_ms": PATIENCE_SECONDS * 1_000}
    with closing(kafka.KafkaConsumer(topic, bootstrap_servers=bootstrap, **settings)) as consumer:
        return [next(consumer).value for _ in VALUES]


def in_container(broker: Container, *tool: str) -> str:
    return broker.exec(*tool, "--bootstrap-server", "localhost:9092")


def describe_config(broker: Container, name: str) -> str:
    """The value of one of broker 1's settings."""
    described = in_container(broker, "kafka-configs", "--describe", "--broker", "1", "--all")
    line = next(line for line in described.splitlines() if line.startswith(f"  {name}="))
    return line.removeprefix(f"  {name}=").partition(" sensitive=")[0]


def test_without_settings_clients_on_the_host_and_in_containers_find_it(image: str) -> None:
    """Nothing is said of addresses: each client is told one that it reaches.

    The port of the host is the container's: no broker can know another one.
    """
    port = free_port()
    with network() as name:
        options = ("--network", name, "--network-alias", "broker", "--publish", f"127.0.0.1:{port}:{port}")
        with container(image, environ={"KAFKA_LISTENERS": f"PLAINTEXT://:{port}"}, options=options) as broker:
            assert send_and_read(f"localhost:{port}") == VALUES
            consume = ("--topic", "orders", "--from-beginning", "--max-messages", "2")
            tool = ("kafka-console-consumer", "--bootstrap-server", f"broker:{port}", *consume)
            with container(image, *tool, options=("--network", name), ready="") as client:
                assert client.until_ended() == 0
                assert client.logs()[0] == "one\ntwo\n"
            inside = ("kafka-broker-api-versions", "--bootstrap-server", f"localhost:{port}")
            assert broker.exec(*inside).startswith(f"127.0.0.1:{port} (id: 1 ")


def test_it_starts_as_nobody_special_says_what_is_waited_for_is_healthy_and_stops(image: str) -> None:
    lines = (
        *("Creating new log file", "Transitioning from RECOVERY to RUNNING", "[KafkaServer id=1] started"),
        "Kafka Server started",
    )
    with container(image) as broker:
        assert broker.exec("id", "-u") == "1000\n"
        broker.exec("python3", "-I", "-S", "/opt/kafkapy/lib/kafkapy/image/health.py")
        stdout, stderr = broker.logs()
        for line in lines:
            assert stdout.count(line) == 1
        assert stderr == ""
        broker.exec("sh", "-c", "sleep 0 & exit 0")
        assert "kafkapy/launch" in broker.exec("cat", "/proc/1/cmdline"), "the broker itself gets the signal to stop"
        assert broker.stop() == 0


def test_apache_kafkas_names(image: str, tmp_path: Path) -> None:
    (tmp_path / "server.properties").write_text("num.partitions=3\nnum.io.threads=5\n")
    tmp_path.chmod(0o755)
    environ = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:9092,",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES": "9223372036854775807",
        "KAFKA_HEAP_OPTS": "-Xmx1G",
        "KAFKA_NUM_IO_THREADS": "6",
        "KAFKA_CREATE_TOPICS": "orders:2:1,table:1:1:compact",
    }
    options = ("--volume", f"{tmp_path}:/mnt/shared/config:ro")
    with container(
        image, "/etc/kafka/docker/run", "KAFKA_NUM_NETWORK_THREADS=7", environ=environ, options=options
    ) as one:
        assert describe_config(one, "num.partitions") == "3"
        assert describe_config(one, "num.io.threads") == "6"
        assert describe_config(one, "num.network.threads") == "7"
        assert describe_config(one, "log.dirs") == "/var/lib/kafka/data"
        assert in_container(one, "/opt/kafka/bin/kafka-topics.sh", "--list") == "orders\ntable\n"
        assert in_container(one, "kafka-cluster", "cluster-id") == "Cluster ID: 5L6g3nShT-eMCtK--X86sw\n"


def test_confluents_names(image: str) -> None:
    """Its older manuals have `__` for `-` and `___` for `_`; an id of a cluster need not be a UUID."""
    environ = {
        "CLUSTER_ID": "kraftCluster",
        "KAFKA_BROKER_ID": "1",
        "KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://kafka:29092,CONTROLLER://kafka:29093,PLAINTEXT_HOST://0.0.0.0:9092",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:29092,PLAINTEXT_HOST://localhost:9092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@kafka:29093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE": "false",
    }
    command = ("/etc/confluent/docker/run",)
    with container(image, *command, environ=environ, options=("--hostname", "kafka")) as broker:
        assert in_container(broker, "/usr/bin/kafka-cluster", "cluster-id") == "Cluster ID: kraftCluster\n"
        assert broker.exec("cub", "kafka-ready", "-b", "kafka:29092", "1", "20") == ""


def test_bitnamis_names(image: str) -> None:
    environ = {
        "KAFKA_CFG_NODE_ID": "1",
        "KAFKA_CFG_PROCESS_ROLES": "controller,broker",
        "KAFKA_CFG_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CFG_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CFG_NUM_PARTITIONS_FILE": "/etc/hostname",
        "KAFKA_KRAFT_CLUSTER_ID": "abcdefghijklmnopqrstuv",
        "KAFKA_BROKER_ID": "-1",
        "ALLOW_PLAINTEXT_LISTENER": "yes",
    }
    command = ("/opt/bitnami/scripts/kafka/entrypoint.sh", "/opt/bitnami/scripts/kafka/run.sh")
    with volume() as data:
        options = ("--volume", f"{data}:/bitnami/kafka", "--hostname", "4", "--user", "1001")
        with container(image, *command, environ=environ, options=options) as broker:
            assert describe_config(broker, "num.partitions") == "4"
            assert describe_config(broker, "log.dirs") == "/bitnami/kafka/data"
            produce = "echo kept | kafka-console-producer.sh --bootstrap-server localhost:9092 --topic orders"
            broker.exec("sh", "-c", produce)
            assert broker.stop() == 0
        other = {**environ, "KAFKA_KRAFT_CLUSTER_ID": "bbcdefghijklmnopqrstuv"}
        with container(image, *command, environ=other, options=options) as broker:
            consume = ("--topic", "orders", "--from-beginning", "--max-messages", "1")
            tool = "/opt/bitnami/kafka/bin/kafka-console-consumer.sh"
            assert in_container(broker, tool, *consume).startswith("kept\n")
            assert "keeps its cluster id abcdefghijklmnopqrstuv" in broker.logs()[1]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"KAFKA_CLIENT_USERS": "alice,bob", "KAFKA_CLIENT_PASSWORDS": "a"}, "KAFKA_CLIENT_USERS has 2 names"),
        ({"KAFKA_TLS_TYPE": "PEM"}, "KAFKA_TLS_TYPE=PEM: cannot read"),
        ({"KAFKA_LISTENERS": "SSL://:9092"}, "ssl.keystore.location is not given"),
        ({"KAFKA_AUTHORIZER_CLASS_NAME": "com.acme.Authorizer"}, "authorizer"),
        ({"KAFKA_NUM_PARTITIONS": "many"}, "num.partitions"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(environ: dict[str, str], message: str, image: str) -> None:
    with container(image, environ=environ, ready="") as broker:
        assert broker.until_ended() == 1
        stdout, stderr = broker.logs()
        assert stdout == ""
        assert message in stderr
        assert stderr.count("\n") == 1


def test_a_directory_that_may_not_be_written_is_told_with_the_user_and_what_to_do(image: str, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o755)
    options = ("--volume", f"{directory}:/var/lib/kafka/data", "--user", "12345:12345")
    with container(image, options=options, ready="") as broker:
        assert broker.until_ended() == 1
        stderr = broker.logs()[1]
        assert stderr.count("\n") == 1
        assert "/var/lib/kafka/data" in stderr
        assert "chown" in stderr
        assert "12345" in stderr
