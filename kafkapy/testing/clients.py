"""Ready-made configurations of client libraries, in each library's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy_wire.sasl.jaas import PLAIN_MODULE, SCRAM_MODULE

if TYPE_CHECKING:
    from kafkapy.testing.users import ClientLogin

LIBRDKAFKA: Final = ("librdkafka", "confluent_kafka", "confluent-kafka")
KAFKA_PYTHON: Final = ("kafka-python", "kafka_python")
AIOKAFKA: Final = ("aiokafka",)
JAVA: Final = ("java",)
KAFKAJS: Final = ("kafkajs",)
KNOWN: Final = (*LIBRDKAFKA, *KAFKA_PYTHON, *AIOKAFKA, *JAVA, *KAFKAJS)
PROTOCOL: Final = "SASL_PLAINTEXT"


def config_for(client: str, bootstrap_servers: str, login: ClientLogin | None = None) -> dict[str, object]:
    """What a client of this library needs to connect. Raises ValueError: there is no such library here."""
    if client in LIBRDKAFKA:
        return {"bootstrap.servers": bootstrap_servers, **_of_librdkafka(login)}
    if client in JAVA:
        return {"bootstrap.servers": bootstrap_servers, **_of_java(login)}
    if client in KAFKA_PYTHON:
        return {"bootstrap_servers": bootstrap_servers.split(","), **_of_python(login)}
    if client in AIOKAFKA:
        return {"bootstrap_servers": bootstrap_servers, **_of_python(login)}
    if client in KAFKAJS:
        return {"brokers": bootstrap_servers.split(","), **_of_kafkajs(login)}
    raise ValueError(f"there is no configuration for {client!r}: there are {', '.join(KNOWN)}")


def _of_librdkafka(login: ClientLogin | None) -> dict[str, object]:
    if login is None:
        return {}
    return {
        "security.protocol": PROTOCOL,
        "sasl.mechanism": login.mechanism,
        "sasl.username": login.user,
        "sasl.password": login.password,
    }


def _of_java(login: ClientLogin | None) -> dict[str, object]:
    if login is None:
        return {}
    module = PLAIN_MODULE if login.mechanism == "PLAIN" else SCRAM_MODULE
    user, password = (text.replace("\\", "\\\\").replace('"', '\\"') for text in (login.user, login.password))
    return {
        "security.protocol": PROTOCOL,
        "sasl.mechanism": login.mechanism,
        "sasl.jaas.config": f'{module} required username="{user}" password="{password}";',
    }


def _of_python(login: ClientLogin | None) -> dict[str, object]:
    if login is None:
        return {}
    return {
        "security_protocol": PROTOCOL,
        "sasl_mechanism": login.mechanism,
        "sasl_plain_username": login.user,
        "sasl_plain_password": login.password,
    }


def _of_kafkajs(login: ClientLogin | None) -> dict[str, object]:
    if login is None:
        return {}
    return {"sasl": {"mechanism": login.mechanism.lower(), "username": login.user, "password": login.password}}
