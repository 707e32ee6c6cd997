"""Unmodified clients of other languages at a listener with TLS that wants certificates, made by `kafkapy certs`.

Clients of Python are in testing/test_tls.py, with what the test kit hands out.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from compat_tests.apache_kafka import CONSOLE_CONSUMER, CONSOLE_PRODUCER, TOPICS, java_command
from compat_tests.client_program import ClientProgram, Record
from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.kafkapy_process import KafkapyProcess, kafkapy_command

RECORDS = [Record(b"small"), Record(b"x" * 900_000), Record(b"", key=b"key")]
JAVA_SECONDS = 60


class Secure(NamedTuple):
    broker: KafkapyProcess
    directory: Path


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """A broker whose clients must have a certificate, and the directory with that of alice."""
    directory = tmp_path_factory.mktemp("certificates")
    subprocess.run([kafkapy_command(), "certs", str(directory), "--client", "alice"], check=True, capture_output=True)
    settings = dict(
        line.split("=", 1) for line in (directory / "server.properties").read_text().splitlines() if "=" in line
    )
    settings |= {"listeners": "SSL://127.0.0.1:0", "ssl.client.auth": "required"}
    with KafkapyProcess(settings, data_dir=tmp_path_factory.mktemp("data")) as broker:
        yield Secure(broker, directory)
        assert not broker.bugs(), broker.output()


@pytest.fixture
def certificates(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the programs of go/ and node/ find them."""
    monkeypatch.setenv("COMPAT_CERTIFICATES", str(secure.directory))
    return secure.directory


def round_trip(client: ClientProgram, bootstrap: str, topic: str) -> None:
    client.create(bootstrap, topic, 1)
    outcomes = client.produce(bootstrap, topic, RECORDS)
    assert [outcome.error for outcome in outcomes] == [0] * len(RECORDS)
    assert client.consume(bootstrap, topic, len(RECORDS)) == RECORDS


@pytest.mark.parametrize("which", ["franz", "sarama"])
@pytest.mark.usefixtures("certificates")
def test_go_clients(which: str, go_program: Path, secure: Secure, tmp_path: Path, new_name: Callable[..., str]) -> None:
    round_trip(ClientProgram([str(go_program), which], tmp_path), secure.broker.bootstrap, new_name())


@pytest.mark.usefixtures("certificates")
def test_kafkajs(node_directory: Path, secure: Secure, tmp_path: Path, new_name: Callable[..., str]) -> None:
    client = ClientProgram(["node", str(node_directory / "clients.js"), "kafkajs"], tmp_path)
    round_trip(client, secure.broker.bootstrap, new_name())


def test_kcat(kcat: str, secure: Secure, new_name: Callable[..., str]) -> None:
    topic, directory = new_name(), secure.directory
    files = {"ca": "ca.crt", "certificate": "alice.crt", "key": "alice.key"}
    options = [f"-Xssl.{what}.location={directory / name}" for what, name in files.items()]
    common = [kcat, "-b", secure.broker.bootstrap, "-Xsecurity.protocol=SSL", *options, "-t", topic]
    subprocess.run([*common, "-P"], input=b"first\nsecond\n", check=True, timeout=PATIENCE_SECONDS)
    read = subprocess.run([*common, "-C", "-e", "-o", "beginning"], capture_output=True, timeout=PATIENCE_SECONDS)
    assert read.stdout.splitlines() == [b"first", b"second"]
    refused = [kcat, "-b", secure.broker.bootstrap, "-Xsecurity.protocol=SSL", options[0], "-m", "2", "-L"]
    assert subprocess.run(refused, capture_output=True, timeout=PATIENCE_SECONDS).returncode != 0


def java_settings(secure: Secure, store_type: str, tmp_path: Path) -> str:
    """A file of client settings, with stores of that type."""
    suffix = {"PEM": "pem", "PKCS12": "p12", "JKS": "jks"}[store_type]
    trusted = "ca.crt" if store_type == "PEM" else f"truststore.{suffix}"
    settings = {
        "security.protocol": "SSL",
        "ssl.keystore.type": store_type,
        "ssl.keystore.location": secure.directory / f"alice.{suffix}",
        "ssl.truststore.type": store_type,
        "ssl.truststore.location": secure.directory / trusted,
    }
    if store_type != "PEM":
        settings |= dict.fromkeys(("ssl.keystore.password", "ssl.key.password", "ssl.truststore.password"), "changeit")
    path = tmp_path / f"{suffix}.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return str(path)


@pytest.mark.usefixtures("java")
def test_java_clients_with_stores_of_each_type(secure: Secure, tmp_path: Path, new_name: Callable[..., str]) -> None:
    topic, where = new_name(), ["--bootstrap-server", secure.broker.bootstrap]

    def run(tool: str, store_type: str, *arguments: str, stdin: str = "") -> str:
        settings = ["--command-config", java_settings(secure, store_type, tmp_path)]
        command = java_command(tool, *where, *settings, *arguments)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=JAVA_SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert f"Created topic {topic}." in run(TOPICS, "PEM", "--create", "--topic", topic)
    run(CONSOLE_PRODUCER, "PKCS12", "--topic", topic, stdin=f"small\n{'x' * 900_000}\n")
    read = run(CONSOLE_CONSUMER, "JKS", "--topic", topic, "--from-beginning", "--max-messages", "2")
    assert [len(line) for line in read.splitlines()] == [5, 900_000]
