"""At debug, too, nobody waits long for a request of very many elements, and what cannot be told in time is left out."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kafkapy_wire.messages.describe_configs import DescribeConfigsRequest
from tests.network.longest_turn import watching
from tests.shell.running_node import connect, running_node, trio_test

ELEMENT = b"\0\1\1\0"
COUNT = 500_000
COUNT_VARINT = b"\xa1\xc2\x1e"
HOLD_SECONDS_MAX = 0.05
"""It was 1.2 s while the request was decoded for its names in one go."""


def test_a_request_of_half_a_million_elements_is_logged_without_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "kafkapy.requests")

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            # In place of the empty array, which is the varint 1, and of what follows it.
            start = client.frame(DescribeConfigsRequest(), 4)[4:-4]
            content = start + COUNT_VARINT + ELEMENT * COUNT + b"\0\0\0"
            with watching() as watch:
                await client.stream.send_all(len(content).to_bytes(4, "big") + content)
                assert await client.stream.receive_some(1) == b"", "more elements than are taken end the connection"
            assert watch.quiet_seconds < HOLD_SECONDS_MAX, str(watch)

    run()
    told = [record.getMessage() for record in caplog.records if "DescribeConfigs v4 ->" in record.getMessage()]
    assert len(told) == 1, caplog.text
