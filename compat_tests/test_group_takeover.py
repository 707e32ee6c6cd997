"""A consumer group (KIP-848) moves between Apache Kafka 4.4.0 and us, and becomes a classic one and back on the way.

Each reads the records of the other. Members of the classic protocol that come under the group's name must not leave a
mixture of both kinds of records in `__consumer_offsets`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from compat_tests.apache_kafka import ApacheKafka
from compat_tests.broker import Broker
from compat_tests.conftest import SETTINGS
from compat_tests.deadlines import PATIENCE_SECONDS, eventually
from compat_tests.kafkapy_process import KafkapyProcess
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.message import Message
from kafkapy_wire.record_formats import group_coordinator
from kafkapy_wire.record_formats.group_coordinator import ConsumerGroupMemberMetadataValue
from kafkapy_wire.records import decode_records, split_batches

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

pytestmark = pytest.mark.usefixtures("java")

TOPIC = "orders"
GROUP = "of-kip-848"
RECORD_COUNT = 12
# Apache Kafka's coordinator may begin to load before its broker knows that it leads, and tries again when it does.
NOT_LEADER_YET = "partition is not online or is no longer the leader"


def test_a_consumer_group_moves_to_and_fro_with_its_offsets(tmp_path: Path) -> None:
    theirs = ApacheKafka(SETTINGS, data_dir=tmp_path / "data", voters_in_log=True)
    ours = KafkapyProcess(SETTINGS, data_dir=tmp_path / "data", port=theirs.port)
    with closing(ours), closing(theirs):
        theirs.start()
        produce(theirs)
        assert consume(theirs, 3, **{"group.protocol": "consumer"}) == ["0", "1", "2"]
        theirs.stop()
        members = [
            value for value in stored_values(tmp_path / "data") if type(value) is ConsumerGroupMemberMetadataValue
        ]
        assert [member.classic_member_metadata for member in members] == [None]

        ours.start()
        assert groups(ours) == {GROUP: "consumer"}
        assert consume(ours, 2, **{"group.protocol": "consumer"}) == ["3", "4"]
        assert consume(ours, 2) == ["5", "6"]
        assert groups(ours) == {GROUP: "classic"}
        assert consume(ours, 1, **{"group.protocol": "consumer"}) == ["7"]
        assert groups(ours) == {GROUP: "consumer"}
        assert not ours.bugs()
        ours.stop()

        theirs.start()
        eventually(lambda: groups(theirs) == {GROUP: "consumer"}, "the group is loaded")
        assert consume(theirs, 1) == ["8"]
        assert groups(theirs) == {GROUP: "classic"}
        # And back to the protocol in which it began.
        assert consume(theirs, 3, **{"group.protocol": "consumer"}) == ["9", "10", "11"]
        assert groups(theirs) == {GROUP: "consumer"}
        errors = [line for line in theirs.output().splitlines() if "] ERROR " in line]
        assert [line for line in errors if NOT_LEADER_YET not in line] == []


def stored_values(data_dir: Path) -> Iterator[Message]:
    """Every value in `__consumer_offsets`, decoded; each must encode to the bytes that Apache Kafka wrote."""
    classes = {
        found.__schema__.api_key: found
        for found in vars(group_coordinator).values()
        if isinstance(found, type) and issubclass(found, Message) and hasattr(found, "__schema__")
        if found.__schema__.kind == "coordinator-value"
    }
    for path in data_dir.glob("__consumer_offsets-*/*.log"):
        for header, batch in split_batches(path.read_bytes()):
            for record in decode_records(batch):
                if record.value is None or header.is_control:
                    continue
                assert record.key is not None
                cls, version = classes[int.from_bytes(record.key[:2])], int.from_bytes(record.value[:2])
                value = decode(cls, record.value[2:], version)
                assert encode(value, version) == record.value[2:], value
                yield value


def produce(broker: Broker) -> None:
    client = {"bootstrap.servers": broker.bootstrap}
    admin = confluent_admin.AdminClient(client)
    admin.create_topics([confluent_admin.NewTopic(TOPIC, 1, 1)])[TOPIC].result(PATIENCE_SECONDS)
    producer = confluent_kafka.Producer(client)
    for n in range(RECORD_COUNT):
        producer.produce(TOPIC, str(n))
    assert producer.flush(PATIENCE_SECONDS) == 0


def consume(broker: Broker, count: int, **settings: str) -> list[str]:
    """The next records of the group, and a commit."""
    with consumer(broker, settings) as client:
        client.subscribe([TOPIC])
        messages = client.consume(count, PATIENCE_SECONDS)
        assert [message.error() for message in messages] == [None] * count
        client.commit(asynchronous=False)
        return [message.value().decode() for message in messages]


@contextmanager
def consumer(broker: Broker, settings: dict[str, str]) -> Iterator[Any]:
    client = confluent_kafka.Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": GROUP,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
        | settings
    )
    with closing(client):
        yield client


def groups(broker: Broker) -> dict[str, str]:
    """Name -> type; none while a coordinator still loads."""
    admin = confluent_admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    listed = admin.list_consumer_groups().result(PATIENCE_SECONDS)
    return {} if listed.errors else {group.group_id: group.type.name.lower() for group in listed.valid}
