"""Worker threads of one kind: as many at a time as they may be, and none of those that the disks have."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.workers import Workers

KAFKAPY = Path(__file__).parents[1] / "kafkapy"


def test_as_much_work_at_a_time_as_there_are_threads() -> None:
    workers = Workers("a test", 2)
    free, pair = threading.Semaphore(2), threading.Barrier(2)

    def work() -> None:
        assert free.acquire(blocking=False), "a third one at a time"
        pair.wait(60)  # raises if there is only one at a time
        free.release()

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(workers.run, work)
            await trio.testing.wait_all_tasks_blocked()
            assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0

    for _ in range(2):  # each run has threads of its own
        trio.run(run)


@pytest.mark.parametrize("directory", ["security", "tls", "network/tls_handshake.py"])
def test_what_comes_before_a_login_takes_no_thread_of_the_disks(directory: str) -> None:
    path = KAFKAPY / directory
    sources = [path] if path.is_file() else list(path.rglob("*.py"))
    assert sources
    reading_stores = "current.py"  # a change of the settings, not a client, has them read
    assert not [
        source for source in sources if "to_thread.run_sync" in source.read_text() and source.name != reading_stores
    ]
