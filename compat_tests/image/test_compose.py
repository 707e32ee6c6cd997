"""The examples for compose, with the image under test and free ports in the place of theirs."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from compat_tests.apache_kafka import MissingTool, require_tool
from compat_tests.deadlines import eventually
from compat_tests.image.docker_image import KAFKA_TAG, NAME, ROOT, Container, docker
from compat_tests.image.test_security import send_and_read as log_in_send_and_read
from compat_tests.image.test_settings import VALUES, send_and_read
from compat_tests.ports import free_port
from compat_tests.tools import need

kafka_admin = pytest.importorskip("kafka.admin")

EXAMPLES = ROOT / "docker"
SECONDS_MAX = 120.0


def compose_command() -> list[str]:
    """`docker compose`, or its older form. Raises MissingTool."""
    if docker("compose", "version", check=False).returncode == 0:
        return [require_tool("docker"), "compose"]
    try:
        return [require_tool("docker-compose")]
    except MissingTool:
        raise MissingTool("docker compose") from None


class Project:
    """The services of one example."""

    def __init__(self, file: Path) -> None:
        self._command = [*need(compose_command), "--file", str(file), "--project-name", file.stem]

    def run(self, *arguments: str) -> str:
        command = [*self._command, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def container(self, service: str) -> Container:
        return Container(self.run("ps", "--quiet", service).strip())


@contextmanager
def running(example: str, image: str, ports: Mapping[str, str], directory: Path, *services: str) -> Iterator[Project]:
    """`ports` are put in the place of those that the example has."""
    text = (EXAMPLES / example).read_text().replace("image: kafkapy\n", f"image: {image}:{KAFKA_TAG}\n")
    for old, new in ports.items():
        assert old in text
        text = text.replace(old, new)
    file = directory / f"{NAME}-{uuid.uuid4().hex[:8]}.yaml"
    file.write_text(text)
    project = Project(file)
    try:
        project.run("up", "--detach", *services)
        yield project
    finally:
        print(project.run("logs", "--no-color"))  # shown when the test failed
        project.run("down", "--volumes", "--timeout", "1")


@pytest.mark.parametrize("example", ["compose.yaml", "compose-with-ui.yaml"])
def test_one_broker_becomes_healthy(example: str, image: str, tmp_path: Path) -> None:
    """The web page is an image of others: it is not started."""
    with running(example, image, {"127.0.0.1:9092:9092": "127.0.0.1::9092"}, tmp_path, "kafka") as project:
        kafka = project.container("kafka")

        def is_healthy() -> bool:
            health = kafka.state()["Health"]
            assert isinstance(health, dict)
            return bool(health["Status"] == "healthy")

        eventually(is_healthy, "a healthy broker")
        topics = kafka.exec("kafka-topics", "--list", "--bootstrap-server", "kafka:9092")
        assert topics == ("customers\norders\n" if example == "compose.yaml" else "")


def test_three_brokers_keep_three_replicas(image: str, tmp_path: Path) -> None:
    ports = {number: str(free_port()) for number in ("19092", "29092", "39092")}
    with running("compose-three-brokers.yaml", image, ports, tmp_path) as project:
        for number in (1, 2, 3):
            project.container(f"kafka-{number}").until_logged("Kafka Server started")
        bootstrap = f"localhost:{ports['19092']}"
        with closing(kafka_admin.KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
            admin.create_topics([kafka_admin.NewTopic("orders", 3, 3)])
        assert sorted(send_and_read(bootstrap)) == sorted(VALUES), "in any order, as they are in three partitions"
        describe = ("kafka-topics", "--describe", "--topic", "orders", "--bootstrap-server", "kafka-2:9092")
        described = project.container("kafka-3").exec(*describe)
        assert described.count("Replicas: ") == 3
        assert "ReplicationFactor: 3" in described


def test_one_broker_has_tls_and_users(image: str, tmp_path: Path) -> None:
    port = str(free_port())
    with running("compose-secured.yaml", image, {"19092": port}, tmp_path) as project:
        kafka = project.container("kafka")
        kafka.until_logged("Kafka Server started")
        authority = tmp_path / "ca.crt"
        authority.write_text(kafka.exec("cat", "/etc/kafka/secrets/ca.crt"))
        alice = {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(authority),
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": "alice",
            "sasl_plain_password": "alice-secret",
        }
        assert log_in_send_and_read(f"localhost:{port}", "orders", **alice) == VALUES
        listed = kafka.exec("kafka-topics", "--list", "--bootstrap-server", "localhost:9094")
        assert listed == "orders\n"
