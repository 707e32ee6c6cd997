"""TLS and logins as the images of Apache Kafka, Confluent and Bitnami are told of them, for clients on the host."""

from __future__ import annotations

import socket
import ssl
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.image.docker_image import Container, container, network
from compat_tests.ports import free_port

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka = pytest.importorskip("kafka")

VALUES = [b"one", b"two"]
PLAIN_TOOL = """security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="a-secret";
"""


def send_and_read(bootstrap: str, topic: str, **settings: object) -> list[bytes]:
    """By kafka-python."""
    with closing(kafka.KafkaProducer(bootstrap_servers=bootstrap, **settings)) as producer:
        for value in VALUES:
            producer.send(topic, value).get(timeout=PATIENCE_SECONDS)
    reading = {"auto_offset_reset": "earliest", "consumer_timeout_ms": PATIENCE_SECONDS * 1_000, **settings}
    with closing(kafka.KafkaConsumer(topic, bootstrap_servers=bootstrap, **reading)) as consumer:
        return [next(consumer).value for _ in VALUES]


def send_and_read_by_librdkafka(bootstrap: str, topic: str, settings: dict[str, str]) -> list[bytes]:
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, **settings})
    for value in VALUES:
        producer.produce(topic, value)
    assert producer.flush(PATIENCE_SECONDS) == 0
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest", **settings}
    )
    with closing(consumer):
        consumer.subscribe([topic])
        return [message.value() for message in consumer.consume(len(VALUES), timeout=PATIENCE_SECONDS)]


def alert_without_certificate(port: int, authority: Path) -> str:
    """What a client hears that has none."""
    context = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection(("localhost", port)) as connection,
        pytest.raises(ssl.SSLError) as refused,
        context.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        secure.recv(1)
    return str(refused.value)


def test_stores_and_a_jaas_file_of_apache_kafkas_and_confluents_images(image: str, secrets: Path) -> None:
    """SASL_SSL with certificates of both sides; a client without one is refused."""
    port = free_port()
    environ = {
        "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"SASL_SSL://0.0.0.0:{port},BROKER://:19092,CONTROLLER://:29093",
        "KAFKA_ADVERTISED_LISTENERS": f"SASL_SSL://localhost:{port},BROKER://localhost:19092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,BROKER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:29093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_SASL_ENABLED_MECHANISMS": "PLAIN",
        "KAFKA_SSL_KEYSTORE_FILENAME": "server.jks",
        "KAFKA_SSL_KEYSTORE_CREDENTIALS": "password",
        "KAFKA_SSL_KEY_CREDENTIALS": "password",
        "KAFKA_SSL_TRUSTSTORE_FILENAME": "truststore.jks",
        "KAFKA_SSL_TRUSTSTORE_CREDENTIALS": "password",
        "KAFKA_LISTENER_NAME_SASL__SSL_SSL_CLIENT_AUTH": "required",  # without the listener it is for SSL alone
        "KAFKA_OPTS": "-Djava.security.auth.login.config=/etc/kafka/secrets/jaas.conf",
    }
    tls = {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(secrets / "ca.crt"),
        "ssl.certificate.location": str(secrets / "alice.crt"),
        "ssl.key.location": str(secrets / "alice.key"),
    }
    alice = {"sasl.mechanism": "PLAIN", "sasl.username": "alice", "sasl.password": "alice-secret"}
    options = ("--volume", f"{secrets}:/etc/kafka/secrets:ro", "--publish", f"127.0.0.1:{port}:{port}")
    with container(image, "/etc/confluent/docker/run", environ=environ, options=options) as broker:
        assert send_and_read_by_librdkafka(f"localhost:{port}", "orders", {**tls, **alice}) == VALUES
        broker.exec("python3", "-I", "-S", "/opt/kafkapy/lib/kafkapy/image/health.py")
        assert "handshake" not in "".join(broker.logs())
        assert "certificate required" in alert_without_certificate(port, secrets / "ca.crt").lower()
        assert "alice-secret" not in "".join(broker.logs())


def test_users_and_a_jks_store_of_bitnamis_image(image: str, secrets: Path) -> None:
    """SCRAM between brokers and to the controller's listener PLAIN; clients by SCRAM with TLS, and by PLAIN without it.

    Passwords come from a file.
    """
    port, plain_port = free_port(), free_port()
    (secrets / "passwords").write_text("a-secret;b-secret\n")
    (secrets / "alice.properties").write_text(PLAIN_TOOL)
    (secrets / "wrong.properties").write_text(PLAIN_TOOL.replace("a-secret", "b-secret"))
    environ = {
        "KAFKA_CFG_NODE_ID": "0",
        "KAFKA_CFG_PROCESS_ROLES": "controller,broker",
        "KAFKA_CFG_LISTENERS": f"SASL_SSL://:{port},PLAIN://:{plain_port},INTERNAL://:9094,CONTROLLER://:9093",
        "KAFKA_CFG_ADVERTISED_LISTENERS": f"SASL_SSL://localhost:{port},PLAIN://localhost:{plain_port},"
        "INTERNAL://localhost:9094",
        "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:SASL_PLAINTEXT,INTERNAL:SASL_PLAINTEXT,"
        "PLAIN:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        "KAFKA_CFG_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_CFG_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS": "0@localhost:9093",
        "KAFKA_CFG_SASL_MECHANISM_INTER_BROKER_PROTOCOL": "SCRAM-SHA-512",
        "KAFKA_CFG_SASL_MECHANISM_CONTROLLER_PROTOCOL": "PLAIN",
        "KAFKA_CLIENT_USERS": "alice,bob",
        "KAFKA_CLIENT_PASSWORDS_FILE": "/bitnami/kafka/config/certs/passwords",
        "KAFKA_CLIENT_LISTENER_NAME": "SASL_SSL",
        "KAFKA_INTER_BROKER_USER": "node",
        "KAFKA_INTER_BROKER_PASSWORD": "node-secret",
        "KAFKA_CONTROLLER_USER": "controller",
        "KAFKA_CONTROLLER_PASSWORD": "controller-secret",
        "KAFKA_TLS_TYPE": "JKS",
        "KAFKA_TLS_CLIENT_AUTH": "none",
        "KAFKA_CERTIFICATE_PASSWORD": "changeit",
    }
    bob = {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(secrets / "ca.crt"),
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "bob",
        "sasl_plain_password": "b-secret",
    }
    command = ("/opt/bitnami/scripts/kafka/entrypoint.sh", "/opt/bitnami/scripts/kafka/run.sh")
    publish = [word for each in (port, plain_port) for word in ("--publish", f"127.0.0.1:{each}:{each}")]
    options = ("--volume", f"{secrets}:/bitnami/kafka/config/certs:ro", *publish)
    with container(image, *command, environ=environ, options=options) as broker:
        assert send_and_read(f"localhost:{port}", "orders", **bob) == VALUES
        listed = ("--list", "--bootstrap-server", f"localhost:{plain_port}")
        config = ("--command-config", "/bitnami/kafka/config/certs/alice.properties")
        assert broker.exec("kafka-topics.sh", *listed, *config) == "orders\n"
        wrong = ("--command-config", "/bitnami/kafka/config/certs/wrong.properties")
        assert "Authentication failed" in broker.exec("kafka-topics.sh", *listed, *wrong, check=False)
        assert "b-secret" not in "".join(broker.logs())


def test_pem_certificates_of_bitnamis_image(image: str, secrets: Path) -> None:
    """Where compose files mount them, and clients that must have one, as that image demands unless it is told."""
    port = free_port()
    environ = {
        "KAFKA_CFG_NODE_ID": "1",
        "KAFKA_CFG_PROCESS_ROLES": "controller,broker",
        "KAFKA_CFG_LISTENERS": f"SSL://:{port},PLAINTEXT://:9094,CONTROLLER://:9093",
        "KAFKA_CFG_ADVERTISED_LISTENERS": f"SSL://localhost:{port},PLAINTEXT://localhost:9094",
        "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL",
        "KAFKA_CFG_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_TLS_TYPE": "PEM",
    }
    alice = {
        "security_protocol": "SSL",
        "ssl_cafile": str(secrets / "ca.crt"),
        "ssl_certfile": str(secrets / "alice.crt"),
        "ssl_keyfile": str(secrets / "alice.key"),
    }
    files = ("kafka.keystore.pem", "kafka.keystore.key", "kafka.truststore.pem")
    mounts = [("--volume", f"{secrets / file}:/opt/bitnami/kafka/config/certs/{file}:ro") for file in files]
    options = (*[word for mount in mounts for word in mount], "--publish", f"127.0.0.1:{port}:{port}")
    command = ("/opt/bitnami/scripts/kafka/entrypoint.sh", "/opt/bitnami/scripts/kafka/run.sh")
    with container(image, *command, environ=environ, options=options):
        assert send_and_read(f"localhost:{port}", "orders", **alice) == VALUES
        assert "certificate required" in alert_without_certificate(port, secrets / "ca.crt").lower()


def test_two_nodes_of_bitnamis_image_log_in_at_one_another(image: str) -> None:
    """By PLAIN at the controller, and by SCRAM at each other's listener for brokers: replicas get in sync."""
    environ = {
        "KAFKA_KRAFT_CLUSTER_ID": "abcdefghijklmnopqrstuv",
        "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "INTERNAL:SASL_PLAINTEXT,CLIENT:SASL_PLAINTEXT,"
        "CONTROLLER:SASL_PLAINTEXT",
        "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS": "0@node-0:9093",
        "KAFKA_CFG_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CFG_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_CFG_SASL_MECHANISM_INTER_BROKER_PROTOCOL": "SCRAM-SHA-512",
        "KAFKA_CFG_SASL_MECHANISM_CONTROLLER_PROTOCOL": "PLAIN",
        "KAFKA_CLIENT_USERS": "alice",
        "KAFKA_CLIENT_PASSWORDS": "a-secret",
        "KAFKA_INTER_BROKER_USER": "node",
        "KAFKA_INTER_BROKER_PASSWORD": "node-secret",
        "KAFKA_CONTROLLER_USER": "controller",
        "KAFKA_CONTROLLER_PASSWORD": "controller-secret",
    }

    def node(number: int, roles: str, listeners: str, name: str) -> AbstractContextManager[Container]:
        own = {
            "KAFKA_CFG_NODE_ID": str(number),
            "KAFKA_CFG_PROCESS_ROLES": roles,
            "KAFKA_CFG_LISTENERS": listeners,
            "KAFKA_CFG_ADVERTISED_LISTENERS": f"INTERNAL://node-{number}:9094,CLIENT://node-{number}:9092",
        }
        options = ("--network", name, "--hostname", f"node-{number}", "--network-alias", f"node-{number}")
        command = ("/opt/bitnami/scripts/kafka/entrypoint.sh", "/opt/bitnami/scripts/kafka/run.sh")
        return container(image, *command, environ={**environ, **own}, options=options)

    brokers = "INTERNAL://:9094,CLIENT://:9092"
    with (
        network() as name,
        node(0, "controller,broker", f"{brokers},CONTROLLER://:9093", name) as first,
        node(1, "broker", brokers, name) as second,
    ):
        second.exec("sh", "-c", f"echo '{PLAIN_TOOL}' > /tmp/alice.properties")
        tool = ("kafka-topics", "--bootstrap-server", "node-1:9092", "--command-config", "/tmp/alice.properties")
        second.exec(*tool, "--create", "--topic", "orders", "--replication-factor", "2")
        eventually(lambda: second.exec(*tool, "--describe", "--under-replicated-partitions") == "", "replicas in sync")
        assert "ReplicationFactor: 2" in second.exec(*tool, "--describe", "--topic", "orders")
        assert "Authentication" not in "".join((*first.logs(), *second.logs()))
