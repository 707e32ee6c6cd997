"""What a test run leaves that was killed, and what becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kafkapy.ephemeral import PREFIX

SOON = 30.0
KILLED = """
import os, signal
from kafkapy.testing import Kafka
with Kafka(isolation={isolation!r}):
    os.kill(os.getpid(), signal.SIGKILL)
"""
NEXT = """
import os, sys, time
from kafkapy.testing import Kafka
with Kafka() as kafka:
    until = time.monotonic() + 30
    while len(os.listdir(sys.argv[1])) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    print(len(os.listdir(sys.argv[1])), kafka.topics())
"""


def run(text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(directory)}
    command = [sys.executable, "-c", text, str(directory)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SOON * 2, check=False)


def test_the_next_run_deletes_what_a_killed_one_has_left(tmp_path: Path) -> None:
    assert run(KILLED.format(isolation="thread"), tmp_path).returncode == -signal.SIGKILL
    assert [name.startswith(PREFIX) for name in os.listdir(tmp_path)] == [True]
    done = run(NEXT, tmp_path)
    assert done.stdout == "1 []\n", done.stderr  # its own
    assert os.listdir(tmp_path) == []


def test_a_process_of_a_killed_run_deletes_its_own(tmp_path: Path) -> None:
    assert run(KILLED.format(isolation="process"), tmp_path).returncode == -signal.SIGKILL
    until = time.monotonic() + SOON
    while os.listdir(tmp_path):
        if time.monotonic() > until:
            pytest.fail(f"left: {os.listdir(tmp_path)}")
        time.sleep(0.01)
