"""Commands of kafkapy log in with a file of settings that Kafka's tools take. Clients are in security/."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka

TOKENS = "OAUTHBEARER"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", TOKENS)
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


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


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
