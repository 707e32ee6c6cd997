"""Clients that may take their process down with them, each in one of its own; the parent starts them again.

    python -m compat_tests.crash.client_process '{"kind": "transactional", "name": "tx-0", ...}'

It works until its standard input ends. A transactional producer of librdkafka 2.16 whose broker went away may end its
process by an assertion (`txn_req_cnt > 0`: an answer to AddPartitionsToTxn, sent twice, comes in the next transaction).
Or it waits for ever in send_offsets_to_transaction, whatever the timeout: a handle of a broker that went away keeps the
request. A client that has written nothing for STUCK_SECONDS_MAX is killed.
For the history both are a crash of the client like any other, and one more thing a broker must live with.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from compat_tests.crash.clients import Client
from compat_tests.crash.compacted import KeyedTransactions
from compat_tests.crash.group_clients import Transformer
from compat_tests.crash.history_file import HistoryFile
from compat_tests.crash.transactions import TransactionalProducer
from compat_tests.orphans import dying_with_us

END_TIMEOUT_SECONDS = 150.0
STUCK_SECONDS_MAX = 45.0  # longer than a transaction's timeout
KINDS = {"keyed": KeyedTransactions, "transactional": TransactionalProducer, "transformer": Transformer}


def main() -> int:
    arguments = json.loads(sys.argv[1])
    with HistoryFile(Path(arguments.pop("history"))) as history:
        kind = KINDS[arguments.pop("kind")]
        client: Client = kind(history=history, **arguments)
        client.start()
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


class ClientProcess(threading.Thread):
    """A client in a process of its own; to the workload it looks like a `Client`."""

    def __init__(self, history: Path, **arguments: object) -> None:
        super().__init__(name=str(arguments["name"]), daemon=True)
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.abort_count = 0
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
        began = time.time()
        self._history.touch()
        while process.poll() is None and not self.stopping.wait(0.05):
            if time.time() - max(began, self._history.stat().st_mtime) > STUCK_SECONDS_MAX:
                process.kill()
        try:
            _, errors = process.communicate(timeout=END_TIMEOUT_SECONDS)  # closes its standard input
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"{self.name} does not end") from None
        if process.returncode in (-signal.SIGABRT, -signal.SIGKILL):
            self.abort_count += 1
            with HistoryFile(self._history) as history:
                history.event(self.name, "info", "crash")
            return not self.stopping.is_set()
        if process.returncode:
            raise AssertionError(f"{self.name} ended with {process.returncode}: {errors.strip()[-2000:]}")
        return False


_ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    sys.exit(main())
