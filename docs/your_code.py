"""What the pages call "your code", and what their blocks use without an import: names for those blocks to run with."""

from __future__ import annotations

import unittest as unittest

import pytest as pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, Producer

from kafkapy.cluster import Cluster as Cluster
from kafkapy.cluster import members_of as members_of
from kafkapy.node import Node as Node
from kafkapy.testing import AsyncKafka as AsyncKafka
from kafkapy.testing import Kafka as Kafka


def place_order(bootstrap_servers: str, customer: str, order: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 0, "retry.backoff.ms": 10})
    producer.produce("orders", key=customer, value=order)
    producer.flush()


async def place_order_async(bootstrap_servers: str, customer: str, order: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, retry_backoff_ms=10) as producer:
        await producer.send_and_wait("orders", order.encode(), key=customer.encode())


def run_billing(bootstrap_servers: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "client.id": "billing",
            "group.id": "billing",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["orders"])
    message = consumer.poll(10)
    assert message is not None
    consumer.commit(message=message, asynchronous=False)
    consumer.close()
