"""Which advertised listener is told to whoever starts a node, and which host to clients where none is advertised."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.network import advertised, server
from kafkapy.network.advertised import default_gateways, resolving_address
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.shell.running_node import Client, connect, running_node, trio_test


async def chosen(text: str) -> str | None:
    names = [element.partition("://")[0] for element in text.split(",")]
    given = {
        "listeners": ",".join(f"{name}://:{port}" for port, name in enumerate(names, start=1)),
        "advertised.listeners": text,
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
        "inter.broker.listener.name": names[0],
    }
    return await resolving_address(Settings(given).advertised_listeners)


@trio_test
async def test_the_first_that_is_here_for_sure_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked up for it."""
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert await chosen("A://kafka:9092,B://localhost:29092") == "localhost:29092"
    assert await chosen("A://10.0.0.1:9092,B://[::1]:29092") == "[::1]:29092"
    assert await chosen("A://kafka:9092,B://10.0.0.1:29092") == "10.0.0.1:29092"
    assert (
        await resolving_address(Settings({"listeners": "PLAINTEXT://:9092"}).advertised_listeners) == "localhost:9092"
    )


@trio_test
async def test_the_first_that_resolves_wins_then(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolves(listener: object) -> bool:
        trio.from_thread.run(trio.lowlevel.checkpoint)  # fails unless a worker thread of trio's calls it
        return "broker" in str(listener)

    monkeypatch.setattr(advertised, "_resolves", resolves)
    assert await chosen("A://kafka:9092,B://broker:29092") == "broker:29092"
    assert await chosen("A://kafka:9092,B://cafe:29092") is None


def test_a_resolver_that_is_not_there_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(trio.to_thread, "run_sync", never)
    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(chosen, "A://kafka:9092", clock=clock) is None


ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010011AC	0003	0	0	0	00000000	0	0	0
eth0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth1	00000000	00000000	0001	0	0	0	00000000	0	0	0
"""


def test_the_gateways_are_those_of_default_routes(tmp_path: Path) -> None:
    file = tmp_path / "route"
    assert default_gateways(file) == frozenset()
    file.write_text(ROUTES)
    assert default_gateways(file) == {"172.17.0.1"}


@pytest.mark.parametrize(("given", "told"), [("true", "localhost"), ("false", "127.0.0.1")])
@trio_test
async def test_a_client_from_the_gateway_is_told_localhost(
    given: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container it has come by a published port; here the gateway is this machine."""
    monkeypatch.setattr(server, "default_gateways", lambda: frozenset({"127.0.0.1"}))
    settings = {"listeners": "PLAINTEXT://:0", "kafkapy.gateway.is.host": given}
    async with running_node(tmp_path, settings) as node, connect(node) as client:
        answer = await client.ask(MetadataRequest(topics=[]), MetadataResponse, 12)
        assert [broker.host for broker in answer.brokers] == [told]


@trio_test
async def test_a_running_broker_is_advertised_elsewhere_and_keeps_what_it_leads(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        await client.create_topic("orders")
        before = node.broker.metadata.image
        for told in (("elsewhere", 7), ("127.0.0.1", node_port(node))):
            await client.alter_config(4, "1", "advertised.listeners", f"PLAINTEXT://{told[0]}:{told[1]}")
            with trio.fail_after(10):
                while (await advertised_address(client)) != told:
                    await trio.lowlevel.checkpoint()
        image = node.broker.metadata.image
        assert image.brokers[1] == before.brokers[1]
        assert image.topics["orders"].partitions == before.topics["orders"].partitions


async def advertised_address(client: Client) -> tuple[str, int]:
    (broker,) = (await client.ask(MetadataRequest(topics=[]), MetadataResponse, 12)).brokers
    return broker.host, broker.port


def node_port(node: Node) -> int:
    return node.settings.now.listeners[0].port
