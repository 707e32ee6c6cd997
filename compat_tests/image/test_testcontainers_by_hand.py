"""The Kafka modules of testcontainers for Rust and .NET, step by step with the docker command.

Neither is run here: Rust's takes long to compile (`python -m compat_tests.image.rust_modules` runs it), .NET's needs an
SDK that CI has not. Entry points, commands, variables, scripts and the lines that are waited for are those of
testcontainers-modules 0.15.0 on testcontainers 0.27.3 (Rust), and of the source of Testcontainers.Kafka 4.16 (.NET).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_tests.image.docker_image import Container, container, network
from compat_tests.image.librdkafka import VALUES, addresses_told, send_and_read

CREATED = "Creating new log file"
RUNNING = "Transitioning from RECOVERY to RUNNING"
STARTED = "[KafkaServer id=1] started"
SERVER_STARTED = "Kafka Server started"
BALANCING = "Checking need to trigger auto leader balancing"


def published(*ports: int) -> list[str]:
    return [word for port in ports for word in ("--publish", f"127.0.0.1::{port}")]


def check_clients(bootstrap: str) -> None:
    """Clients on the host find the broker at once: their first metadata has the published port."""
    assert addresses_told(bootstrap) == [bootstrap]
    assert send_and_read(bootstrap) == VALUES


RUST_SCRIPT = "/opt/kafka/testcontainers_start.sh"
RUST_APACHE = {
    "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094",
    "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:9092,BROKER://localhost:9092",
    "KAFKA_BROKER_ID": "1",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
}


def test_rust_apache(image: str) -> None:
    """Bash waits for a script, which a command in the container writes as the image's user."""
    wait = f"while [ ! -f {RUST_SCRIPT}  ]; do sleep 0.1; done; chmod 755 {RUST_SCRIPT} && {RUST_SCRIPT}"
    options = [*published(9092), "--entrypoint", "bash"]
    with container(image, "-c", wait, environ=RUST_APACHE, options=options, ready="") as broker:
        bootstrap = f"127.0.0.1:{broker.port()}"
        script = (
            "#!/usr/bin/env bash\n"
            f"export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://{bootstrap},BROKER://localhost:9093\n"
            "/etc/kafka/docker/run \n"
        )
        broker.exec("sh", "-c", f"echo '{script}' > {RUST_SCRIPT}", options=["--detach"])
        broker.until_logged(SERVER_STARTED)
        check_clients(bootstrap)


RUST_CONFLUENT = {
    "KAFKA_ZOOKEEPER_CONNECT": "localhost:2181",
    "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9093,BROKER://0.0.0.0:9092",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:9093,BROKER://localhost:9092",
    "KAFKA_BROKER_ID": "1",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw",
}
RUST_CONFLUENT_COMMAND = """
echo 'clientPort=2181' > zookeeper.properties;
echo 'dataDir=/var/lib/zookeeper/data' >> zookeeper.properties;
echo 'dataLogDir=/var/lib/zookeeper/log' >> zookeeper.properties;
zookeeper-server-start zookeeper.properties &
. /etc/confluent/docker/bash-config &&
/etc/confluent/docker/configure &&
/etc/confluent/docker/launch"""


def test_rust_confluent(image: str) -> None:
    """The running broker is told the published port by a tool whose end nobody waits for, only for a line of the log.

    The tool is late, as on a machine that has other work: clients must not find the broker before it has been told.
    """
    command = ("/bin/bash", "-c", RUST_CONFLUENT_COMMAND)
    with container(image, *command, environ=RUST_CONFLUENT, options=published(9093), ready=CREATED) as broker:
        bootstrap = f"127.0.0.1:{broker.port(9093)}"
        entity = ("--entity-type", "brokers", "--entity-name", "1")
        added = f"advertised.listeners=[PLAINTEXT://{bootstrap},BROKER://localhost:9092]"
        tool = ("kafka-configs", "--alter", "--bootstrap-server", "0.0.0.0:9092", *entity, "--add-config", added)
        broker.exec("sh", "-c", 'sleep 0.5; exec "$@"', "sh", *tool, options=["--detach"])
        broker.until_logged(BALANCING)
        check_clients(bootstrap)


DOTNET_SCRIPT = "/testcontainers.sh"
DOTNET = {
    "KAFKA_LISTENERS": "PLAINTEXT://:9092,BROKER://:9093,CONTROLLER://:9094",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
    "KAFKA_BROKER_ID": "1",
    "KAFKA_NODE_ID": "1",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES": "9223372036854775807",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
}
DOTNET_KRAFT = {
    **DOTNET,
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_PROCESS_ROLES": "broker,controller",
}
DOTNET_ZOOKEEPER = {**DOTNET, "KAFKA_ZOOKEEPER_CONNECT": "localhost:2181"}
DOTNET_STARTS_ZOOKEEPER = (
    "echo '' > /etc/confluent/docker/ensure",
    "echo 'clientPort=2181' > zookeeper.properties",
    "echo 'dataDir=/var/lib/zookeeper/data' >> zookeeper.properties",
    "echo 'dataLogDir=/var/lib/zookeeper/log' >> zookeeper.properties",
    "zookeeper-server-start zookeeper.properties &",
)
DOTNET_COMMAND = ("-c", f"while [ ! -f {DOTNET_SCRIPT} ]; do sleep 0.1; done; {DOTNET_SCRIPT}")
DOTNET_ENTRYPOINT = ("--entrypoint", "/bin/sh")


def start_dotnet(broker: Container, tmp_path: Path, *commands: str, run: str, listener: str = "") -> str:
    """Copy the script in, as root's; the bootstrap address."""
    bootstrap = f"127.0.0.1:{broker.port()}"
    advertised = [f"PLAINTEXT://{bootstrap}", f"BROKER://{broker.address()}:9093", *([listener] if listener else [])]
    export = f"export KAFKA_ADVERTISED_LISTENERS={','.join(advertised)}"
    script = tmp_path / "testcontainers.sh"
    script.write_text("\n".join(["#!/bin/bash", *commands, export, f"exec {run}", ""]))
    script.chmod(0o755)
    broker.copy(script, DOTNET_SCRIPT)
    return bootstrap


@pytest.mark.parametrize("vendor", ["kafka", "confluent"])
def test_dotnet_with_kraft(vendor: str, image: str, tmp_path: Path) -> None:
    options = [*published(9092, 9093), *DOTNET_ENTRYPOINT]
    with container(image, *DOTNET_COMMAND, environ=DOTNET_KRAFT, options=options, ready="") as broker:
        bootstrap = start_dotnet(broker, tmp_path, run=f"/etc/{vendor}/docker/run")
        broker.until_logged(RUNNING)
        check_clients(bootstrap)


def test_dotnet_with_zookeeper(image: str, tmp_path: Path) -> None:
    """What it does with Confluent's image unless WithKRaft() is said."""
    options = [*published(9092, 9093, 2181), *DOTNET_ENTRYPOINT]
    with container(image, *DOTNET_COMMAND, environ=DOTNET_ZOOKEEPER, options=options, ready="") as broker:
        bootstrap = start_dotnet(broker, tmp_path, *DOTNET_STARTS_ZOOKEEPER, run="/etc/confluent/docker/run")
        broker.until_logged(STARTED)
        check_clients(bootstrap)


def test_dotnet_with_a_listener_for_other_containers(image: str, tmp_path: Path) -> None:
    """WithListener("kafka:19092")."""
    listener = "TC-0://kafka:19092"
    protocols = DOTNET["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]
    environ = {
        **DOTNET_KRAFT,
        "KAFKA_LISTENERS": f"{DOTNET['KAFKA_LISTENERS']},{listener}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": f"{protocols},TC-0:PLAINTEXT",
    }
    with network() as name:
        options = [*published(9092, 9093), *DOTNET_ENTRYPOINT, "--network", name, "--network-alias", "kafka"]
        with container(image, *DOTNET_COMMAND, environ=environ, options=options, ready="") as broker:
            bootstrap = start_dotnet(broker, tmp_path, run="/etc/kafka/docker/run", listener=listener)
            broker.until_logged(RUNNING)
            check_clients(bootstrap)
            consume = ("--topic", "orders", "--from-beginning", "--max-messages", "3")
            tool = ("kafka-console-consumer", "--bootstrap-server", "kafka:19092", *consume)
            with container(image, *tool, options=["--network", name], ready="") as client:
                assert client.until_ended() == 0
                assert client.logs()[0].split() == ["one", "two", "three"]
