"""What clients have pushed of their metrics (KIP-714), at brokers whose settings name the receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from kafkapy.control.values import ClientMetric, ClientMetricsPush
from kafkapy.settings.receiver import CLIENT_METRICS_RECEIVER
from kafkapy_wire.uuid import uuid_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.telemetry.received import Push


VALUES_MAX: Final = 100_000
"""Returned at once: a value is a few bytes in a push, and a hundred times as many here."""


async def list_client_metrics(nodes: ControlledNodes, client_id: str | None = None) -> list[ClientMetricsPush]:
    """What one client, or all clients, have pushed of their metrics; the newest come last.

    A broker keeps its newest 1,000 pushes, 16 MiB at most; pushes are returned until they have 100,000 values together.
    Raises RuntimeError: no broker keeps any, or opentelemetry-proto is not installed.
    """
    brokers = list(nodes.asked_brokers())
    if brokers and not any(node.broker.client_metrics.has_receiver for node in brokers):
        raise RuntimeError(
            f"no broker keeps the metrics that clients push: set metric.reporters={CLIENT_METRICS_RECEIVER}, and add a "
            "subscription (kafka-client-metrics --alter --generate-name --metrics '*')"
        )
    pushes = [
        (node.node_id, push)
        for node in brokers
        for push in node.broker.client_metrics.received
        if client_id in (None, push.client_id)
    ]
    pushes.sort(key=lambda pair: pair[1].time_ms)
    if not pushes:
        return []
    # Some megabytes of protobuf, at the most.
    return await trio.to_thread.run_sync(_newest, pushes)


def _newest(pushes: Sequence[tuple[int, Push]]) -> list[ClientMetricsPush]:
    """As many of the newest as have VALUES_MAX values together, in their order; the newest in any case."""
    found: list[ClientMetricsPush] = []
    count = 0
    for node_id, push in reversed(pushes):
        decoded = _decoded(node_id, push)
        count += len(decoded.metrics)
        if found and count > VALUES_MAX:
            break
        found.append(decoded)
    return found[::-1]


def _decoded(node_id: int, push: Push) -> ClientMetricsPush:
    from kafkapy.telemetry.otlp import decode

    decoded = decode(push.data)
    return ClientMetricsPush(
        node=node_id,
        client_instance_id=uuid_text(push.client_instance_id),
        client_id=push.client_id,
        software=push.software,
        address=push.address,
        time_ms=push.time_ms,
        is_terminating=push.is_terminating,
        is_malformed=decoded is None,
        resource={} if decoded is None else decoded.resource,
        metrics=()
        if decoded is None
        else tuple(
            ClientMetric(
                name=point.name,
                kind=point.kind,
                unit=point.unit,
                attributes=point.attributes,
                value=point.value,
                count=point.count,
            )
            for point in decoded.points
        ),
    )
