"""InitProducerId gives every id once."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from tests.shell.running_node import connect, running_node, trio_test

BLOCK = 1_000


@trio_test
async def test_every_version_gives_another_id(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node, connect(node) as client:
        seen = set()
        for version in range(6):
            response = await client.ask(InitProducerIdRequest(transactional_id=None), InitProducerIdResponse, version)
            assert (response.error_code, response.producer_epoch) == (ErrorCode.NONE, 0)
            seen.add(response.producer_id)
        assert len(seen) == 6


@trio_test
async def test_ids_are_given_once_over_blocks_clients_and_restarts(tmp_path: Path) -> None:
    seen: set[int] = set()
    asked = 0
    for _ in range(2):
        async with running_node(tmp_path) as node, connect(node) as one, connect(node) as two:
            count = BLOCK // 2 + 50
            frames = [
                b"".join(client.frame(InitProducerIdRequest(transactional_id=None)) for _ in range(count))
                for client in (one, two)
            ]
            async with trio.open_nursery() as nursery:
                for client, sent in zip((one, two), frames, strict=True):
                    nursery.start_soon(client.stream.send_all, sent)
            for client in (one, two):
                for _ in range(count):
                    seen.add((await client.receive(InitProducerIdResponse)).producer_id)
                    asked += 1
    (tmp_path / ".kafka_cleanshutdown").unlink()
    async with running_node(tmp_path) as node, connect(node) as client:
        seen.add((await client.ask(InitProducerIdRequest(transactional_id=None), InitProducerIdResponse)).producer_id)
    assert len(seen) == asked + 1


@pytest.mark.parametrize(
    "request_",
    [
        InitProducerIdRequest(transactional_id="", transaction_timeout_ms=1),
        InitProducerIdRequest(transactional_id=None, producer_id=5),
        InitProducerIdRequest(transactional_id=None, producer_epoch=5),
    ],
)
def test_contradictions_are_refused(request_: InitProducerIdRequest, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            response = await client.ask(request_, InitProducerIdResponse)
            assert response.error_code == ErrorCode.INVALID_REQUEST
            assert (response.producer_id, response.producer_epoch) == (-1, -1)

    run()
