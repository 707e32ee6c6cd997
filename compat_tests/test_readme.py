"""The commands of README.md, pasted in order on a machine that has nothing of kafkapy: a clone, an empty home."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from compat_tests.apache_kafka import MissingTool
from compat_tests.orphans import dying_with_us
from compat_tests.tools import need_tool, skip_or_fail

ROOT = Path(__file__).parent.parent
SET_UP_SECONDS = 600.0
LINE_SECONDS = 60.0


def shell_blocks() -> list[list[str]]:
    """The lines of each `sh` block: the set-up, what starts a broker, what uses one."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return [block.strip().splitlines() for block in re.findall(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)]


def a_repository(directory: Path) -> Path:
    """What is in the working tree, committed: what a clone of this state would bring."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, text=True, check=True, timeout=60).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    git = ["git", "-C", str(directory), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "all"]):
        subprocess.run([*git, *arguments], check=True, timeout=60)
    return directory


def fresh_environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "LANG"))}
    # What was downloaded before may be used again: that a package index answers is not what is tested here.
    cache = subprocess.run([sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=False)
    home.mkdir()
    path = "/usr/local/bin:/usr/bin:/bin"
    return {**kept, "HOME": str(home), "PATH": path, "PIP_CACHE_DIR": cache.stdout.strip(), "PYTHON": system_python()}


def system_python() -> str:
    """The interpreter that this environment was made with."""
    return os.path.realpath(sys.executable)


class Terminal:
    """A shell per line, in one directory: `run` a command to its end, or have a `broker` until Ctrl-C."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.environment = environment
        self.before = ""  # what was pasted before and holds for the shell: `source ...`

    def run(self, line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", self.before + line],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LINE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def broker(self, line: str, *, seconds: float = LINE_SECONDS) -> Iterator[list[str]]:
        """The two lines that the broker of this command prints first. It gets Ctrl-C at the end, and must then go."""
        process = subprocess.Popen(
            dying_with_us(
                ["timeout", "--foreground", "--kill-after=5", str(seconds), "bash", "-c", self.before + line]
            ),
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            yield [process.stdout.readline(), process.stdout.readline()]
            os.killpg(process.pid, signal.SIGINT)
            rest, _ = process.communicate(timeout=LINE_SECONDS)
            assert "Traceback" not in rest
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()


def need_port_9092() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 9092))
        except OSError:
            skip_or_fail(MissingTool("a free port 9092, which the commands of README.md use,"))


def test_what_the_readme_says_can_be_pasted_in_order(tmp_path: Path) -> None:
    need_tool("git")
    need_port_9092()
    set_up, starting, using = shell_blocks()
    clone, start, run_tests = (line.split("#")[0].strip() for line in set_up)
    assert run_tests == "./test", "the tests are what runs here"
    repository = a_repository(tmp_path / "repository")
    environment = fresh_environment(tmp_path / "home")

    terminal = Terminal(tmp_path, environment)
    terminal.run(clone.replace("<this repository>", str(repository)).replace("&& cd kafkapy", ""))
    terminal.directory = tmp_path / "kafkapy"
    with terminal.broker(start, seconds=SET_UP_SECONDS) as (listening, hint):
        assert "listens at localhost:9092" in listening
        try_it = hint.removeprefix("try: ").strip()
        assert try_it.startswith("./start produce"), "the hint names what works in the user's shell"
        assert "first record" in terminal.run(f"{try_it} --exit-at-end")

    terminal.before, *lines = (line.split("#")[0].strip() for line in starting)
    assert using[0] == terminal.before
    terminal.before += " && "
    for line in lines:
        with terminal.broker(line) as (listening, _):
            assert "listens at localhost:" in listening or listening.startswith("bootstrap: localhost:9092,"), line

    with terminal.broker("kafkapy"):
        outputs = {line: terminal.run(line) for line in using[1:]}
    records = [output for line, output in outputs.items() if line.startswith("kafkapy consume")]
    assert len(records) == 3
    assert all("1 tea" in output for output in records)
    assert "my-group" in next(output for line, output in outputs.items() if "groups describe" in line)


def test_start_takes_the_commands_and_files_of_the_callers_directory(tmp_path: Path) -> None:
    """`./start` of a checkout, called from elsewhere: a relative path is one of the caller's directory."""
    if not (ROOT / ".venv").exists():
        skip_or_fail(MissingTool(".venv of a checkout that ./start or ./test has set up:"))
    (tmp_path / "mine.properties").write_text("num.partitions=three\n")
    start = os.path.relpath(ROOT / "start", tmp_path)
    terminal = Terminal(tmp_path, {**os.environ})
    assert re.match(r"kafkapy \d", terminal.run(f"{start} --version"))
    assert "usage: kafkapy topics" in terminal.run(f"{start} topics --help")
    refused = subprocess.run(
        [start, "mine.properties"], cwd=tmp_path, capture_output=True, text=True, timeout=LINE_SECONDS, check=False
    )
    assert refused.returncode == 1
    assert "three" in refused.stderr
