"""Programs that are not Python: found on PATH, or built once into the cache.

Who runs the tests at home may lack one: those tests are skipped, by the name of what is missing. In CI (`CI=true`)
nothing may be missing, or a client would go untested without anybody noticing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from compat_tests.apache_kafka import MissingTool, cache_directory, content_key, file_lock, require_tool

T = TypeVar("T")
BUILD_TIMEOUT_SECONDS = 600.0
BUILD_ATTEMPTS = 3
_GO_DIRECTORY = Path(__file__).parent / "go"
_FRANZ_GO = "github.com/twmb/franz-go/pkg/kgo"
_NODE_DIRECTORY = Path(__file__).parent / "node"


def skip_or_fail(missing: MissingTool) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{missing}: every client is tested in CI", pytrace=False)
    pytest.skip(str(missing))


def need(find: Callable[[], T]) -> T:
    """`find()`; where it raises MissingTool the test is skipped by name, and fails in CI."""
    try:
        return find()
    except MissingTool as missing:
        skip_or_fail(missing)


def need_tool(name: str) -> str:
    return need(lambda: require_tool(name))


def go_clients() -> Path:
    """The program of compat_tests/go, built by `go` when its sources are new. Raises MissingTool."""
    go = require_tool("go")
    sources = sorted(p for p in _GO_DIRECTORY.rglob("*") if p.suffix in {".go", ".mod", ".sum"})
    target = cache_directory() / f"go-clients-{content_key(*sources)}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            build([go, "build", "-mod=readonly", "-o", str(partial), "."], _GO_DIRECTORY)
            partial.rename(target)
    return target


def franz_go_tests() -> Path:
    """franz-go's own tests of its client, as one program, built by `go` for each version. Raises MissingTool."""
    go = require_tool("go")
    target = cache_directory() / f"franz-go-tests-{content_key(_GO_DIRECTORY / 'go.mod', _GO_DIRECTORY / 'go.sum')}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            build([go, "test", "-c", "-vet=off", "-mod=readonly", "-o", str(partial), _FRANZ_GO], _GO_DIRECTORY)
            partial.rename(target)
    return target


def node_clients() -> Path:
    """A directory with the programs of compat_tests/node and their installed modules. Raises MissingTool."""
    require_tool("node")
    npm = require_tool("npm")
    sources = sorted(p for p in _NODE_DIRECTORY.iterdir() if p.suffix in {".js", ".cjs", ".json"})
    target = cache_directory() / f"node-clients-{content_key(*sources)}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for source in sources:
                shutil.copy(source, partial)
            build([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], partial)
            partial.rename(target)
    return target


def build(command: list[str], directory: Path) -> None:
    """Run `command`, again when it fails: what fails here is nearly always the network."""
    for attempt in range(BUILD_ATTEMPTS):
        result = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_TIMEOUT_SECONDS,
        )
        if result.returncode == 0:
            return
        print(f"{' '.join(command)}: attempt {attempt + 1} of {BUILD_ATTEMPTS} failed\n{result.stdout}")
    pytest.fail(f"{' '.join(command)} failed in {directory}:\n{result.stdout}", pytrace=False)
