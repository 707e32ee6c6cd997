"""A shop: POST /orders stores an order in Kafka, and a subscriber writes an invoice for each."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from faststream.kafka import KafkaBroker
from pydantic import BaseModel


class Order(BaseModel):
    customer: str
    item: str
    amount: int = 1


class Invoice(BaseModel):
    customer: str
    text: str
    cents: int


def make_app(bootstrap_servers: str) -> FastAPI:
    broker = KafkaBroker(bootstrap_servers, retry_backoff_ms=10)

    @broker.subscriber("orders", group_id="billing", auto_offset_reset="earliest")
    @broker.publisher("invoices")
    async def bill(order: Order) -> Invoice:
        return Invoice(customer=order.customer, text=f"{order.amount} {order.item}", cents=250 * order.amount)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await broker.start()
        yield
        await broker.stop()

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=202)
    async def place_order(order: Order) -> None:
        await broker.publish(order, "orders", key=order.customer.encode())

    return app


def app() -> FastAPI:
    """For `uvicorn --factory app:app`."""
    return make_app(os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"))
