"""OTLP's MetricsData, which clients push, in plain values. Imported late: few have opentelemetry-proto."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kafkapy.errors import how_to_install

try:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
except ImportError:
    raise RuntimeError(
        f"OTLP needs opentelemetry-proto, which is not installed: {how_to_install('telemetry')}"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

POINTS_MAX: Final = 10_000
"""Of one push: a client has some hundreds; what is more was made by somebody else, and is left out."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric. `kind` is OTLP's: gauge, sum, histogram, exponential_histogram, summary."""

    name: str
    kind: str
    unit: str
    attributes: dict[str, str]
    value: float | None
    """That of a gauge or a sum; of the others the sum of what they counted."""
    count: int | None
    """How many a histogram or a summary has counted."""


@dataclass(frozen=True, slots=True)
class Decoded:
    resource: dict[str, str]
    """What the client says of itself: `client_rack`, `group_id` and the like."""
    points: tuple[Point, ...]


def decode(data: bytes) -> Decoded | None:
    """None: the bytes are no MetricsData."""
    message = MetricsData()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    resource: dict[str, str] = {}
    for each in message.resource_metrics:
        resource |= _attributes(each.resource.attributes)
    points: list[Point] = []
    for point in _points(message):
        if len(points) == POINTS_MAX:
            break
        points.append(point)
    return Decoded(resource, tuple(points))


def _points(message: Any) -> Iterator[Point]:
    for of_resource in message.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points if kind else ():
                    is_number = kind in ("gauge", "sum")
                    yield Point(
                        metric.name,
                        kind,
                        metric.unit,
                        _attributes(point.attributes),
                        _number(point) if is_number else point.sum,
                        None if is_number else point.count,
                    )


def _number(point: Any) -> float | None:
    which = point.WhichOneof("value")
    return None if which is None else getattr(point, which)


def _attributes(pairs: Iterable[Any]) -> dict[str, str]:
    return {pair.key: _text(pair.value) for pair in pairs}


def _text(value: Any) -> str:
    which = value.WhichOneof("value")
    if which is None:
        return ""
    found = getattr(value, which)
    if which == "bool_value":
        return "true" if found else "false"
    return str(found).strip()
