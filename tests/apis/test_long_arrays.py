"""However many entries a request has in whichever array, nobody else waits for more than a turn or two of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from tests.apis.long_arrays import ALL_PATHS, request_with
from tests.network.longest_turn import watching
from tests.shell.running_node import connect, make_coordinators, running_node, trio_test

TOPIC = "orders"
ENTRIES = 30_000
HOLD_SECONDS_MAX = 0.02
"""At a microsecond for each entry, one loop without turns would take 30 ms."""
SETTINGS = {"transaction.state.log.num.partitions": "1", "offsets.topic.num.partitions": "1"}


@pytest.mark.parametrize("key", sorted({key for key, _ in ALL_PATHS}))
def test_a_request_of_many_entries_leaves_others_their_turns(key: ApiKey, tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        too_long = {}
        async with running_node(tmp_path, SETTINGS) as node:
            async with connect(node) as client:
                await client.create_topic(TOPIC, 3)
                await make_coordinators(client)
            for path in [path for of_key, path in ALL_PATHS if of_key == key]:
                async with connect(node) as client:
                    version = API_VERSIONS[key].max_version
                    await client.stream.send_all(client.frame(request_with(key, path, 2, TOPIC), version))
                    await client.stream.receive_some(1 << 16)  # modules are imported
                async with connect(node) as client:
                    frame = client.frame(request_with(key, path, ENTRIES, TOPIC), version)
                    with watching() as watch:
                        await client.stream.send_all(frame)
                        answer = await client.stream.receive_some(1)
                        await trio.lowlevel.checkpoint()
                    if watch.quiet_seconds > HOLD_SECONDS_MAX:
                        too_long[".".join(path)] = str(watch)
                    assert answer, f"the connection was closed for {path}"
            assert node.bugs.count == 0, node.bugs.kept
        assert not too_long, "\n".join(f"{path}: {held}" for path, held in too_long.items())

    run()
