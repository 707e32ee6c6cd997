"""What the project says to Kafka and hears from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, Producer
from django.conf import settings

from orders.models import Order

if TYPE_CHECKING:
    from confluent_kafka import Message


class NotSent(Exception):
    pass


def send(order: Order) -> None:
    """Raises NotSent."""
    results: list[object] = []
    producer = Producer({"bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS, "message.timeout.ms": 3_000})
    value = json.dumps({"id": order.pk, "customer": order.customer, "item": order.item})
    producer.produce("orders", value, key=order.customer, on_delivery=lambda error, _: results.append(error))
    producer.flush()
    if results[0] is not None:
        raise NotSent(results[0])


def bill(count: int, timeout: float = 10) -> None:
    """Mark the orders of the next `count` records as billed."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS,
            "group.id": "billing",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["orders"])
    try:
        for _ in range(count):
            message = consumer.poll(timeout)
            if message is None:
                return
            _bill_one(message)
            consumer.commit(message=message, asynchronous=False)
    finally:
        consumer.close()


def _bill_one(message: Message) -> None:
    if message.error():
        raise KafkaException(message.error())
    Order.objects.filter(pk=json.loads(message.value() or b"")["id"]).update(is_billed=True)
