"""Ready-made configurations of client libraries, in each library's own words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kafkapy.testing.certificates import ClientIdentity
    from kafkapy.testing.server import Started

LIBRDKAFKA: Final = ("librdkafka", "confluent_kafka", "confluent-kafka")
KAFKA_PYTHON: Final = ("kafka-python", "kafka_python")
AIOKAFKA: Final = ("aiokafka",)
JAVA: Final = ("java",)
KNOWN: Final = (*LIBRDKAFKA, *KAFKA_PYTHON, *AIOKAFKA, *JAVA)


def config_for(client: str, started: Started, certificate: str | None = None) -> dict[str, object]:
    """What a client of this library needs to connect, with the certificate of that name if it has one.

    Raises ValueError: there is no such library here; LookupError: no such certificate was made.
    """
    if client not in KNOWN:
        raise ValueError(f"there is no configuration for {client!r}: there are {', '.join(KNOWN)}")
    servers, identity = started.bootstrap_servers, _identity(started, certificate)
    if client in LIBRDKAFKA:
        return {"bootstrap.servers": servers, **({} if identity is None else identity.of_librdkafka())}
    if client in JAVA:
        return {"bootstrap.servers": servers, **({} if identity is None else identity.of_java())}
    if client in KAFKA_PYTHON:
        return {"bootstrap_servers": servers.split(","), **({} if identity is None else identity.of_kafka_python())}
    return {"bootstrap_servers": servers, **({} if identity is None else identity.of_aiokafka())}


def certificates_of(started: Started) -> Path:
    """Their directory. Raises RuntimeError: it has no TLS."""
    if started.certificates is None:
        raise RuntimeError("TLS was not asked for: Kafka(tls=True)")
    return Path(started.certificates)


def _identity(started: Started, certificate: str | None) -> ClientIdentity | None:
    if certificate is None and started.certificates is None:
        return None
    from kafkapy.testing.certificates import CLIENT, ClientIdentity

    name = certificate or (CLIENT if started.wants_certificates else None)
    return ClientIdentity.of(certificates_of(started), name)
