from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.test import Client

if TYPE_CHECKING:
    from kafkapy.testing import Kafka

pytestmark = pytest.mark.kafka(topics={"orders": 1})
ORDER = {"customer": "alice", "item": "tea"}


def test_an_order_is_in_the_database_and_in_kafka(shop: Kafka) -> None:
    from orders.models import Order

    assert Client().post("/orders", ORDER).status_code == 201
    order = Order.objects.get()
    [record] = shop.records("orders")
    assert json.loads(record.value or b"") == {"id": order.pk, **ORDER}


def test_an_order_that_kafka_refuses_is_not_in_the_database(shop: Kafka) -> None:
    from orders.models import Order

    shop.faults.add(api="Produce", topic="orders", error="TOPIC_AUTHORIZATION_FAILED", must_fire=True)
    assert Client().post("/orders", ORDER).status_code == 503
    assert Order.objects.count() == 0


def test_an_order_whose_answer_is_lost_is_in_kafka_all_the_same(shop: Kafka) -> None:
    """What no transaction of a database can change; an outbox table can."""
    from orders.models import Order

    shop.faults.add(api="Produce", topic="orders", black_hole="after", must_fire=True)
    assert Client().post("/orders", ORDER).status_code == 503
    assert Order.objects.count() == 0
    assert len(shop.records("orders")) == 1


def test_an_order_is_billed(shop: Kafka) -> None:
    from orders.kafka import bill
    from orders.models import Order

    Client().post("/orders", ORDER)
    bill(1)
    assert Order.objects.get().is_billed
    assert shop.group("billing").offsets == {("orders", 0): 1}


def test_the_project_has_no_mistake() -> None:
    call_command("check")
