"""Ready-made configurations of client libraries, in each library's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from kafkapy_wire.sasl.jaas import PLAIN_MODULE, SCRAM_MODULE

if TYPE_CHECKING:
    from kafkapy.testing.certificates import ClientIdentity
    from kafkapy.testing.server import Started
    from kafkapy.testing.users import ClientLogin, Users

LIBRDKAFKA: Final = ("librdkafka", "confluent_kafka", "confluent-kafka")
KAFKA_PYTHON: Final = ("kafka-python", "kafka_python")
AIOKAFKA: Final = ("aiokafka",)
JAVA: Final = ("java",)
KAFKAJS: Final = ("kafkajs",)
PEM: Final = ("pem",)
"""The paths of files, for any other client with TLS."""
KNOWN: Final = (*LIBRDKAFKA, *KAFKA_PYTHON, *AIOKAFKA, *JAVA, *KAFKAJS, *PEM)
NO_TLS: Final = "TLS was not asked for: Kafka(tls=True)"


class ClientOptions(TypedDict, total=False):
    """Who a client is."""

    user: str | None
    mechanism: str | None
    certificate: str | None
    """Whose certificate it shows, in a cluster with TLS; it is made if there is none."""


def config_for(client: str, started: Started, users: Users, **options: Unpack[ClientOptions]) -> dict[str, object]:
    """What a client of this library needs to connect. Raises ValueError: there is no such library, user or mechanism
    here, or no TLS.
    """
    login = users.login(options.get("user"), options.get("mechanism"))
    certificate = options.get("certificate")
    if client not in KNOWN:
        raise ValueError(f"there is no configuration for {client!r}: there are {', '.join(KNOWN)}")
    servers, identity = started.bootstrap_servers, _identity(started, certificate)
    protocol = None
    if login is not None or identity is not None:
        protocol = ("SASL_" if login is not None else "") + ("PLAINTEXT" if identity is None else "SSL")
    if client in PEM:
        if identity is None:
            raise ValueError(NO_TLS)
        return identity.as_files()
    if client in KAFKAJS:
        return {
            "brokers": servers.split(","),
            **_of_kafkajs(login),
            **({} if identity is None else identity.of_kafkajs()),
        }
    if client in (*LIBRDKAFKA, *JAVA):
        config: dict[str, object] = {"bootstrap.servers": servers}
        if protocol is not None:
            config["security.protocol"] = protocol
        if client in JAVA:
            return {**config, **_of_java(login), **({} if identity is None else identity.of_java())}
        return {**config, **_of_librdkafka(login), **({} if identity is None else identity.of_librdkafka())}
    config = {"bootstrap_servers": servers.split(",") if client in KAFKA_PYTHON else servers}
    if protocol is not None:
        config["security_protocol"] = protocol
    config |= _of_python(login)
    if identity is not None:
        config |= identity.of_kafka_python() if client in KAFKA_PYTHON else identity.of_aiokafka()
    return config


def _identity(started: Started, certificate: str | None) -> ClientIdentity | None:
    if started.certificates is None:
        if certificate is not None:
            raise ValueError(NO_TLS)
        return None
    from kafkapy.testing.certificates import CLIENT, identity_of

    name = certificate or (CLIENT if started.wants_certificates else None)
    return identity_of(started.certificates, name)


def _of_librdkafka(login: ClientLogin | None) -> dict[str, object]:
    if login is None:
        return {}
    return {
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
        "sasl.mechanism": login.mechanism,
        "sasl.jaas.config": f'{module} required username="{user}" password="{password}";',
    }


def _of_python(login: ClientLogin | None) -> dict[str, object]:
    if login is None:
        return {}
    return {
        "sasl_mechanism": login.mechanism,
        "sasl_plain_username": login.user,
        "sasl_plain_password": login.password,
    }


def _of_kafkajs(login: ClientLogin | None) -> dict[str, object]:
    if login is None:
        return {}
    return {"sasl": {"mechanism": login.mechanism.lower(), "username": login.user, "password": login.password}}
