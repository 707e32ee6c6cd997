"""What `kafka.produce` says of records that are there and not there."""

from __future__ import annotations

import pytest

from kafkapy.control import records
from kafkapy.testing import Kafka, NotYet
from kafkapy_wire.errors import ErrorCode, KafkaError


def test_records_that_are_appended_and_not_replicated_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "TIMEOUT_MS", 300)
    with Kafka(nodes=3) as kafka:
        kafka.create_topic("orders", 1, replicas=3)
        leader = kafka.topic("orders").partitions[0].leader
        kafka.faults.add(api="Fetch", sender="nodes", broker=leader, hold="before")
        with pytest.raises(
            KafkaError, match=r"are appended to orders-0, .* of the ISR \([123], [123], [123]\)"
        ) as raised:
            kafka.produce("orders", "a")
        assert raised.value.code is ErrorCode.REQUEST_TIMED_OUT
        kafka.faults.clear()
        assert [each.value for each in kafka.wait_for_records("orders", timeout=30)] == [b"a"]


def test_a_wait_for_records_of_a_topic_that_is_not_there_names_the_one_that_is_meant() -> None:
    with Kafka(topics={"orders": 1}) as kafka:
        with pytest.raises(NotYet, match=r"now there is no topic 'ordres' \(did you mean 'orders'\?\)"):
            kafka.wait_for_records("ordres", timeout=0.02)
        with pytest.raises(NotYet, match="now topic 'orders' has 0"):
            kafka.wait_for_records("orders", timeout=0.02)
