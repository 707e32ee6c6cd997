"""Ready-made configurations of client libraries, in each library's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kafkapy.testing.certificates import ClientIdentity
    from kafkapy.testing.server import Started

LIBRDKAFKA: Final = ("librdkafka", "confluent_kafka", "confluent-kafka")
KAFKA_PYTHON: Final = ("kafka-python", "kafka_python")
AIOKAFKA: Final = ("aiokafka",)
JAVA: Final = ("java",)
PEM: Final = ("pem",)
"""The paths of files, for any other client."""
KNOWN: Final = (*LIBRDKAFKA, *KAFKA_PYTHON, *AIOKAFKA, *JAVA, *PEM)


def config_for(client: str, started: Started, certificate: str | None = None) -> dict[str, object]:
    """What a client of this library needs to connect. `certificate`: whose it shows, in a cluster with TLS.

    Raises ValueError: there is no such library here, or no TLS.
    """
    if client not in KNOWN:
        raise ValueError(f"there is no configuration for {client!r}: there are {', '.join(KNOWN)}")
    servers, identity = started.bootstrap_servers, _identity(started, certificate)
    if client in PEM:
        if identity is None:
            raise ValueError("TLS was not asked for: Kafka(tls=True)")
        return identity.as_files()
    if client in LIBRDKAFKA:
        return {"bootstrap.servers": servers, **({} if identity is None else identity.of_librdkafka())}
    if client in JAVA:
        return {"bootstrap.servers": servers, **({} if identity is None else identity.of_java())}
    if client in KAFKA_PYTHON:
        return {"bootstrap_servers": servers.split(","), **({} if identity is None else identity.of_kafka_python())}
    return {"bootstrap_servers": servers, **({} if identity is None else identity.of_aiokafka())}


def _identity(started: Started, certificate: str | None) -> ClientIdentity | None:
    if started.certificates is None:
        if certificate is not None:
            raise ValueError("TLS was not asked for: Kafka(tls=True)")
        return None
    from kafkapy.testing.certificates import CLIENT, identity_of

    name = certificate or (CLIENT if started.wants_certificates else None)
    return identity_of(started.certificates, name)
