"""No dynamic setting of a broker, whatever its value, keeps clients out or the broker from starting again."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.node import Node
from kafkapy.settings.catalog import broker_definitions, dynamic_only_definitions, own_definitions
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import BROKER, Client, connect, running_node, trio_test

SET, DELETE = 0, 1
WINDOW_MS = 1_000  # quota.window.size.seconds

NAMES = [
    *(name for name, definition in broker_definitions().items() if definition.dynamic),
    *dynamic_only_definitions(),
    *own_definitions(),
    *(
        f"listener.name.plaintext.{name}"
        for name in (
            "max.connection.creation.rate",
            "max.connections",
            "num.network.threads",
            "principal.builder.class",
            "sasl.enabled.mechanisms",
            "ssl.client.auth",
            "ssl.keystore.location",
        )
    ),
    "listener.name..max.connections",
    "listener.name.",
    "no.such.setting",
    "",
]
VALUES = {
    "empty": "",
    "zero": "0",
    "minus one": "-1",
    "one": "1",
    "the largest": "2147483647",
    "5,000 digits": "9" * 5_000,
    "a label of 64 letters": f"{'a' * 64}:5",
    "dots": "..:5,a..b:5",
    "a word": "x",
    "a list": "a,b,,c",
    "a control character": "a\x00\n\x1b[2Jb",
    "a variable": "${env:HOME}",
    "the longest": "a" * 32_767,
}


async def alter(client: Client, operation: int, name: str, value: str | None) -> int:
    change = AlterableConfig(name=name, config_operation=operation, value=value)
    altered = AlterConfigsResource(resource_type=BROKER, resource_name="1", configs=[change])
    response = await client.ask(IncrementalAlterConfigsRequest(resources=[altered]), IncrementalAlterConfigsResponse)
    message = response.responses[0].error_message
    assert message is None or len(message) < 10_000
    return response.responses[0].error_code


async def let_in(node: Node) -> None:
    """A limit of the rate may have the client wait, but only for a time."""
    while not node.server.connections:
        await trio.testing.wait_all_tasks_blocked()
        node.clock.advance(WINDOW_MS)


async def nobody_connected(node: Node) -> None:
    """A limit of one connection must not count the one before."""
    while node.server.connections:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("kind", VALUES)
def test_whatever_a_dynamic_setting_is_set_to_clients_connect_now_and_after_a_restart(
    kind: str, tmp_path: Path
) -> None:
    """Each name is set over a connection of its own, which the values before it must let in."""

    @trio_test
    async def run() -> None:
        accepted: list[str] = []
        async with running_node(tmp_path) as node:
            for name in NAMES:
                async with connect(node) as client:
                    await let_in(node)
                    if await alter(client, SET, name, VALUES[kind]) == ErrorCode.NONE:
                        accepted.append(name)
                await nobody_connected(node)
            assert node.bugs.kept == ()
        async with running_node(tmp_path) as node:
            async with connect(node) as client:
                await let_in(node)
                assert (await client.ask(MetadataRequest(topics=[]), MetadataResponse)).brokers
                assert await alter(client, DELETE, "no.such.setting", None) == ErrorCode.NONE
            assert node.bugs.kept == ()
        assert "no.such.setting" in accepted, "unknown names may be, whatever their value"

    run()
