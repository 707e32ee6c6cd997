"""How long a partition has no leader after SIGKILL: of one broker, and of the node that is the active controller, too.

A client knows the cluster: it asks a living node for the leader every few milliseconds, and produces one record with
acks=all. The gap ends when that is answered. With the default settings a broker is missed for nine seconds before
another one leads (broker.session.timeout.ms). `failover_short` has the settings that a test would choose.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.cluster_client import active_controller, create_assigned_topic, metadata_of, until
from benchmarks.clusters import NODE_COUNT
from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Broker, Peer
from benchmarks.raw_client import (
    NOT_YET,
    TIMEOUT_SECONDS,
    Connection,
    UnexpectedAnswer,
    one_record_batch,
    produce_request,
    produce_version,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.produce import ProduceResponse

TOPIC = "failover"
ATTEMPTS, ATTEMPT_SECONDS = 10, 5.0
ASK_SECONDS = 0.002
SHORT = {
    "broker.heartbeat.interval.ms": "30",
    "broker.session.timeout.ms": "150",
    "controller.quorum.election.timeout.ms": "50",
    "controller.quorum.election.backoff.max.ms": "50",
    "controller.quorum.fetch.timeout.ms": "100",
    "controller.quorum.request.timeout.ms": "100",
}


@dataclass(frozen=True, slots=True)
class FailoverMetrics:
    broker: Metric
    controller: Metric
    elected: Metric


def _metrics(key: str, settings: str) -> FailoverMetrics:
    return FailoverMetrics(
        Metric(f"{key}_broker_seconds", f"SIGKILL of a broker until its partition takes records, {settings}", "s"),
        Metric(f"{key}_controller_seconds", f"SIGKILL of the active controller, the same, {settings}", "s"),
        Metric(f"{key}_elected_seconds", "... of it until there is another controller", "s"),
    )


def measure(metrics: FailoverMetrics, settings: Mapping[str, str], peer: Peer, _scale: Scale) -> Figures:
    figures: dict[str, float] = {}
    for kills_controller in (False, True):
        with peer.running(settings, durable=True) as cluster:
            with Connection(cluster.address) as connection:
                controller = active_controller(connection)
                victim = controller if kills_controller else controller % NODE_COUNT + 1
                topic = _create_topic_led_by(victim, connection)
            witness = victim % NODE_COUNT + 1
            with Connection(cluster.addresses[witness - 1]) as connection:
                begin = time.perf_counter()
                cluster.kill_node(victim)
                if kills_controller:
                    until(partial(_has_controller, connection, victim), "another controller", pause_max=ASK_SECONDS)
                    figures[metrics.elected.key] = time.perf_counter() - begin
                until(
                    partial(_takes_records, cluster, connection, topic, victim), "another leader", pause_max=ASK_SECONDS
                )
            gap = metrics.controller if kills_controller else metrics.broker
            figures[gap.key] = time.perf_counter() - begin
    return figures


def _create_topic_led_by(node_id: int, connection: Connection) -> str:
    """A topic that the node leads, with all replicas in sync. Raises UnexpectedAnswer.

    With short timeouts on a busy machine a node may be missed in between, and not lead any more: then another is made.
    """
    replicas = [(node_id - 1 + n) % NODE_COUNT + 1 for n in range(NODE_COUNT)]

    def is_led(topic: str) -> bool:
        partitions = metadata_of(connection, topic).topics[0].partitions
        return bool(partitions) and partitions[0].leader_id == node_id and len(partitions[0].isr_nodes) == NODE_COUNT

    for number in range(ATTEMPTS):
        topic = f"{TOPIC}-{number}"
        create_assigned_topic(connection, topic, {0: replicas})
        with contextlib.suppress(UnexpectedAnswer):
            until(partial(is_led, topic), f"node {node_id} leads {topic}", seconds=ATTEMPT_SECONDS)
            return topic
    raise UnexpectedAnswer(f"node {node_id} does not keep the lead of a partition")


def _has_controller(connection: Connection, victim: int) -> bool:
    try:
        return active_controller(connection) not in (-1, victim)
    except UnexpectedAnswer:
        return False


def _takes_records(cluster: Broker, connection: Connection, topic: str, victim: int) -> bool:
    response = metadata_of(connection, topic)
    leader = response.topics[0].partitions[0].leader_id
    if leader in (-1, victim):
        return False
    version = produce_version(cluster.served)
    with Connection(cluster.addresses[leader - 1], timeout_seconds=TIMEOUT_SECONDS) as producer:
        answer = producer.call(ApiKey.PRODUCE, produce_request([topic], one_record_batch()), version, ProduceResponse)
    error = answer.responses[0].partition_responses[0].error_code
    if error not in (ErrorCode.NONE, *NOT_YET):
        raise UnexpectedAnswer(f"Produce: error {error}")
    return error == ErrorCode.NONE


_DEFAULT = _metrics("failover", "default settings")
_SHORT = _metrics("failover_short", "short timeouts")
FAILOVER_SHORT_GAPS = (_SHORT.broker, _SHORT.controller)

FAILOVER = LifecycleRow(
    name="failover",
    metrics=(_DEFAULT.broker, _DEFAULT.controller, _DEFAULT.elected),
    measure=partial(measure, _DEFAULT, {}),
    time_limit_seconds=300.0,
    rounds_max=1,
)
FAILOVER_SHORT = LifecycleRow(
    name="failover_short",
    metrics=(_SHORT.broker, _SHORT.controller, _SHORT.elected),
    measure=partial(measure, _SHORT, SHORT),
    time_limit_seconds=300.0,
    rounds_max=3,
)
