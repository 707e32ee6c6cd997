"""The subscriptions to client metrics that the metadata has, and what they ask of a client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafkapy.coordinators.group.assignors.java_order import member_order
from kafkapy.settings.client_metrics import client_metrics_values, matching_patterns
from kafkapy_controller.image import ConfigResourceType
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkapy_controller.image import MetadataImage

PUSH_INTERVAL_DEFAULT_MS: Final = 300_000
"""When a client asks again to which no subscription applies."""
ALL_METRICS: Final = "*"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription: prefixes of names of metrics, how often, and of which clients."""

    metrics: tuple[str, ...]
    interval_ms: int
    patterns: Mapping[str, Any]
    """A compiled pattern by the attribute that it is for; a client has to match all of them."""

    def applies_to(self, attributes: Mapping[str, str]) -> bool:
        return all(
            name in attributes and pattern.fullmatch(attributes[name]) is not None
            for name, pattern in self.patterns.items()
        )


class Asked(NamedTuple):
    """What a client is asked for."""

    metrics: tuple[str, ...]
    """Prefixes of names, in the order of Java's HashSet, from which the subscription id is made; `*`: all metrics;
    empty: none."""
    push_interval_ms: int


def subscriptions_of(image: MetadataImage) -> list[Subscription]:
    found = []
    for (resource_type, _), values in image.configs.items():
        if resource_type != ConfigResourceType.CLIENT_METRICS or not values:
            continue
        metrics, interval_ms, patterns = client_metrics_values(values)
        try:
            found.append(Subscription(metrics, interval_ms, matching_patterns(patterns)))
        except KafkaError:
            continue  # a pattern that only Apache Kafka can read, in its metadata log: it matches nobody here
    return found


def asked_of(attributes: Mapping[str, str], subscriptions: Iterable[Subscription]) -> Asked:
    """What the subscriptions that apply to a client ask of it together."""
    metrics: dict[str, None] = {}
    interval_ms = PUSH_INTERVAL_DEFAULT_MS
    for subscription in subscriptions:
        if subscription.applies_to(attributes):
            metrics.update(dict.fromkeys(subscription.metrics))
            interval_ms = min(interval_ms, subscription.interval_ms)
    return Asked((ALL_METRICS,) if ALL_METRICS in metrics else tuple(member_order(metrics)), interval_ms)
