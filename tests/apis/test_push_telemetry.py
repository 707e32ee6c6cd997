"""PushTelemetry in a running node: what is kept is decompressed, and bombs are not."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from kafkapy.node import Node
from kafkapy.settings.receiver import CLIENT_METRICS_RECEIVER
from kafkapy_wire.compression import Compression, compress
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)
from kafkapy_wire.messages.push_telemetry import PushTelemetryRequest, PushTelemetryResponse
from kafkapy_wire.uuid import ZERO_UUID, Uuid
from tests.shell.running_node import Client, connect, running_node, trio_test

OTLP = b"some metrics " * 1_000
MAX_BYTES = 100_000
BOMB_BYTES = 64 * 1024 * 1024
SETTINGS = {"metric.reporters": CLIENT_METRICS_RECEIVER, "telemetry.max.bytes": str(MAX_BYTES)}


async def ask(client: Client, client_instance_id: Uuid = ZERO_UUID) -> GetTelemetrySubscriptionsResponse:
    request = GetTelemetrySubscriptionsRequest(client_instance_id=client_instance_id)
    answer = await client.ask(request, GetTelemetrySubscriptionsResponse, 0)
    assert answer.error_code == ErrorCode.NONE
    assert answer.telemetry_max_bytes == MAX_BYTES
    return answer


async def push(client: Client, data: bytes, compression: Compression, *, is_last: bool = False) -> int:
    """As a client that has just been told what to push: the error code."""
    asked = await ask(client)
    request = PushTelemetryRequest(
        client_instance_id=asked.client_instance_id,
        subscription_id=asked.subscription_id,
        compression_type=compression,
        metrics=data,
        terminating=is_last,
    )
    return (await client.ask(request, PushTelemetryResponse, 0)).error_code


def kept(node: Node) -> list[bytes]:
    return [each.data for each in node.broker.client_metrics.received]


@trio_test
async def test_pushes_are_kept_decompressed_and_in_their_order(tmp_path: Path) -> None:
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        sent = []
        for number, codec in enumerate(Compression):
            data = OTLP + bytes([number])
            assert await push(client, compress(data, codec), codec, is_last=True) == ErrorCode.NONE
            sent.append(data)
        assert kept(node) == sent
        last = list(node.broker.client_metrics.received)[-1]
        assert last.is_terminating
        assert last.address.startswith("127.0.0.1:")


@pytest.mark.parametrize("codec", [each for each in Compression if each is not Compression.NONE])
def test_a_bomb_is_refused_before_it_is_unpacked(codec: Compression, tmp_path: Path) -> None:
    bomb = compress(bytes(BOMB_BYTES), codec)

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, {**SETTINGS, "telemetry.max.bytes": "4000000"}) as node:
            async with connect(node) as client:
                asked = await client.ask(GetTelemetrySubscriptionsRequest(), GetTelemetrySubscriptionsResponse, 0)
                request = PushTelemetryRequest(
                    client_instance_id=asked.client_instance_id,
                    subscription_id=asked.subscription_id,
                    compression_type=codec,
                    metrics=bomb,
                )
                tracemalloc.start()
                try:
                    answer = await client.ask(request, PushTelemetryResponse, 0)
                    peak_bytes = tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()
            assert answer.error_code == ErrorCode.INVALID_RECORD
            assert peak_bytes < BOMB_BYTES // 2
            assert kept(node) == []

    run()


@trio_test
async def test_bytes_that_are_not_of_their_codec_are_refused(tmp_path: Path) -> None:
    async with running_node(tmp_path, SETTINGS) as node, connect(node) as client:
        for codec in Compression:
            wanted = ErrorCode.NONE if codec is Compression.NONE else ErrorCode.INVALID_RECORD
            assert await push(client, b"not compressed", codec) == wanted
        assert kept(node) == [b"not compressed"]
        assert await push(client, bytes(MAX_BYTES + 1), Compression.NONE) == ErrorCode.TELEMETRY_TOO_LARGE
