"""One test's life: start a broker, create a topic, produce 100 records, consume them in a group, stop the broker.

The client is confluent-kafka, unmodified and with its defaults, for every peer: its own share is small (librdkafka is
C), and it is imported before the clock runs.
"""

from __future__ import annotations

import time
import uuid

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Broker, Peer
from benchmarks.raw_client import UnexpectedAnswer
from kafkapy_wire.api_keys import ApiKey

RECORD_COUNT = 100
CLIENT_TIMEOUT_SECONDS = 60.0
NO_REBALANCE_DELAY = {"group.initial.rebalance.delay.ms": "0"}

LIFE_SECONDS = Metric("life_seconds", "One test's life", "s")
WORK_SECONDS = Metric("life_work_seconds", "... of it create, produce, consume", "s")
LIFE_NO_DELAY_SECONDS = Metric("life_no_delay_seconds", "One test's life, no rebalance delay", "s")


def measure(peer: Peer, _scale: Scale) -> Figures:
    """A life with each peer's own defaults, and one with `group.initial.rebalance.delay.ms` = 0 for all.

    Kafka's default waits 3 s for more members before the first rebalance; kafkapy's does not. The mock waits as Kafka
    does and takes no settings.
    """
    life_seconds, work_seconds = _live(peer, {})
    no_delay_seconds, _ = _live(peer, NO_REBALANCE_DELAY)
    return {
        LIFE_SECONDS.key: life_seconds,
        WORK_SECONDS.key: work_seconds,
        LIFE_NO_DELAY_SECONDS.key: no_delay_seconds,
    }


def _live(peer: Peer, settings: dict[str, str]) -> tuple[float, float]:
    with peer.running(settings) as broker:
        launched = time.perf_counter()
        _use(broker)
        used = time.perf_counter()
        broker.stop()
        stopped = time.perf_counter()
    # From the spawn: what goes before it in running() is ours.
    return broker.start_seconds + stopped - launched, used - launched


def _use(broker: Broker) -> None:
    topic = f"life-{uuid.uuid4().hex[:8]}"
    settings: dict[str, str | int | float | bool] = {"bootstrap.servers": broker.bootstrap, "log_level": 0}
    if ApiKey.CREATE_TOPICS in broker.served:  # the mock creates topics only when they are asked for
        admin = AdminClient(settings)
        for created in admin.create_topics([NewTopic(topic, 1, 1)]).values():
            created.result(CLIENT_TIMEOUT_SECONDS)
    producer = Producer(settings)
    for number in range(RECORD_COUNT):
        producer.produce(topic, key=b"%d" % number, value=bytes(100))
    if producer.flush(CLIENT_TIMEOUT_SECONDS):
        raise UnexpectedAnswer("the producer could not deliver its records")
    consumer = Consumer({**settings, "group.id": f"group-{topic}", "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        deadline = time.monotonic() + CLIENT_TIMEOUT_SECONDS
        received = 0
        while received < RECORD_COUNT:
            if time.monotonic() > deadline:
                raise UnexpectedAnswer(f"{received} of {RECORD_COUNT} records after {CLIENT_TIMEOUT_SECONDS:.0f} s")
            for message in consumer.consume(RECORD_COUNT, timeout=1.0):
                if message.error() is not None:
                    raise KafkaException(message.error())
                received += 1
    finally:
        consumer.close()  # commits, and leaves the group


LIFE = LifecycleRow(
    name="life", metrics=(LIFE_SECONDS, WORK_SECONDS, LIFE_NO_DELAY_SECONDS), measure=measure, time_limit_seconds=300.0
)
