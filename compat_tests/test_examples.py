"""The projects below examples/, each run in a copy by the command that its README gives."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compat_tests.apache_kafka import cache_directory, content_key, file_lock
from compat_tests.tools import build, need_tool

EXAMPLES = Path(__file__).parent.parent / "examples"
RUN_SECONDS_MAX = 500
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # JVMs that end before optimised code would pay
NOT_COPIED = shutil.ignore_patterns("__pycache__", "node_modules", "target", ".pytest_cache")


def run(name: str, directory: Path, *command: str) -> str:
    """The output of a command in a copy of an example. The kafkapy that it finds is the one of this environment."""
    project = directory / name
    if not project.exists():
        shutil.copytree(EXAMPLES / name, project, ignore=NOT_COPIED)
    program = Path(sys.executable).parent / "kafkapy"
    environment = {**os.environ, "KAFKAPY": str(program), "JAVA_TOOL_OPTIONS": SHORT_LIVED}
    done = subprocess.run(
        command,
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-3_000:]
    return done.stdout


def test_every_project_is_run_and_says_how() -> None:
    projects = {path.name for path in EXAMPLES.iterdir() if path.is_dir()} - {"control", "__pycache__"}
    here = Path(__file__).read_text(encoding="utf-8")
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in projects:
        assert f'"{name}"' in here, name
        assert f"({name}/README.md)" in listed, name
        assert len((EXAMPLES / name / "README.md").read_text(encoding="utf-8").splitlines()) <= 20, name


@pytest.mark.parametrize(("name", "tests"), [("fastapi", 4), ("django", 5)])
def test_python(name: str, tests: int, tmp_path: Path) -> None:
    assert f"{tests} passed" in run(name, tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_go(tmp_path: Path) -> None:
    go = need_tool("go")
    assert re.search(r"^ok\s+shop", run("go", tmp_path, go, "test", "-count=1", "./..."), re.MULTILINE)


def test_node(tmp_path: Path) -> None:
    need_tool("node")
    npm = need_tool("npm")
    project = tmp_path / "node"
    shutil.copytree(EXAMPLES / "node", project, ignore=NOT_COPIED)
    (project / "node_modules").symlink_to(_node_modules(npm))
    assert re.search(r"^# pass 3$", run("node", tmp_path, npm, "test"), re.MULTILINE)


def _node_modules(npm: str) -> Path:
    """What `npm ci` installs, kept from run to run."""
    sources = [EXAMPLES / "node" / "package.json", EXAMPLES / "node" / "package-lock.json"]
    target = cache_directory() / f"node-example-{content_key(*sources)}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for source in sources:
                shutil.copy(source, partial)
            build([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], partial)
            partial.rename(target)
    return target / "node_modules"


@pytest.mark.parametrize(("name", "tests"), [("spring-boot", 3), ("quarkus", 2)])
def test_java(name: str, tests: int, tmp_path: Path) -> None:
    need_tool("java")
    maven = need_tool("mvn")
    output = run(name, tmp_path, maven, "--batch-mode", "test")
    assert f"Tests run: {tests}, Failures: 0, Errors: 0, Skipped: 0" in output
