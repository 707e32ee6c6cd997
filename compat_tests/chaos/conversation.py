"""A program that does what it is told: an order a line on its standard input, an answer a line on its output."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from compat_tests import client_login
from compat_tests.orphans import dying_with_us

ANSWER_SECONDS_MAX = 300.0  # above all that programs wait for by themselves; a busy machine starts a JVM in 120 s
END_SECONDS_MAX = 60.0
_ANSWERS = frozenset(("polled", "done", "failed", "committed"))

Line = dict[str, Any]


class Conversation:
    """With the program of `command`. What is no answer goes to `heard`, in order. `errors` is its standard error."""

    def __init__(
        self, name: str, command: Sequence[str], errors: Path, heard: Callable[[Line], None], *, user: str
    ) -> None:
        """`user`: whom the program logs in as, where clients have to."""
        self._name = name
        self._command = command
        self._user = user
        self._errors = errors
        self._heard = heard
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()  # an empty one: its output has ended

    def open(self) -> None:
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                dying_with_us(list(self._command)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=client_login.environment(self._user),
            )
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=[self._process.stdout], daemon=True).start()

    def tell(self, do: str, **fields: object) -> None:
        """An order without an answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(f"{self._name} has ended: {self._said()}") from None

    def ask(self, do: str, **fields: object) -> Line:
        """An order and its answer."""
        self.tell(do, **fields)
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            try:
                text = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{self._name} does not answer to {do!r}: {self._said()}") from None
            if not text:
                raise AssertionError(f"{self._name} has ended at {do!r}: {self._said()}")
            line: Line = json.loads(text)
            if line.keys() & _ANSWERS:
                return line
            self._heard(line)

    def close(self) -> None:
        """The end of its input ends it; what it still says is heard."""
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self._name} does not end: {self._said()}") from None
        while text := self._lines.get(timeout=END_SECONDS_MAX):
            self._heard(json.loads(text))
        if process.returncode:
            raise AssertionError(f"{self._name} ended with {process.returncode}: {self._said()}")

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._lines.put(line)
        self._lines.put("")

    def _said(self) -> str:
        return self._errors.read_text(errors="replace")[-2000:]
