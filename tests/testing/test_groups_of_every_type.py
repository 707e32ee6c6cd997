"""What the test kit shows of share groups and streams groups."""

from __future__ import annotations

import pytest
import trio

from kafkapy.cli import main
from kafkapy.testing import Kafka
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    Topology,
)
from tests.shell.running_node import Client


def test_a_share_group_is_shown_with_its_start_offsets_and_its_lag(capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"group.share.assignment.interval.ms": 0}
    with Kafka(topics={"orders": 1}, settings=settings) as kafka:
        where = ["-b", kafka.bootstrap_servers]
        kafka.produce("orders", *"abc")
        assert main(["configs", "set", "--group", "kitchen", "share.auto.offset.reset=earliest", *where]) == 0
        assert main(["consume", "orders", "--share", "--group", "kitchen", "-n", "2", *where]) == 0
        assert capsys.readouterr().out.splitlines()[-2:] == ["a", "b"]
        group = kafka.wait_for_lag("kitchen", 1)
        assert (group.group_type, group.state, group.members) == ("share", "Empty", ())
        assert group.lag == {("orders", 0): 1}
        assert group.offsets.keys() == group.lag.keys(), "the stored start, which may be behind what was accepted"
        assert kafka.groups() == ["kitchen"]


def test_a_member_of_a_streams_group_is_shown_with_what_its_tasks_read() -> None:
    joins = StreamsGroupHeartbeatRequest(
        group_id="app",
        member_id="m",
        rebalance_timeout_ms=60_000,
        process_id="p",
        topology=Topology(subtopologies=[Subtopology(subtopology_id="0", source_topics=["in", "narrow"])]),
        active_tasks=[],
        standby_tasks=[],
        warmup_tasks=[],
    )

    async def join(port: int) -> None:
        async with await trio.open_tcp_stream("localhost", port) as stream:
            client = Client(stream)
            await client.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=["app"]), FindCoordinatorResponse)
            while True:
                answer = await client.ask(joins, StreamsGroupHeartbeatResponse)
                if answer.error_code == ErrorCode.NONE and answer.active_tasks:
                    return
                assert answer.error_code in (ErrorCode.NONE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS), answer
                await trio.sleep(0.01)

    with Kafka(topics={"in": 2, "narrow": 1}) as kafka:
        trio.run(join, int(kafka.bootstrap_servers.rpartition(":")[2]))
        group = kafka.wait_for_group("app", members=1)
        assert group.group_type == "streams"
        assert set(group.members[0].partitions) == {("in", 0), ("in", 1), ("narrow", 0)}
        assert group.lag == {("in", 0): 0, ("in", 1): 0, ("narrow", 0): 0}
