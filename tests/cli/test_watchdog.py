"""A loop that does not turn is ended, and says where it was; one that does turn, or that a debugger holds, is not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from kafkapy.cli.stop_signals import StopSignals
from kafkapy.cli.watchdog import TICKS_ASKED_MAX, TICKS_MAX, Watchdog
from tests.cli.ending import ending
from tests.cli.test_start_command import SECONDS_MAX, environment


class Watched:
    """A watchdog that ticks when it is told to, and the lines with which it has ended a process."""

    def __init__(self, *, asked: bool = False) -> None:
        self.lines: list[str] = []
        signals = StopSignals()
        signals.asked = asked
        self.watchdog = Watchdog(signals, self.lines.append)
        self.watchdog.is_serving = True

    def tick(self, count: int) -> list[str]:
        for _ in range(count):
            self.watchdog.tick()
        return self.lines


def test_a_loop_that_does_not_turn_is_ended_with_the_place_where_it_is() -> None:
    async def main() -> None:
        watched = Watched()
        watched.watchdog.watch(trio.lowlevel.current_trio_token())
        assert watched.tick(TICKS_MAX) == []
        (line,) = watched.tick(1)
        assert "has not turned for 60 seconds" in line
        assert "pytest" not in line, "the loop and what is in it"
        assert "tick (test_watchdog.py:" in line
        assert " < main (test_watchdog.py:" in line
        assert "\n" not in line

    trio.run(main)


def test_after_a_signal_it_is_ended_sooner() -> None:
    async def main() -> None:
        watched = Watched(asked=True)
        watched.watchdog.watch(trio.lowlevel.current_trio_token())
        assert watched.tick(TICKS_ASKED_MAX) == []
        (line,) = watched.tick(1)
        assert "was told to stop, but its event loop has not turned for 10 seconds" in line

    trio.run(main)


def test_a_loop_that_turns_once_in_a_while_is_left_alone() -> None:
    async def main() -> None:
        watched = Watched()
        watched.watchdog.watch(trio.lowlevel.current_trio_token())
        for _ in range(5):
            assert watched.tick(TICKS_MAX) == []
            for _ in range(3):  # what another thread has asked for is done in one of the next turns
                await trio.lowlevel.checkpoint()

    trio.run(main)


def test_a_start_may_take_its_time() -> None:
    watched = Watched()
    watched.watchdog.is_serving = False
    assert watched.tick(10 * TICKS_MAX) == []


def test_a_loop_in_a_debugger_is_left_alone() -> None:
    def breakpoint_of_a_debugger(watched: Watched) -> list[str]:
        return watched.tick(3 * TICKS_MAX)

    scope: dict[str, object] = {"__name__": "pdb"}
    exec("def stopped(wait, watched): return wait(watched)", scope)
    stopped = scope["stopped"]
    assert callable(stopped)
    assert stopped(breakpoint_of_a_debugger, Watched()) == []


SPINNING = """
import sys
from kafkapy.cli import main, ready, watchdog
watchdog.TICK_SECONDS = 0.02
watchdog.TICKS_MAX = 1_000_000

def spin(*_):
    print("spinning", flush=True)
    while True:
        pass

ready.Announcement.say = spin
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("ephemeral", [False, True], ids=["kept", "ephemeral"])
def test_a_signal_is_obeyed_though_the_loop_spins(tmp_path: Path, ephemeral: bool) -> None:
    """It ends with one line and, if it is ephemeral, leaves nothing behind."""
    arguments = ["--ephemeral"] if ephemeral else ["--data-dir", str(tmp_path / "data")]
    with ending(
        subprocess.Popen(
            [sys.executable, "-c", SPINNING, "start", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(TMPDIR=str(tmp_path)),
        )
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "spinning\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 1
    (line,) = errors.splitlines()
    assert "spin (<string>:" in line
    assert not ephemeral or list(tmp_path.iterdir()) == []
