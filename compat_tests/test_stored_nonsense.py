"""Records in `__consumer_offsets` that no coordinator has written: a client that calls itself an admin client may.

Apache Kafka 4.4.0 skips those of an unknown type, and does not serve the groups of a partition with any other one.
kafkapy skips both kinds, with a line in the log: the others in that partition are none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from compat_tests.broker import Broker
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.differential.peer import Peer
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup

confluent_kafka = pytest.importorskip("confluent_kafka")

TOPIC = "__consumer_offsets"
UNKNOWN_TYPE = (b"\0\x63of a later release", b"\0\0")
UNKNOWN_VERSION = (b"\0\1\0\1g\0\1t\0\0\0\0", b"\0\x63of a later release")
CUT_SHORT = (b"\0\1\0\1g\0\1t\0\0\0\0", b"\0\4cut")
NO_KEY_OF_A_COORDINATOR = (b"\0", b"value")


def test_what_a_record_costs_that_no_coordinator_wrote(
    start_broker: Callable[..., Broker], request: pytest.FixtureRequest
) -> None:
    is_apache = request.config.getoption("--broker") == "apache"
    broker = start_broker()
    groups = {partition: group_in(partition) for partition in range(4)}
    for group in groups.values():
        commit(broker, group)
    produce(broker, "an-ordinary-client", 0, UNKNOWN_TYPE, refused="Invalid topic")
    for partition, record in enumerate((UNKNOWN_TYPE, UNKNOWN_VERSION, CUT_SHORT, NO_KEY_OF_A_COORDINATOR)):
        produce(broker, "__admin_client", partition, record)
    broker.stop()
    broker.start()
    not_served = ErrorCode.NOT_COORDINATOR if is_apache else ErrorCode.NONE
    for partition, group in groups.items():
        expected = ErrorCode.NONE if partition == 0 else not_served
        eventually(partial(is_answered, broker, group, expected), f"{expected.name} to {group}")
    if not is_apache:
        for partition in (1, 2, 3):
            assert f"skipped the record at offset 1 of {TOPIC}-{partition}" in broker.output()


def group_in(partition: int) -> str:
    """A group of that partition out of four: by Java's String.hashCode."""
    for number in range(1_000):
        name, code = f"group-{number}", 0
        for character in name:
            code = (31 * code + ord(character)) & 0xFFFFFFFF
        if (code if code < 1 << 31 else (1 << 32) - code) % 4 == partition:
            return name
    raise AssertionError(partition)


def commit(broker: Broker, group: str) -> None:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    try:
        with Peer("a broker", "127.0.0.1", broker.port, None) as peer:
            if group == group_in(0):
                peer.create_topic("orders")
        consumer.commit(offsets=[confluent_kafka.TopicPartition("orders", 0, 7)], asynchronous=False)
    finally:
        consumer.close()


def produce(
    broker: Broker, client_id: str, partition: int, record: tuple[bytes, bytes], *, refused: str | None = None
) -> None:
    outcomes: list[object] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap, "client.id": client_id})
    key, value = record
    producer.produce(
        TOPIC, value, key, partition=partition, on_delivery=lambda error, _: outcomes.append(error and error.str())
    )
    assert producer.flush(PATIENCE_SECONDS) == 0
    (outcome,) = outcomes
    assert outcome is None if refused is None else refused in str(outcome), outcome


def is_answered(broker: Broker, group: str, expected: ErrorCode) -> bool:
    """Whether that is the error of a group's offsets; without one they are what was committed."""
    with Peer("a broker", "127.0.0.1", broker.port, None) as peer:
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=None)])
        (answer,) = peer.quietly(request, 8).groups
        if answer.error_code == ErrorCode.NONE:
            assert [partition.committed_offset for topic in answer.topics for partition in topic.partitions] == [7]
        return ErrorCode(answer.error_code) is expected
