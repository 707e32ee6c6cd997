"""What a request of very many entries leaves behind is freed at once: the garbage collector, which holds the loop for a
second where it meets a million objects in cycles, has next to nothing to do.
"""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import trio.testing

from kafkapy.network import dispatch
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey
from tests.apis.long_arrays import ALL_PATHS, request_with
from tests.garbage import no_garbage_collection
from tests.shell.running_node import connect, make_coordinators, running_node, trio_test

TOPIC = "orders"
ENTRIES = 4_000
COLLECTED_MAX = 1_500
"""Of whole requests, tasks and cancel scopes, however many entries there are."""
SETTINGS = {"transaction.state.log.num.partitions": "1", "offsets.topic.num.partitions": "1"}


@pytest.mark.parametrize("key", sorted({key for key, _ in ALL_PATHS}))
def test_a_request_of_many_entries_leaves_no_cycles(
    key: ApiKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "within_turn", lambda _steps, _turn: None)  # as if there were even more entries

    @trio_test
    async def run() -> None:
        garbage = {}
        async with running_node(tmp_path, SETTINGS) as node:
            async with connect(node) as client:
                await client.create_topic(TOPIC, 3)
                await make_coordinators(client)
            for path in [path for of_key, path in ALL_PATHS if of_key == key]:
                version = API_VERSIONS[key].max_version
                async with connect(node) as client:
                    await client.stream.send_all(client.frame(request_with(key, path, 2, TOPIC), version))
                    await client.stream.receive_some(1 << 16)  # modules are imported
                async with connect(node) as client:
                    frame = client.frame(request_with(key, path, ENTRIES, TOPIC), version)
                    with no_garbage_collection():
                        await client.stream.send_all(frame)
                        await client.stream.receive_some(1)
                        await trio.testing.wait_all_tasks_blocked()
                        collected = gc.collect()
                    if collected > COLLECTED_MAX:
                        garbage[".".join(path)] = collected
        assert not garbage, garbage

    run()
