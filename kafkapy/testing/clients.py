"""Ready-made configurations of client libraries, in each library's own words."""

from __future__ import annotations

from typing import Final

LIBRDKAFKA: Final = ("librdkafka", "confluent_kafka", "confluent-kafka")
KAFKA_PYTHON: Final = ("kafka-python", "kafka_python")
AIOKAFKA: Final = ("aiokafka",)
JAVA: Final = ("java",)
KNOWN: Final = (*LIBRDKAFKA, *KAFKA_PYTHON, *AIOKAFKA, *JAVA)


def config_for(client: str, bootstrap_servers: str) -> dict[str, object]:
    """What a client of this library needs to connect. Raises ValueError: there is no such library here."""
    if client in (*LIBRDKAFKA, *JAVA):
        return {"bootstrap.servers": bootstrap_servers}
    if client in KAFKA_PYTHON:
        return {"bootstrap_servers": bootstrap_servers.split(",")}
    if client in AIOKAFKA:
        return {"bootstrap_servers": bootstrap_servers}
    raise ValueError(f"there is no configuration for {client!r}: there are {', '.join(KNOWN)}")
