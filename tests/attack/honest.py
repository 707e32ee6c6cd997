"""An honest client, in a process of its own: it produces one record after the other, and says how long it had to wait.

python -m tests.attack.honest PORT [USER CA]     until its standard input is closed; prints one line of JSON
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import NamedTuple, Self

from compat_tests.orphans import dying_with_us
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.produce import ProduceResponse
from kafkapy_wire.records import NewRecord, build_batch
from tests.attack.attacker import Attacker, Login, produce_request

TOPIC = "honest"
PAUSE_SECONDS = 0.002
NOW_MS = 1_700_000_000_000


class Waits(NamedTuple):
    """What it had to wait from a produce to its answer."""

    produces: int
    median_ms: float
    longest_ms: float


class HonestClient:
    """The process, from `with` to its end; then `waits` says how it fared."""

    def __init__(self, port: int, login: Login | None = None) -> None:
        """`login`: over TLS."""
        self._arguments = [str(port)] if login is None else [str(port), login.user, str(login.ca)]
        self.waits = Waits(0, 0.0, 0.0)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.attack.honest", *self._arguments]
        self._process = subprocess.Popen(
            dying_with_us(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the honest client has not begun"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        output, _ = self._process.communicate()
        if kind is None:
            assert self._process.returncode == 0, "the honest client was refused something"
            self.waits = Waits(**json.loads(output))


def wait_for_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> int:
    port, *login = sys.argv[1:]
    client = Attacker(int(port), client_id="honest", login=Login(*login) if login else None)
    client.create_topic(TOPIC)
    request = produce_request(TOPIC, {0: build_batch([NewRecord(NOW_MS, None, b"honest")])})
    over = threading.Event()
    threading.Thread(target=wait_for_end, args=(over,), daemon=True).start()
    print("ready", flush=True)
    waits = []
    while not over.is_set():
        began = time.perf_counter()
        answer = client.ask(request, ProduceResponse, 12)
        waits.append(time.perf_counter() - began)
        assert answer.responses[0].partition_responses[0].error_code == ErrorCode.NONE, answer
        time.sleep(PAUSE_SECONDS)
    waits.sort()
    print(json.dumps(Waits(len(waits), waits[len(waits) // 2] * 1_000, waits[-1] * 1_000)._asdict()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
