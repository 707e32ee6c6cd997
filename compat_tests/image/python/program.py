"""Containers by testcontainers' own Kafka module, or by kafkapy's, behind one command line:

    python program.py plain|kraft|network|sasl|kafkapy IMAGE

Starts one, sends three records to it and reads them as a group; prints what was read as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaConsumer, KafkaProducer
from testcontainers.core.network import Network
from testcontainers.kafka import KafkaContainer

VALUES = [b"one", b"two", b"three"]
POLL_MS = 90_000
JAAS = (
    'org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-secret" '
    'user_admin="admin-secret" user_alice="alice-secret";'
)
LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "alice",
    "sasl_plain_password": "alice-secret",
}


@contextmanager
def started(flow: str, image: str) -> Iterator[str]:
    if flow == "plain":
        with KafkaContainer(image) as kafka:
            yield kafka.get_bootstrap_server()
    elif flow == "kraft":
        with KafkaContainer(image).with_kraft() as kafka:
            yield kafka.get_bootstrap_server()
    elif flow == "network":
        with (
            Network() as network,
            KafkaContainer(image).with_kraft().with_network(network).with_network_aliases("kafka") as kafka,
        ):
            yield kafka.get_bootstrap_server()
    elif flow == "sasl":
        secure = KafkaContainer(image, listener_name="SECURE", security_protocol="SASL_PLAINTEXT").with_kraft()
        secure.with_env("KAFKA_SASL_ENABLED_MECHANISMS", "PLAIN")
        secure.with_env("KAFKA_LISTENER_NAME_SECURE_PLAIN_SASL_JAAS_CONFIG", JAAS)
        with secure as kafka:
            yield kafka.get_bootstrap_server()
    else:
        from kafkapy.testing.containers import KafkapyContainer

        with KafkapyContainer(image, settings={"num.partitions": "2"}, topics=["orders"]) as kafka:
            exit_code, output = kafka.exec(["kafka-topics", "--describe", "--bootstrap-server", "localhost:9092"])
            assert exit_code == 0, output
            assert b"Topic: orders\t" in output
            assert b"PartitionCount: 2" in output
            yield kafka.get_bootstrap_server()


def main(flow: str, image: str) -> None:
    with started(flow, image) as bootstrap:
        settings = {"bootstrap_servers": bootstrap, **(LOGIN if flow == "sasl" else {})}
        producer = KafkaProducer(**settings)
        for value in VALUES:
            producer.send("orders", value, partition=0)
        producer.flush()
        producer.close()
        consumer = KafkaConsumer("orders", group_id="g", auto_offset_reset="earliest", **settings)
        read: list[str] = []
        while len(read) < len(VALUES):
            polled = consumer.poll(timeout_ms=POLL_MS)
            assert polled, f"no record within {POLL_MS} ms"
            read += [record.value.decode() for records in polled.values() for record in records]
        consumer.close()
    print(json.dumps({"bootstrap": bootstrap, "read": read}))


if __name__ == "__main__":
    main(*sys.argv[1:])
