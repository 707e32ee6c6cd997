"""kafkapy installed as a user installs it: not editable, its modules compiled, in a virtual environment of its own.

Start-up is what it is about: an editable install goes through import hooks, and a checkout may lack `.pyc` files.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "kafkapy", "wire", "log", "controller")
INSTALL_TIMEOUT_SECONDS = 600.0


def cache_directory() -> Path:
    """Where the environment is kept from run to run."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kafkapy-benchmarks"


def environment() -> Path:
    """The virtual environment, whether it is there or not. Each checkout has one: two may be measured at once."""
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    return cache_directory() / f"venv-{sys.implementation.cache_tag}-{checkout}"


@functools.cache
def program() -> Path:
    """The installed `kafkapy`, installed anew when the sources changed. Raises subprocess.CalledProcessError."""
    marker = environment() / "installed-sources"
    digest = _digest()
    if not marker.exists() or marker.read_text() != digest:
        _install()
        marker.write_text(digest)
    return environment() / "bin" / "kafkapy"


def python() -> Path:
    """The interpreter of that environment."""
    program()
    return environment() / "bin" / "python"


def _install() -> None:
    print(f"installing kafkapy into {environment()}", file=sys.stderr)
    if not (environment() / "bin" / "python").exists():
        environment().parent.mkdir(parents=True, exist_ok=True)
        _run(sys.executable, "-m", "venv", str(environment()))
    # From a copy: a build writes beside the sources.
    with tempfile.TemporaryDirectory(prefix="kafkapy-benchmark-build-") as work:
        for name in SOURCES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, Path(work, name), ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source, work)
        pip = (str(environment() / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check")
        _run(*pip, "--compile", work)  # a directory replaces what is installed, whatever its version


def _run(*command: str) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=INSTALL_TIMEOUT_SECONDS)


def _digest() -> str:
    """What the sources say, as one hash."""
    digest = hashlib.sha256()
    for name in SOURCES:
        top = ROOT / name
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts and ".egg-info" not in str(file):
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
