"""The lines that Apache Kafka logs while it starts, and that scripts and test frameworks wait for.

They are printed when all listeners accept, never before, in the order of Apache Kafka's log. Several are from old
releases: a program that looks for one of those looks for it in the log of any image that it was given.
"""

from __future__ import annotations

from datetime import datetime

_OF_BROKERS = (
    "[LogLoader partition=__cluster_metadata-0] Creating new log file (kafka.log.LogLoader)",
    "[BrokerLifecycleManager id={id}] Transitioning from RECOVERY to RUNNING. (kafka.server.BrokerLifecycleManager)",
    "[BrokerServer id={id}] Transition from STARTING to STARTED (kafka.server.BrokerServer)",
    "[KafkaServer id={id}] started (kafka.server.KafkaServer)",
    "[KafkaRaftServer nodeId={id}] Kafka Server started (kafka.server.KafkaRaftServer)",
    "[Controller id={id}] Checking need to trigger auto leader balancing (kafka.controller.KafkaController)",
)
_OF_CONTROLLERS = ("[KafkaRaftServer nodeId={id}] Kafka Server started (kafka.server.KafkaRaftServer)",)


def log_lines(node_id: int, *, is_broker: bool) -> str:
    """The lines of a node that serves, in the format of Apache Kafka's log."""
    time = datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    lines = _OF_BROKERS if is_broker else _OF_CONTROLLERS
    return "\n".join(f"[{time}] INFO {line.format(id=node_id)}" for line in lines)
