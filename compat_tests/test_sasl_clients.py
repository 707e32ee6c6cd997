"""Unmodified clients of other languages log in by every mechanism that they have. Clients of Python are in
testing/test_users.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.apache_kafka import CONSOLE_CONSUMER, TOPICS, JavaTools
from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka
from kafkapy_wire.sasl.client import unsecured_token

PASSWORDS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
TOKENS = "OAUTHBEARER"
MECHANISMS = (*PASSWORDS, TOKENS)
BEARER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
USERS = {"alice": "secret"}


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    settings = {
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "listener.name.plaintext.oauthbearer.sasl.jaas.config": f"{BEARER} required;",
    }
    with Kafka(users=USERS, topics={"t": 1}, settings=settings, host="127.0.0.1") as made:
        yield made


def secret(mechanism: str) -> str:
    claims = {"unsecuredLoginStringClaim_sub": "alice"}
    return unsecured_token(claims, time.time()) if mechanism == TOKENS else USERS["alice"]


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def principals(kafka: Kafka) -> set[str]:
    return {exchange.principal for exchange in kafka.recorded("Produce").everything()}


@pytest.mark.parametrize(
    ("client", "mechanism"), [*(("franz", each) for each in MECHANISMS), ("sarama", "PLAIN"), ("sarama", TOKENS)]
)
def test_go_clients_log_in(client: str, mechanism: str, go_program: Path, kafka: Kafka) -> None:
    done = run(str(go_program), client, "login", kafka.bootstrap_servers, "t", mechanism, "alice", secret(mechanism))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(client)
    assert principals(kafka) == {"User:alice"}


@pytest.mark.parametrize("client", ["franz", "sarama"])
def test_go_clients_are_told_of_a_wrong_password(client: str, go_program: Path, kafka: Kafka) -> None:
    done = run(str(go_program), client, "login", kafka.bootstrap_servers, "t", "PLAIN", "alice", "wrong")
    assert done.returncode != 0
    assert "uthentication failed" in done.stderr or "SASL_AUTHENTICATION_FAILED" in done.stderr, done.stderr


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_kafkajs_logs_in(mechanism: str, node_directory: Path, kafka: Kafka) -> None:
    program = str(node_directory / "login.js")
    done = run("node", program, kafka.bootstrap_servers, "t", mechanism, "alice", secret(mechanism))
    assert (done.returncode, done.stdout) == (0, "kafkajs\n"), done.stderr


def test_kafkajs_is_told_of_a_wrong_password(node_directory: Path, kafka: Kafka) -> None:
    done = run("node", str(node_directory / "login.js"), kafka.bootstrap_servers, "t", "SCRAM-SHA-256", "alice", "x")
    assert done.returncode == 1
    assert "due to invalid credentials with SASL mechanism SCRAM-SHA-256" in done.stderr


@pytest.mark.parametrize("mechanism", ["PLAIN", TOKENS])
def test_kcat_logs_in(mechanism: str, kcat: str, kafka: Kafka) -> None:
    """Not by SCRAM: distributions have it with a librdkafka that repeats a part of the nonce in its second message,
    which Apache Kafka refuses since 3.7.2 (CVE-2024-56128), as kafkapy does. confluent-kafka has a newer one.
    """
    options = ["-Xsecurity.protocol=SASL_PLAINTEXT", f"-Xsasl.mechanism={mechanism}"]
    if mechanism == TOKENS:
        options += ["-Xenable.sasl.oauthbearer.unsecure.jwt=true", "-Xsasl.oauthbearer.config=principal=alice"]
    else:
        options += ["-Xsasl.username=alice", f"-Xsasl.password={USERS['alice']}"]
    common = [kcat, "-b", kafka.bootstrap_servers, *options, "-t", "t"]
    assert run(*common, "-P", stdin="kcat\n").returncode == 0
    assert "kcat" in run(*common, "-C", "-e", "-o", "beginning").stdout.splitlines()


def client_settings(mechanism: str, kafka: Kafka, directory: Path) -> str:
    if mechanism == TOKENS:
        module = f'{BEARER} required unsecuredLoginStringClaim_sub="alice";'
        settings: dict[str, object] = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": mechanism,
            "sasl.jaas.config": module,
        }
    else:
        settings = kafka.config_for("java", mechanism=mechanism)
    file = directory / f"{mechanism}.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return str(file)


@pytest.mark.usefixtures("java")
def test_java_clients_log_in(kafka: Kafka, tmp_path: Path) -> None:
    where = ("--bootstrap-server", kafka.bootstrap_servers)
    with JavaTools() as tools:
        for mechanism in MECHANISMS:
            settings = ("--command-config", client_settings(mechanism, kafka, tmp_path))
            code, printed = tools.run(TOPICS, *where, *settings, "--create", "--topic", f"java-{mechanism}")
            assert code == 0, printed
        kafka.produce("java-PLAIN", "first")
        read = ("--topic", "java-PLAIN", "--from-beginning", "--max-messages", "1", "--timeout-ms", "20000")
        for mechanism in PASSWORDS:
            settings = ("--command-config", client_settings(mechanism, kafka, tmp_path))
            code, printed = tools.run(CONSOLE_CONSUMER, *where, *settings, *read)
            assert (code, printed.splitlines()[0]) == (0, "first"), printed
    asked = {exchange.principal for exchange in kafka.recorded("CreateTopics").everything()}
    assert asked == {"User:alice"}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_commands_of_our_own_log_in(mechanism: str, kafka: Kafka, tmp_path: Path) -> None:
    """By Kafka's name of the tool, with the file of settings that Kafka's tool takes."""
    settings = client_settings(mechanism, kafka, tmp_path)
    command = (sys.executable, "-m", "kafkapy.tools", "kafka-topics")
    done = run(*command, "--bootstrap-server", kafka.bootstrap_servers, "--command-config", settings, "--list")
    assert done.returncode == 0, done.stderr
    assert "t" in done.stdout.splitlines()


def test_commands_of_our_own_say_why_a_login_fails(kafka: Kafka, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    for jaas, told in (
        (f'{module} username="alice" password="wrong";', "refuses the login: Authentication failed: Invalid username"),
        (f"{module} username=alice;", "has no password for PLAIN"),
        (module, "sasl.jaas.config is not valid"),
        ("", "needs sasl.jaas.config"),
    ):
        file.write_text(f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={jaas}\n")
        command = (sys.executable, "-m", "kafkapy.tools", "kafka-topics", "--list", "--command-config", str(file))
        done = run(*command, "--bootstrap-server", kafka.bootstrap_servers)
        assert done.returncode == 1
        assert told in done.stderr
        assert "wrong" not in done.stderr
