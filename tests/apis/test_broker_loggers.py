"""Levels of loggers, read and changed by clients (KIP-412). Errors are compared with Apache Kafka's elsewhere."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trio

from kafkapy.apis.incremental_alter_configs import forwarded
from kafkapy.loggers import LOGGERS, Loggers
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from tests.shell.running_node import Client, connect, running_node, trio_test

BROKER, BROKER_LOGGER = 4, 8
SET, DELETE = 0, 1
KAFKAPY = Path(__file__).parent.parent.parent / "kafkapy"


def change(name: str, level: str | None, node: str = "1") -> AlterConfigsResource:
    config = AlterableConfig(name=name, config_operation=DELETE if level is None else SET, value=level)
    return AlterConfigsResource(resource_type=BROKER_LOGGER, resource_name=node, configs=[config])


async def levels(client: Client) -> dict[str, str | None]:
    resource = DescribeConfigsResource(resource_type=BROKER_LOGGER, resource_name="1", configuration_keys=None)
    answer = await client.ask(DescribeConfigsRequest(resources=[resource]), DescribeConfigsResponse, 4)
    return {entry.name: entry.value for entry in answer.results[0].configs}


def test_the_table_has_every_logger_of_kafkapy() -> None:
    named = set()
    for path in KAFKAPY.rglob("*.py"):
        named |= set(re.findall(r'getLogger\("(kafkapy\.[\w.]+)"\)', path.read_text(encoding="utf-8")))
    assert named == set(LOGGERS)
    assert list(LOGGERS) == sorted(LOGGERS)


@trio_test
async def test_a_level_holds_until_it_is_changed_back_or_the_node_ends(tmp_path: Path) -> None:
    groups, top = logging.getLogger("kafkapy.groups"), logging.getLogger("kafkapy")
    before = groups.level, top.level
    async with running_node(tmp_path) as node, connect(node) as client:
        for name, level in (("root", "ERROR"), ("kafkapy.groups", "TRACE"), ("kafkapy.disk", "FATAL")):
            request = IncrementalAlterConfigsRequest(resources=[change(name, level)])
            answer = await client.ask(request, IncrementalAlterConfigsResponse, 1)
            assert answer.responses[0].error_code == ErrorCode.NONE
        assert groups.isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("kafkapy.telemetry").isEnabledFor(logging.WARNING)
        found = await levels(client)
        assert found.keys() == {"root", *LOGGERS}
        assert (found["root"], found["kafkapy.groups"], found["kafkapy.disk"]) == ("ERROR", "TRACE", "FATAL")
        assert found["kafkapy.telemetry"] == "ERROR"
        request = IncrementalAlterConfigsRequest(resources=[change("kafkapy.groups", None)])
        await client.ask(request, IncrementalAlterConfigsResponse, 1)
        assert (await levels(client))["kafkapy.groups"] == "ERROR", "that of the root logger"
    assert (groups.level, top.level) == before


def test_levels_are_changed_where_they_are_asked_for_and_the_rest_is_forwarded() -> None:
    """Even if the active controller is elsewhere."""
    sent: list[IncrementalAlterConfigsRequest] = []

    async def forward(request: IncrementalAlterConfigsRequest, _context: object) -> IncrementalAlterConfigsResponse:
        sent.append(request)
        answers = [AlterConfigsResourceResponse(resource_name=each.resource_name) for each in request.resources]
        return IncrementalAlterConfigsResponse(responses=answers)

    loggers = Loggers()
    context: Any = SimpleNamespace(node=SimpleNamespace(node_id=2, loggers=loggers), is_asked_as_controller=False)
    setting = AlterConfigsResource(resource_type=BROKER, resource_name="2", configs=[])
    try:
        resources = [setting, change("kafkapy.disk", "DEBUG", node="2"), change("kafkapy.disk", "DEBUG", node="1")]
        request = IncrementalAlterConfigsRequest(resources=resources, validate_only=False)
        answer = trio.run(forwarded, request, context, forward)
        assert loggers.levels()["kafkapy.disk"] == "DEBUG"
        (rest,) = sent
        assert [each.resource_type for each in rest.resources] == [BROKER]
        errors = {each.resource_type: each.error_code for each in answer.responses if each.resource_name == "2"}
        assert errors == {0: ErrorCode.NONE, BROKER_LOGGER: ErrorCode.NONE}
        (other,) = (each for each in answer.responses if each.resource_name == "1")
        assert other.error_code == ErrorCode.INVALID_REQUEST
        sent.clear()
        only = IncrementalAlterConfigsRequest(resources=[change("kafkapy.disk", "ERROR", node="2")], validate_only=True)
        trio.run(forwarded, only, context, forward)
        assert sent == [], "nothing is left to forward"
        assert loggers.levels()["kafkapy.disk"] == "DEBUG", "it was only checked"
    finally:
        loggers.restore()
