"""The lines that Apache Kafka logs while it starts, and that scripts and test frameworks wait for.

They are printed when all listeners accept, never before, in the order of Apache Kafka's log. Several are from old
releases: a program that looks for one of those looks for it in the log of any image that it was given.

`log_lines` are those of the start; `say_balancing` prints the one that Apache Kafka logs a while later.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import trio

from kafkapy.client.streams import discard_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import Endpoint, MetadataImage

_OF_BROKERS = (
    "[LogLoader partition=__cluster_metadata-0] Creating new log file (kafka.log.LogLoader)",
    "[BrokerLifecycleManager id={id}] Transitioning from RECOVERY to RUNNING. (kafka.server.BrokerLifecycleManager)",
    "[BrokerServer id={id}] Transition from STARTING to STARTED (kafka.server.BrokerServer)",
    "[KafkaServer id={id}] started (kafka.server.KafkaServer)",
    "[KafkaRaftServer nodeId={id}] Kafka Server started (kafka.server.KafkaRaftServer)",
)
_OF_CONTROLLERS = ("[KafkaRaftServer nodeId={id}] Kafka Server started (kafka.server.KafkaRaftServer)",)
_BALANCING = "[Controller id={id}] Checking need to trigger auto leader balancing (kafka.controller.KafkaController)"
BALANCING_SECONDS = 5.0
"""When a controller that was elected first looks which partitions are not led by their preferred replicas: from
onControllerFailover of kafka.controller.KafkaController, 2.8.2."""


def log_lines(node_id: int, *, is_broker: bool) -> str:
    """The lines of a node that serves, in the format of Apache Kafka's log."""
    return "\n".join(_as_logged(line, node_id) for line in (_OF_BROKERS if is_broker else _OF_CONTROLLERS))


async def say_balancing(node_id: int, metadata: MetadataPublisher, advertised: Mapping[str, Endpoint]) -> None:
    """Print the line of a controller that looks at the balance of leaders, `BALANCING_SECONDS` after the start.

    It comes earlier if clients are told other addresses of this broker than `advertised`, those of its start. A script
    that lets `kafka-configs` change `advertised.listeners` of the broker that has just started, and waits for this line
    instead of the tool, trusts that the tool needs less than these seconds: it would wait for nothing else in them.
    """
    moved = trio.Event()

    def look(image: MetadataImage, _delta: MetadataDelta | None = None) -> None:
        broker = image.brokers.get(node_id)
        if broker is not None and broker.endpoints != advertised:
            moved.set()

    metadata.subscribe(look)
    try:
        look(metadata.image)
        with trio.move_on_after(BALANCING_SECONDS):
            await moved.wait()
    finally:
        metadata.unsubscribe(look)
    try:
        print(_as_logged(_BALANCING, node_id), flush=True)
    except OSError:  # a reader that is gone, a full disk
        discard_output()


def _as_logged(line: str, node_id: int) -> str:
    time = datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    return f"[{time}] INFO {line.format(id=node_id)}"
