"""Every command with standard streams that are closed or full: one line and an exit code, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kafkapy.cli import COMMANDS
from tests.cli.slowness import without_slowness

SECONDS_MAX = 30
ROOT = Path(__file__).parent.parent.parent

# What each command does without being asked for more, and what it prints on standard output.
PRINTING: dict[str, list[str]] = {
    "--help": ["--help"],
    "--version": ["--version"],
    "topics": ["topics", "describe"],
    "consume": ["consume", "printed", "--from-beginning", "--exit-at-end"],
    "groups": ["groups", "list"],
    "configs": ["configs", "describe", "--broker", "1", "--all"],
    "cluster": ["cluster", "describe"],
    "random-uuid": ["random-uuid"],
    "log": ["log", "dump", "."],
    "check": ["check", "history"],
    "replay": ["replay", "/dev/null"],
    "wire": ["wire", "list", "Heartbeat"],
    "completion": ["completion", "bash"],
    "start": ["start", "--help"],
    "produce": ["produce", "--help"],
    "format": ["format", "--help"],
    "control": ["control", "--help"],
    "acls": ["acls", "--help"],
    "certs": ["certs", "--help"],
    "features": ["features", "describe"],
    "logdirs": ["logdirs"],
    "quotas": ["quotas", "--help"],
    "transactions": ["transactions", "--help"],
    "users": ["users", "--help"],
}
READING: dict[str, list[str]] = {
    "produce": ["produce", "read"],
    "check": ["check", "-"],
    "cluster reassign": ["cluster", "reassign", "-", "--execute"],
    "wire decode": ["wire", "decode", "HeartbeatRequest", "--version", "0", "-"],
    "wire decode --frame": ["wire", "decode", "--frame", "-"],
    "wire encode --jsonl": ["wire", "encode", "--jsonl"],
}
FAILING: dict[str, list[str]] = {
    "cluster": ["cluster", "unregister", "99"],
    "topics": ["topics", "describe", "no-such-topic"],
    "usage": ["topics", "lst"],
    "command": ["topcis"],
    "check": ["check", "no-such-file"],
    "replay": ["replay", "no-such-file"],
    "wire": ["wire", "decode", "--frame", "00"],
    "log": ["log", "dump", "no-such-file"],
    "start": ["start", "no-such-file.properties"],
    "format": ["format", "no-such-file.properties"],
}


def run(
    redirections: str, arguments: list[str], bootstrap: str, directory: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command behind a shell's redirections."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "kafkapy", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS_MAX,
        cwd=directory,
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, **variables},
    )
    done.stderr = without_slowness(done.stderr)
    return done


@pytest.fixture(scope="module")
def directory(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a topic `printed` in the broker, and files to read."""
    here = tmp_path_factory.mktemp("streams")
    (here / "history").write_text(
        '{"time":1,"process":"p","type":"invoke","f":"send","topic":"t","partition":0,"value":"a"}\n'
        '{"time":2,"process":"p","type":"ok","f":"send","topic":"t","partition":0,"value":"a","offset":0}\n'
    )
    for arguments in (
        ["produce", "printed", "a", "b"],
        ["consume", "printed", "--group", "listed", "--from-beginning", "--exit-at-end"],
    ):
        done = run("", arguments, bootstrap, here)
        assert done.returncode == 0, done
    return here


def test_every_command_is_here() -> None:
    assert COMMANDS.keys() <= PRINTING.keys()


@pytest.mark.parametrize("name", PRINTING)
def test_output_that_cannot_be_written_is_one_line_and_exit_code_1(bootstrap: str, directory: Path, name: str) -> None:
    # Unbuffered, Python writes at once, and fails in other places than when it flushes.
    for redirection, unbuffered, reason in (
        (">/dev/full", "", "No space left on device"),
        (">/dev/full", "1", "No space left on device"),
        (">&-", "", "Bad file descriptor"),
    ):
        done = run(redirection, PRINTING[name], bootstrap, directory, PYTHONUNBUFFERED=unbuffered)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"kafkapy: cannot write to standard output ({reason})\n"


@pytest.mark.parametrize("name", READING)
def test_input_that_is_closed_is_one_line_and_exit_code_1(bootstrap: str, directory: Path, name: str) -> None:
    done = run("<&-", READING[name], bootstrap, directory)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Bad file descriptor" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("name", FAILING)
def test_a_failure_that_nobody_can_be_told_of_keeps_its_exit_code(
    bootstrap: str, directory: Path, name: str, unbuffered: str
) -> None:
    told = run("", FAILING[name], bootstrap, directory)
    assert told.returncode in (1, 2)
    assert told.stderr.count("\n") == 1
    for redirection in ("2>&-", "2>/dev/full", ">&- 2>&- <&-"):
        done = run(redirection, FAILING[name], bootstrap, directory, PYTHONUNBUFFERED=unbuffered)
        assert (done.returncode, done.stderr) == (told.returncode, "")


def test_input_that_is_no_text_is_no_reason_for_a_traceback(bootstrap: str, directory: Path) -> None:
    (directory / "binary").write_bytes(bytes(range(256)))
    for arguments in READING.values():
        done = run("< binary", arguments, bootstrap, directory)
        assert "Traceback" not in done.stderr
    for arguments in (["log", "dump", "binary"], ["check", "binary"]):
        assert "Traceback" not in run("", arguments, bootstrap, directory).stderr


def test_names_that_the_terminal_cannot_show_are_escaped(bootstrap: str, directory: Path) -> None:
    group = "größe-🦊"
    run("", ["consume", "printed", "--group", group, "--from-beginning", "--exit-at-end"], bootstrap, directory)
    done = run("", ["groups", "describe", group], bootstrap, directory, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"gr\xf6\xdfe-\U0001f98a" in done.stdout


def test_a_group_commits_no_record_that_could_not_be_printed(bootstrap: str, directory: Path) -> None:
    consume = ["consume", "printed", "--group", "printing", "--from-beginning", "--exit-at-end"]
    assert run(">/dev/full", consume, bootstrap, directory).returncode == 1
    done = run("", consume, bootstrap, directory)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\nb\n", "")


EDITABLE_FINDER = f"""
import sys
from importlib.machinery import PathFinder

ROOTS = {{"kafkapy": {str(ROOT)!r}, "kafkapy_wire": {str(ROOT / "wire")!r}}}

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top, _, rest = name.partition(".")
        if top not in ROOTS:
            return None
        inside = [ROOTS[top]] if not rest else [ROOTS[top] + "/" + name.rpartition(".")[0].replace(".", "/")]
        return PathFinder.find_spec(name, inside)

sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, Finder)
"""


def test_the_parent_of_a_checkout_is_a_working_directory_like_others(tmp_path: Path) -> None:
    """Python takes the checkout there for a namespace package; an editable installation is found after that."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(EDITABLE_FINDER)
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent" / "kafkapy").symlink_to(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "kafkapy", "--version"],
        cwd=tmp_path / "parent",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("kafkapy ")


ROOTS = ":".join(str(ROOT / root) for root in (".", "wire", "log", "controller"))
NOTHING_INSTALLED = """
import os, sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == os.environ["MISSING"]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Finder)
"""


def test_a_module_that_is_not_installed_is_one_line(tmp_path: Path) -> None:
    """A bare checkout on the path of an interpreter without its dependencies."""
    (tmp_path / "sitecustomize.py").write_text(NOTHING_INSTALLED)
    for arguments, missing in ((["topics", "list"], "kafkapy_wire"), (["start", "--ephemeral"], "trio")):
        done = subprocess.run(
            [sys.executable, "-m", "kafkapy", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}:{ROOTS}", "MISSING": missing},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 1
        assert done.stderr == (
            f"kafkapy: the module {missing} is not installed: run `pip install .` in the checkout, or ./start\n"
        )
