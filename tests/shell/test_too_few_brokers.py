"""A lone node whose settings ask for more replicas than there are brokers: its log says what cannot work, and why."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kafkapy.clock import ManualClock
from kafkapy.metadata.internal_topics import too_few_brokers
from kafkapy.metadata.refused_topics import PERIOD_MS, REASONS_MAX, RefusedTopics
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from kafkapy_wire.uuid import Uuid, uuid_text
from tests.shell.running_node import Client, connect, records_of, running_node, trio_test

TOPIC_ID = uuid_text(Uuid(bytes(range(16))))


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("key_type", "key", "setting", "line"),
    [
        (
            *(0, "g", "offsets.topic.replication.factor"),
            "consumer groups cannot work: the topic __consumer_offsets cannot be created",
        ),
        (
            *(1, "t", "transaction.state.log.replication.factor"),
            "transactions cannot work: the topic __transaction_state cannot be created",
        ),
        (
            *(2, f"g:{TOPIC_ID}:0", "share.coordinator.state.topic.replication.factor"),
            "share groups cannot work: the topic __share_group_state cannot be created",
        ),
    ],
)
@trio_test
async def test_a_coordinator_whose_topic_cannot_be_created_is_told_of_once(
    key_type: int, key: str, setting: str, line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path, {setting: "3"}) as node, connect(node) as client:
        request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
        for _ in range(5):
            answer = await client.ask(request, FindCoordinatorResponse)
            assert [one.error_code for one in answer.coordinators] == [ErrorCode.COORDINATOR_NOT_AVAILABLE]
        assert lines_of(caplog) == [
            f"{line}: {setting} is 3, and 1 broker is registered: set it to 1, or start more brokers"
        ]
        await client.alter_config(4, "1", "log.retention.ms", "1000")  # the node serves everything else


@trio_test
async def test_what_cannot_be_created_for_clients_is_told_of_once_a_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path, {"default.replication.factor": "2"}) as node, connect(node) as client:
        client.client_id = "app"
        for _ in range(3):
            for name in ("orders", "bills"):
                assert await make(client, name) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        line = (
            "cannot create topics that client 'app' asks for (auto.create.topics.enable): orders: "
            "default.replication.factor is 2, and 1 broker is registered: set it to 1, or start more brokers"
        )
        assert lines_of(caplog) == [line]
        node.clock.advance(PERIOD_MS)
        await make(client, "orders")
        assert lines_of(caplog) == [line, line]


async def make(client: Client, name: str) -> int:
    request = MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=True)
    return (await client.ask(request, MetadataResponse)).topics[0].error_code


@trio_test
async def test_more_replicas_in_sync_than_there_are_are_not_asked_for(tmp_path: Path) -> None:
    """As in Apache Kafka, min.insync.replicas is at most the number of the partition's replicas."""
    async with running_node(tmp_path, {"min.insync.replicas": "2"}) as node, connect(node) as client:
        await client.create_topic("orders")
        await client.produce("orders", b"1")
        assert [record.value for record in records_of(await client.fetch("orders"))] == [b"1"]


def test_a_factor_that_can_be_reached_is_no_reason() -> None:
    """Some of the brokers may be fenced, or have no room: then the controller's words stand."""
    assert too_few_brokers("x", 3, 3) is None
    assert too_few_brokers("x", -1, 0) is None
    assert too_few_brokers("x", 3, 2) == "x is 3, and 2 brokers are registered: set it to 2, or start more brokers"


def test_reasons_that_clients_make_up_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(frozen=True)
    refused = RefusedTopics(clock)
    for number in range(1_000):
        refused.log(["n" * 300] * 500, "c" * 30_000, f"topic {number} is too much like another one")
    assert len(lines_of(caplog)) == REASONS_MAX
    assert max(map(len, lines_of(caplog))) < 1_000
    assert " and 497 more: topic 0 " in lines_of(caplog)[0]
    clock.advance(PERIOD_MS)
    refused.log(["a"], None, "topic 0 is too much like another one")
    assert len(lines_of(caplog)) == REASONS_MAX + 1
