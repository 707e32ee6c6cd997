"""What clients have pushed, as plain values."""

from __future__ import annotations

from typing import Any

import pytest

from kafkapy.control import client_metrics
from kafkapy.telemetry import received
from tests.telemetry.test_client_metrics import NOW_MS, instance_id

metrics_pb2 = pytest.importorskip("opentelemetry.proto.metrics.v1.metrics_pb2")


def metrics_data(*metrics: Any, **resource: str) -> bytes:
    data = metrics_pb2.MetricsData()
    of_resource = data.resource_metrics.add()
    for name, value in resource.items():
        of_resource.resource.attributes.add(key=name).value.string_value = value
    of_resource.scope_metrics.add().metrics.extend(metrics)
    encoded: bytes = data.SerializeToString()
    return encoded


def a_gauge(name: str, *values: float) -> Any:
    metric = metrics_pb2.Metric(name=name, unit="1")
    for value in values:
        metric.gauge.data_points.add(as_double=value)
    return metric


def push(data: bytes, number: int = 0) -> received.Push:
    return received.Push(
        client_instance_id=instance_id(number),
        client_id="c",
        software="a 1",
        address="h:1",
        time_ms=NOW_MS,
        is_terminating=False,
        data=data,
    )


def test_each_kind_of_metric_is_read() -> None:
    from kafkapy.telemetry.otlp import Point, decode

    total = metrics_pb2.Metric(name="total")
    point = total.sum.data_points.add(as_int=7)
    point.attributes.add(key="node.id").value.int_value = 1
    point.attributes.add(key="is.first").value.bool_value = True
    counted = metrics_pb2.Metric(name="counted")
    counted.histogram.data_points.add(count=3, sum=1.5)
    nothing = metrics_pb2.Metric(name="nothing")
    without_value = metrics_pb2.Metric(name="without")
    without_value.gauge.data_points.add()
    decoded = decode(metrics_data(a_gauge("g", 0.5), total, counted, nothing, without_value, client_rack="r"))
    assert decoded is not None
    assert decoded.resource == {"client_rack": "r"}
    assert decoded.points == (
        Point("g", "gauge", "1", {}, 0.5, None),
        Point("total", "sum", "", {"node.id": "1", "is.first": "true"}, 7, None),
        Point("counted", "histogram", "", {}, 1.5, 3),
        Point("without", "gauge", "", {}, None, None),
    )


def test_bytes_that_are_no_metrics_are_said_to_be_none() -> None:
    from kafkapy.telemetry.otlp import decode

    assert decode(b"\xff\xff\xff") is None
    (shown,) = client_metrics._newest([(1, push(b"\xff\xff\xff"))])
    assert shown.is_malformed
    assert shown.metrics == ()
    assert decode(b"") is not None


def test_a_push_of_very_many_values_is_cut_and_the_oldest_pushes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from kafkapy.telemetry import otlp

    monkeypatch.setattr(otlp, "POINTS_MAX", 100)
    monkeypatch.setattr(client_metrics, "VALUES_MAX", 250)
    many = metrics_data(a_gauge("g", *range(1_000)))
    shown = client_metrics._newest([(1, push(many, number)) for number in range(10)])
    assert [len(each.metrics) for each in shown] == [100, 100]
    assert shown[-1].client_instance_id != shown[0].client_instance_id
    monkeypatch.setattr(client_metrics, "VALUES_MAX", 10)
    assert len(client_metrics._newest([(1, push(many))])) == 1, "the newest in any case"
