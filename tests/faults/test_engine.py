"""Several faults, those that have done their part, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkapy.faults import FaultEngine, FiredFault, InvalidRule, UnknownFault
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kafkapy_wire.messages.metadata import MetadataRequest
from kafkapy_wire.messages.produce import (
    ProduceResponse,
)
from tests.faults.fault_lab import errors_of, node_with_faults, produce_to
from tests.shell.running_node import (
    batch,
    connect,
    produce_request,
    running_node,
    trio_test,
    until_parked,
)


@trio_test
async def test_rules_are_added_together_or_not_at_all(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, _):
        with pytest.raises(InvalidRule) as refused:
            engine.add_all([{"delay_ms": 1}, {"api": "Produce", "topci": "orders", "error": 1}])
        assert refused.value.field == "[1].topci"
        assert refused.value.nearest == "topic"
        assert not engine.faults
        assert node.dispatcher.faults is None, "without faults a request costs nothing"
        one, other = engine.add_all([{"delay_ms": 1}, {"api": "Produce", "error": 1}])
        assert list(engine.faults) == [one, other]
        assert node.dispatcher.faults is engine
        with pytest.raises(UnknownFault, match="there is no fault 99; there are: "):
            engine.remove(99)
        engine.clear()
        assert node.dispatcher.faults is None


@trio_test
async def test_a_fault_that_has_done_its_part_costs_nothing_any_more(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, node, client):
        fault = engine.add({"api": "Heartbeat", "error": "NOT_COORDINATOR", "times": 1})
        await client.ask(HeartbeatRequest(group_id="g"), HeartbeatResponse)
        assert node.dispatcher.faults is None
        assert list(engine.faults) == [fault]


@trio_test
async def test_who_must_fire_and_has_not(tmp_path: Path) -> None:
    async with node_with_faults(tmp_path) as (engine, _, client):
        fired: list[FiredFault] = []
        engine.on_fired = fired.append
        fires = engine.add({"api": "Heartbeat", "error": "NOT_COORDINATOR", "must_fire": True})
        never = engine.add({"api": "SyncGroup", "error": "NOT_COORDINATOR", "must_fire": True})
        engine.add({"api": "JoinGroup", "error": "NOT_COORDINATOR"})
        assert list(engine.unfired) == [fires, never]
        await client.ask(HeartbeatRequest(group_id="g"), HeartbeatResponse)
        assert list(engine.unfired) == [never]
        engine.remove(never.id)
        assert list(engine.unfired) == [never]
        assert [(each.fault, each.request) for each in fired] == [(fires, HeartbeatRequest(group_id="g"))]
        engine.clear()
        assert not engine.unfired


@trio_test
async def test_several_faults_of_one_request(tmp_path: Path) -> None:
    """In the order in which they were added; one that ends the request is the last."""
    async with node_with_faults(tmp_path) as (engine, _, client):
        late = engine.add({"api": "Produce", "delay_ms": 1})
        first = engine.add({"api": "Produce", "partition": 0, "error": "NOT_LEADER_OR_FOLLOWER"})
        second = engine.add({"api": "Produce", "partition": [0, 1], "error": "KAFKA_STORAGE_ERROR"})
        slow = engine.add({"api": "Produce", "throttle_time_ms": 9})
        response = await client.ask(produce_to(("orders", 0), ("orders", 1), ("orders", 2)), ProduceResponse, 12)
        assert errors_of(response)["orders", 1] == ErrorCode.KAFKA_STORAGE_ERROR
        assert errors_of(response)["orders", 0] == ErrorCode.NOT_LEADER_OR_FOLLOWER
        assert response.throttle_time_ms == 9
        assert [fault.fired for fault in (late, first, second, slow)] == [1, 1, 1, 1]
        engine.clear()
        ends = engine.add({"api": "Produce", "error": "NOT_LEADER_OR_FOLLOWER"})
        later = engine.add({"api": "Produce", "disconnect": "before"})
        await client.ask(produce_to(("orders", 0)), ProduceResponse, 12)
        assert (ends.fired, later.matched) == (1, 0)


@trio_test
async def test_ten_thousand_partitions_are_refused_in_one_request(tmp_path: Path) -> None:
    """The work grows with their number: with its square it would take longer than a test may."""
    indexes = range(10_000)
    async with node_with_faults(tmp_path) as (engine, node, client):
        engine.add({"api": "Produce", "topic": "orders", "error": "KAFKA_STORAGE_ERROR"})
        ids = {name: topic.topic_id for name, topic in node.broker.metadata.image.topics.items()}
        request = produce_to(("others", 0), *(("orders", index) for index in indexes), ids=ids)
        response = await client.ask(request, ProduceResponse)
        codes = {topic.topic_id: [one.error_code for one in topic.partition_responses] for topic in response.responses}
        refused = [int(ErrorCode.KAFKA_STORAGE_ERROR)] * len(indexes)
        assert codes == {ids["others"]: [0], ids["orders"]: refused}


@trio_test
async def test_the_log_tells_of_faults(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At info what fires; with a line for each request at debug, too, all faults work as they do without."""
    with caplog.at_level("DEBUG", "kafkapy"):
        async with node_with_faults(tmp_path) as (engine, node, client), connect(node) as other, connect(node) as lost:
            closes = engine.add({"name": "closes", "api": "Produce", "disconnect": "middle", "times": 1})
            await other.send(produce_request("others", batch([b"x"])), 12)
            with pytest.raises(EOFError):
                await other.receive(ProduceResponse)
            engine.add({"api": "Produce", "error": "NOT_LEADER_OR_FOLLOWER", "delay_ms": 1, "times": 1})
            await client.produce_batch("others", batch([b"x"]))
            hole = engine.add({"api": "Metadata", "black_hole": "after"})
            await lost.send(MetadataRequest(topics=[]))
            await until_parked(node)
            engine.remove(hole.id)
            assert await lost.closed_by_broker()
            assert closes.fired == 1
    assert "fault 1 (closes) fires for Produce v12 of 127.0.0.1:" in caplog.text
    assert "Produce v12 of others-0 -> connection closed: fault 1 (closes) has fired" in caplog.text
    assert "Produce v12 of others-0 -> NOT_LEADER_OR_FOLLOWER" in caplog.text
    assert 'fault 3 (api="Metadata", black_hole="after") was removed' in caplog.text
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


@trio_test
async def test_a_request_that_is_held_over_the_end_of_its_node_is_not_carried_out(tmp_path: Path) -> None:
    engine = FaultEngine()
    async with running_node(tmp_path, faults=engine) as node, connect(node) as client, connect(node) as other:
        await client.create_topic("orders")
        fault = engine.add({"api": ["Produce", "CreateTopics"], "hold": "before"})
        await client.send(produce_request("orders", batch([b"x"])), 12)
        await other.send(CreateTopicsRequest(topics=[CreatableTopic(name="new", num_partitions=1)]))
        await fault.wait_held(2)
    assert fault.release() == 2
    assert engine.bugs.count == node.bugs.count == 0
    async with running_node(tmp_path, faults=engine) as node, connect(node) as client:
        assert await client.values("orders") == []
        assert "new" not in node.broker.metadata.image.topics
