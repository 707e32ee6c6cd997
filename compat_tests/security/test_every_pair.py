"""Unmodified clients log in by every mechanism that they have, over every protocol, and say when a password is wrong.

Each client is one run of one program, which goes through all its logins: it produces a record and reads it in a group.
The broker lets a principal touch no topic but its own, so that a login as somebody else would show.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import MissingTool, compiled_java, jar_directory, java_command
from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.security import pairs, python_clients
from compat_tests.security.conftest import Secured
from compat_tests.security.pairs import Login
from compat_tests.security.python_clients import Answers
from compat_tests.tools import skip_or_fail

confluent_kafka = pytest.importorskip("confluent_kafka")

TOLD = {
    "java": "Authentication failed: Invalid username or password",
    "librdkafka": "SASL authentication error: Authentication failed: Invalid username or password",
    "kafka-python": "Unable to bootstrap from",
    "aiokafka": "Unable to bootstrap from",
    "franz": "Authentication failed: Invalid username or password",
    "sarama": "Authentication failed: Invalid username or password",
    "kafkajs": "Authentication failed: Invalid username or password",
    "kcat": "Authentication failed: Invalid username or password",
}
"""What each client says of a wrong password."""
PROGRAM_SECONDS = 90


def logins_of(client: str, secured: Secured) -> list[Login]:
    return pairs.logins_of(client, secured.listeners, kerberos=secured.kerberos)


def went_through(client: str, secured: Secured, answers: Answers) -> None:
    logins = logins_of(client, secured)
    assert set(answers) == {login.name for login in logins}
    right = {login.name: login.name for login in logins if not login.wrong}
    assert {name: answers[name] for name in right} == right
    for login in logins:
        if login.wrong:
            assert TOLD[client] in answers[login.name], login.name


def run_program(client: str, command: list[str], secured: Secured, directory: Path) -> Answers:
    plan = pairs.write_plan(directory / "plan.json", secured.credentials, logins_of(client, secured))
    environment = {**os.environ, "JAVA_TOOL_OPTIONS": f"-Djava.security.krb5.conf={secured.credentials.krb5}"}
    done = subprocess.run(
        [*command, plan], capture_output=True, text=True, timeout=PROGRAM_SECONDS, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return {line["login"]: line["said"] for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.usefixtures("java")
def test_java_clients(secured: Secured, tmp_path: Path) -> None:
    directory = Path(__file__).parents[1] / "java"
    class_path = compiled_java("logins", directory / "Logins.java", directory / "pom.xml", jar_directory())
    command = java_command("Logins", class_path=class_path)
    went_through("java", secured, run_program("java", command, secured, tmp_path))


def test_librdkafka(secured: Secured) -> None:
    answers = python_clients.each(logins_of("librdkafka", secured), secured.credentials, python_clients.librdkafka)
    went_through("librdkafka", secured, answers)


def test_kafka_python(secured: Secured) -> None:
    logins = logins_of("kafka-python", secured)
    answers = python_clients.each(logins, secured.credentials, python_clients.kafka_python)
    went_through("kafka-python", secured, answers)


def test_aiokafka(secured: Secured) -> None:
    answers = python_clients.aiokafka(logins_of("aiokafka", secured), secured.credentials)
    went_through("aiokafka", secured, answers)


def test_the_broker_lets_nobody_touch_the_topics_of_others(secured: Secured) -> None:
    """Else the other tests could not say as whom a client has logged in."""
    (login,) = (each for each in logins_of("librdkafka", secured) if each.name == "SASL_SSL PLAIN")
    producer = confluent_kafka.Producer(python_clients.librdkafka_options(login, secured.credentials))
    for prefix in ("anonymous", "CN-alice"):
        errors: list[Any] = []
        producer.produce(f"{prefix}-topic", b"x", on_delivery=lambda error, _, told=errors: told.append(error))
        assert producer.flush(PATIENCE_SECONDS) == 0
        assert [error.code() for error in errors] == [confluent_kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED]


@pytest.mark.parametrize("client", ["franz", "sarama"])
def test_go_clients(client: str, go_program: Path, secured: Secured, tmp_path: Path) -> None:
    answers = run_program(client, [str(go_program), client, "logins"], secured, tmp_path)
    went_through(client, secured, answers)


def test_kafkajs(node_directory: Path, secured: Secured, tmp_path: Path) -> None:
    program = str(node_directory / "logins.js")
    went_through("kafkajs", secured, run_program("kafkajs", ["node", program], secured, tmp_path))


def test_kcat(kcat: str, secured: Secured) -> None:
    if secured.kerberos and not any(Path("/usr/lib").glob("**/sasl2/libgssapiv2.so*")):
        skip_or_fail(MissingTool("GSSAPI of Cyrus SASL (apt-get install libsasl2-modules-gssapi-mit)"))
    run = functools.partial(python_clients.kcat, program=kcat)
    went_through("kcat", secured, python_clients.each(logins_of("kcat", secured), secured.credentials, run))


def test_commands_of_kafkapy_show_tickets(secured: Secured, tmp_path: Path) -> None:
    """By the options of the login module that Kafka's tools take, or as the environment says."""
    if not secured.kerberos:
        pytest.skip("there is no KDC")  # in CI the fixture has failed
    by_key = f'useKeyTab=true storeKey=true keyTab="{secured.credentials.keytab}" principal="alice"'
    (login,) = (each for each in logins_of("java", secured) if each.name == "SASL_SSL GSSAPI")
    topics: set[str] = set()
    for options in (by_key, "useTicketCache=true"):
        file = tmp_path / "client.properties"
        file.write_text(
            "security.protocol=SASL_SSL\nssl.truststore.type=PEM\n"
            f"ssl.truststore.location={secured.credentials.ca}\nsasl.mechanism=GSSAPI\nsasl.kerberos.service.name=kafka\n"
            f"sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required {options};\n"
        )
        command = [sys.executable, "-m", "kafkapy", "topics", "create", topic := f"alice-{len(topics)}-of-commands"]
        command += ["-b", login.bootstrap, "--command-config", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False)
        assert (done.stdout.startswith(f"created topic {topic} "), done.stderr) == (True, "")
        topics.add(topic)


def test_the_table_of_the_documentation_says_what_is_tested_here() -> None:
    page = Path(__file__).parents[2] / "docs" / "sasl.md"
    assert pairs.table() in page.read_text(), f"docs/sasl.md does not have this table:\n\n{pairs.table()}"
