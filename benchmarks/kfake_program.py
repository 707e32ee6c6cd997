"""kfake, franz-go's broker in memory, as a program: built by `go` from `benchmarks/kfake` when that is new."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from compat_tests.apache_kafka import cache_directory, content_key, file_lock, require_tool

BUILD_TIMEOUT_SECONDS = 600.0
_DIRECTORY = Path(__file__).resolve().parent / "kfake"


def program() -> Path:
    """The built program, kept beside the downloads of the tests.

    Raises MissingTool: it is not built yet and there is no `go`; subprocess.SubprocessError: the build failed, its
    output is on standard error.
    """
    sources = [_DIRECTORY / name for name in ("main.go", "go.mod", "go.sum")]
    target = cache_directory() / f"kfake-{content_key(*sources)}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            command = [require_tool("go"), "build", "-mod=readonly", "-o", str(partial), "."]
            print(f"building {target}", file=sys.stderr)
            subprocess.run(command, cwd=_DIRECTORY, stdin=subprocess.DEVNULL, check=True, timeout=BUILD_TIMEOUT_SECONDS)
            partial.rename(target)
    return target


def module_version() -> str:
    """The version of kfake's module, as `go.mod` has it; a date stands in it, since kfake has no releases."""
    for line in (_DIRECTORY / "go.mod").read_text().splitlines():
        words = line.removeprefix("require ").split()
        if words and words[0].endswith("/kfake") and len(words) > 1 and words[1].startswith("v"):
            return words[1]
    raise AssertionError("go.mod requires kfake")
