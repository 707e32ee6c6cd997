"""Clients that may take their process down with them, each in one of its own; the parent starts them again.

    python -m compat_tests.crash.client_process '{"kind": "transactional", "name": "tx-0", ...}'

It works until its standard input ends, or until it got no answer for STUCK_SECONDS_MAX within a step. For the history
an end by an assertion of librdkafka and such a step are crashes of the client like any other, and one more thing a
broker must live with; whether the client alone is to blame is for `client_ends` to judge.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from compat_tests.crash.client_ends import SEGMENTATION_FAULT, is_own_end
from compat_tests.crash.clients import Client, IdempotentProducer
from compat_tests.crash.compacted import KeyedTransactions
from compat_tests.crash.group_clients import GroupConsumer, Transformer
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.share_clients import ShareMember
from compat_tests.crash.transactions import TransactionalProducer
from compat_tests.orphans import dying_with_us

END_TIMEOUT_SECONDS = 150.0
STUCK_SECONDS_MAX = 100.0  # longer than all that a step waits for by itself
STUCK_EXIT_CODE = 99
KINDS = {
    "idempotent": IdempotentProducer,
    "keyed": KeyedTransactions,
    "member": GroupConsumer,
    "share": ShareMember,
    "transactional": TransactionalProducer,
    "transformer": Transformer,
}


def main() -> int:
    arguments = json.loads(sys.argv[1])
    with HistoryFile(Path(arguments.pop("history"))) as history:
        kind = KINDS[arguments.pop("kind")]
        client: Client = kind(history=history, **arguments)
        client.start()
        threading.Thread(target=_end_when_stuck, args=[client], daemon=True).start()
        stopper = threading.Thread(target=_stop_at_the_end_of_input, args=[client], daemon=True)
        stopper.start()
        client.join()
    if client.failure is not None:
        print(repr(client.failure), file=sys.stderr)
        return 1
    return 0


def _stop_at_the_end_of_input(client: Client) -> None:
    sys.stdin.read()
    client.stopping.set()


def _end_when_stuck(client: Client) -> None:
    """Say which call does not return, and since when."""
    while time.monotonic() - client.went_on_at < STUCK_SECONDS_MAX:
        time.sleep(1)
    assert client.ident is not None
    where = traceback.extract_stack(sys._current_frames()[client.ident])[-1].line
    silent = time.monotonic() - client.noted_at
    print(f"stuck in `{where}`, {silent:.0f} s after it wrote its last line", file=sys.stderr, flush=True)
    os._exit(STUCK_EXIT_CODE)


class ClientProcess(threading.Thread):
    """A client in a process of its own; to the workload it looks like a `Client`."""

    def __init__(self, history: Path, **arguments: object) -> None:
        super().__init__(name=str(arguments["name"]), daemon=True)
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.abort_count = 0
        self.kind = str(arguments["kind"])
        self._history = history
        self._arguments = arguments

    def run(self) -> None:
        try:
            while self._lived():
                pass
        except BaseException as error:  # told to the main thread, which fails the run by it
            self.failure = error

    def _lived(self) -> bool:
        """Run one incarnation; whether another has to follow."""
        arguments = {**self._arguments, "history": str(self._history), "incarnation": self.abort_count}
        command = [sys.executable, "-m", "compat_tests.crash.client_process", json.dumps(arguments)]
        process = subprocess.Popen(
            dying_with_us(command), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_ROOT
        )
        assert process.stdin is not None
        while process.poll() is None and not self.stopping.wait(0.05):
            pass
        try:
            _, errors = process.communicate(timeout=END_TIMEOUT_SECONDS)  # closes its standard input
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"{self.name} does not end") from None
        aborted = process.returncode in (-signal.SIGABRT, -signal.SIGSEGV, STUCK_EXIT_CODE)
        if aborted or (process.returncode and is_own_end(errors)):
            self.abort_count += 1
            error = SEGMENTATION_FAULT if process.returncode == -signal.SIGSEGV else _both_ends(errors.strip())
            with HistoryFile(self._history) as history:
                history.event(self.name, "info", "crash", error=error)
            return not self.stopping.is_set()
        if process.returncode:
            raise AssertionError(f"{self.name} ended with {process.returncode}: {_both_ends(errors.strip())}")
        return False


def _both_ends(text: str, length: int = 1_000) -> str:
    """An assertion is printed first, and a traceback's error last; the stacks of all threads come between them."""
    return text if len(text) <= 2 * length else f"{text[:length]}\n...\n{text[-length:]}"


_ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    sys.exit(main())
