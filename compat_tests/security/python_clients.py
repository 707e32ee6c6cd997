"""The clients of Python, and kcat, go through their logins: each produces a record, and reads it in a group.

A function returns what it has read; where the login is refused it raises, with what the client said.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.security.pairs import GSSAPI, OAUTHBEARER, Credentials, Login

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka = pytest.importorskip("kafka")
asynchronous = pytest.importorskip("aiokafka")

AT_ONCE = 4


class Refused(Exception):
    """The text is what the client has said."""


Answers = Mapping[str, str]
"""By the name of the login: the value that was read, or what the client said when it was refused."""


def each(logins: list[Login], credentials: Credentials, run: Callable[[Login, Credentials], str]) -> Answers:
    def outcome(login: Login) -> str:
        try:
            return run(login, credentials)
        except Refused as refused:
            return str(refused)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip((login.name for login in logins), threads.map(outcome, logins), strict=True))


def librdkafka_options(login: Login, credentials: Credentials) -> dict[str, Any]:
    options: dict[str, Any] = {"bootstrap.servers": login.bootstrap, "security.protocol": login.protocol}
    if login.protocol.endswith("SSL"):
        options["ssl.ca.location"] = credentials.ca
    if login.certificate:
        options |= {"ssl.certificate.location": credentials.certificate, "ssl.key.location": credentials.key}
    if login.mechanism:
        options["sasl.mechanism"] = login.mechanism
    if login.mechanism == OAUTHBEARER:
        options |= {
            "enable.sasl.oauthbearer.unsecure.jwt": "true",
            "sasl.oauthbearer.config": f"principal={login.user}",
        }
    elif login.mechanism == GSSAPI:
        # The environment names the keytab, so that kinit is not needed.
        options |= {"sasl.kerberos.service.name": "kafka", "sasl.kerberos.kinit.cmd": "true"}
    elif login.mechanism:
        options |= {"sasl.username": login.user, "sasl.password": login.secret}
    return options


def librdkafka(login: Login, credentials: Credentials) -> str:
    told: list[Any] = []
    options = {**librdkafka_options(login, credentials), "error_cb": told.append}
    producer = confluent_kafka.Producer({**options, "linger.ms": 0})
    producer.produce(login.topic, login.name)
    while producer.flush(0.05):
        for error in told:
            if error.code() == confluent_kafka.KafkaError._AUTHENTICATION:
                producer.purge()
                raise Refused(error.str())
    consumer = confluent_kafka.Consumer({**options, "group.id": login.group, "auto.offset.reset": "earliest"})
    consumer.subscribe([login.topic])
    message = consumer.poll(PATIENCE_SECONDS)
    assert message is not None, f"{login.name}: {told}"
    assert message.error() is None, f"{login.name}: {message.error()}"
    consumer.commit(asynchronous=False)
    consumer.close()
    value: bytes = message.value()
    return value.decode()


def kafka_python(login: Login, credentials: Credentials) -> str:
    base: Any = pytest.importorskip("kafka.net.sasl.oauth").AbstractTokenProvider

    class Token(base):  # type: ignore[misc]  # the library has no types
        def token(self) -> str:
            return login.secret

    config: dict[str, Any] = {
        "bootstrap_servers": login.bootstrap,
        "security_protocol": login.protocol,
        **({"ssl_cafile": credentials.ca} if login.protocol.endswith("SSL") else {}),
        **({"ssl_certfile": credentials.certificate, "ssl_keyfile": credentials.key} if login.certificate else {}),
        **({"sasl_mechanism": login.mechanism} if login.mechanism else {}),
    }
    if login.mechanism == OAUTHBEARER:
        config["sasl_oauth_token_provider"] = Token()
    elif login.mechanism not in ("", GSSAPI):
        config |= {"sasl_plain_username": login.user, "sasl_plain_password": login.secret}
    try:
        producer = kafka.KafkaProducer(
            **config, bootstrap_timeout_ms=1_000 if login.wrong else PATIENCE_SECONDS * 1_000
        )
    except kafka.errors.KafkaTimeoutError as error:
        # The reason is in its log, or not even there: it drops an answer that comes together with the connection's end.
        raise Refused(str(error)) from None
    producer.send(login.topic, login.name.encode()).get(PATIENCE_SECONDS)
    producer.close()
    consumer = kafka.KafkaConsumer(login.topic, **config, group_id=login.group, auto_offset_reset="earliest")
    value: bytes = next(iter(consumer)).value
    consumer.commit()
    consumer.close()
    return value.decode()


def aiokafka(logins: list[Login], credentials: Credentials) -> Answers:
    base: Any = asynchronous.abc.AbstractTokenProvider

    class Token(base):  # type: ignore[misc]  # the library has no types
        def __init__(self, text: str) -> None:
            self._text = text

        async def token(self) -> str:
            return self._text

    def config_of(login: Login) -> dict[str, Any]:
        config: dict[str, Any] = {"bootstrap_servers": login.bootstrap, "security_protocol": login.protocol}
        if login.protocol.endswith("SSL"):
            context = ssl.create_default_context(cafile=credentials.ca)
            if login.certificate:
                context.load_cert_chain(credentials.certificate, credentials.key)
            config["ssl_context"] = context
        if login.mechanism:
            config["sasl_mechanism"] = login.mechanism
        if login.mechanism == OAUTHBEARER:
            config["sasl_oauth_token_provider"] = Token(login.secret)
        elif login.mechanism not in ("", GSSAPI):
            config |= {"sasl_plain_username": login.user, "sasl_plain_password": login.secret}
        return config

    async def one(login: Login) -> str:
        config = config_of(login)
        producer = asynchronous.AIOKafkaProducer(**config)
        try:
            await producer.start()
            await producer.send_and_wait(login.topic, login.name.encode())
        except asynchronous.errors.KafkaConnectionError as error:
            return str(error)
        finally:
            await producer.stop()
        async with asynchronous.AIOKafkaConsumer(
            login.topic, **config, group_id=login.group, auto_offset_reset="earliest"
        ) as consumer:
            value: bytes = (await consumer.getone()).value
            await consumer.commit()
            return value.decode()

    async def run() -> list[str]:
        return await asyncio.wait_for(asyncio.gather(*map(one, logins)), PATIENCE_SECONDS)

    return dict(zip((login.name for login in logins), asyncio.run(run()), strict=True))


def kcat(login: Login, credentials: Credentials, *, program: str) -> str:
    options = [f"-X{name}={value}" for name, value in librdkafka_options(login, credentials).items()]
    common = [program, *options]

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*common, *arguments], input=stdin, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )

    if login.wrong:
        refused = run("-L", "-m", "1")
        assert refused.returncode, login.name
        raise Refused(refused.stderr)
    sent = run("-P", "-t", login.topic, stdin=login.name)
    assert sent.returncode == 0, f"{login.name}: {sent.stderr}"
    read = run("-G", login.group, "-c", "1", "-q", "-Xauto.offset.reset=earliest", login.topic)
    assert read.returncode == 0, f"{login.name}: {read.stderr}"
    return read.stdout.strip()
