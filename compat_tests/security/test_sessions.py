"""Clients authenticate again before their sessions end (KIP-368), and lose nothing: all at once, at one broker."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import compiled_java, jar_directory, java_command
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.security import pairs
from compat_tests.security.pairs import CLIENTS, Credentials, Login
from kafkapy.testing import Kafka

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_python = pytest.importorskip("kafka")
aiokafka = pytest.importorskip("aiokafka")

SESSION_MS = 2_500
"""Long enough for a busy machine: clients begin when a tenth of it is left."""
AGAIN = tuple(client for client, (_, unsupported) in CLIENTS.items() if pairs.AGAIN not in unsupported)
JAVA = Path(__file__).parents[1] / "java"


def login_of(client: str, kafka: Kafka) -> Login:
    """As a user of the client's name."""
    return Login(
        name=client,
        bootstrap=kafka.bootstrap_servers,
        protocol="SASL_PLAINTEXT",
        mechanism="PLAIN",
        certificate=False,
        token=False,
        wrong=False,
        user=client,
        secret=pairs.PASSWORD,
        topic="t",
        group=client,
    )


def librdkafka(kafka: Kafka, ended: threading.Event) -> None:
    config: dict[str, Any] = {**kafka.config_for("librdkafka", user="librdkafka", mechanism="PLAIN"), "retries": 0}
    producer = confluent_kafka.Producer(config)
    errors: list[Any] = []
    while not ended.wait(0.05):
        producer.produce("t", b"x", on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(PATIENCE_SECONDS) == 0
    assert not any(errors)


def kafka_python_sends(kafka: Kafka, ended: threading.Event) -> None:
    config: dict[str, Any] = kafka.config_for("kafka-python", user="kafka-python", mechanism="PLAIN")
    producer = kafka_python.KafkaProducer(**config)
    while not ended.wait(0.05):
        producer.send("t", b"x").get(PATIENCE_SECONDS)
    producer.close()


def aiokafka_sends(kafka: Kafka, ended: threading.Event) -> None:
    async def run() -> None:
        config: dict[str, Any] = kafka.config_for("aiokafka", user="aiokafka", mechanism="PLAIN")
        async with aiokafka.AIOKafkaProducer(**config) as producer:
            while not ended.is_set():
                await producer.send_and_wait("t", b"x")
                await asyncio.sleep(0.05)

    asyncio.run(run())


@pytest.mark.usefixtures("java")
def test_sessions_are_renewed_in_the_middle_of_traffic(go_program: Path, node_directory: Path, tmp_path: Path) -> None:
    settings = {"connections.max.reauth.ms": str(SESSION_MS), "connection.failed.authentication.delay.ms": "10"}
    class_path = compiled_java("logins", JAVA / "Logins.java", JAVA / "pom.xml", jar_directory())
    commands = {
        "java": java_command("Logins", class_path=class_path),
        "franz": [str(go_program), "franz", "send"],
        "sarama": [str(go_program), "sarama", "send"],
        "kafkajs": ["node", str(node_directory / "logins.js")],
    }
    ours: tuple[Callable[[Kafka, threading.Event], None], ...] = (librdkafka, kafka_python_sends, aiokafka_sends)
    ended = threading.Event()
    with ExitStack() as stack:
        users = dict.fromkeys(CLIENTS, pairs.PASSWORD)
        kafka = stack.enter_context(Kafka(users=users, topics={"t": 1}, settings=settings, host="127.0.0.1"))
        programs = {}
        for client, command in commands.items():
            plan = pairs.write_plan(tmp_path / f"{client}.json", Credentials(*[""] * 7), [login_of(client, kafka)])
            last = [] if client in ("franz", "sarama") else ["send"]
            programs[client] = stack.enter_context(
                subprocess.Popen([*command, plan, *last], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
        threads = stack.enter_context(ThreadPoolExecutor(len(ours)))
        running = [threads.submit(run, kafka, ended) for run in ours]
        stack.callback(ended.set)
        stack.callback(lambda: print(f"logins: {[(client, logins(client), sent(client)) for client in CLIENTS]}"))

        def logins(user: str) -> int:
            """On the connection that has most."""
            exchanges = kafka.recorded("SaslAuthenticate").everything()
            counted = Counter(each.peer_port for each in exchanges if each.principal == f"User:{user}")
            return max(counted.values(), default=0)

        def sent(user: str) -> int:
            return sum(each.principal == f"User:{user}" for each in kafka.recorded("Produce").everything())

        for client in AGAIN:
            eventually(lambda client=client: logins(client) > 1, f"{client} authenticates again")  # type: ignore[misc]
        for client in (*AGAIN, "aiokafka"):
            before = sent(client)
            eventually(lambda client=client, before=before: sent(client) > before, f"{client} goes on")  # type: ignore[misc]
        ended.set()
        for future in running:
            future.result(PATIENCE_SECONDS)
        for client, program in programs.items():
            _, errors = program.communicate("\n", timeout=PATIENCE_SECONDS)
            assert program.returncode == 0, f"{client}: {errors}"
