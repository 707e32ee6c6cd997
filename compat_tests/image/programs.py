"""The programs of testcontainers' modules, built once into the cache. Each raises MissingTool."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from compat_tests.apache_kafka import cache_directory, compiled_java, content_key, file_lock, maven_jars, require_tool
from compat_tests.image.docker_image import ROOT, docker
from compat_tests.tools import build

HERE = Path(__file__).parent
SECONDS_MAX = 120.0
SWITCHES = {
    # Ryuk, which removes what a killed test leaves, is an image of its own that need not be there.
    "TESTCONTAINERS_RYUK_DISABLED": "true",
    "TESTCONTAINERS_CHECKS_DISABLE": "true",
    # Where these tests run in a container, ports are published beside them: the daemon is this machine's.
    "TESTCONTAINERS_HOST_OVERRIDE": "localhost",
}


def run_program(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """What it printed, when it has succeeded."""
    done = subprocess.run(
        command,
        env={**os.environ, **SWITCHES, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def python_program() -> list[str]:
    """A virtual environment with testcontainers and kafka-python, and kafkapy from this checkout."""
    requirements = HERE / "python" / "requirements.txt"
    target = cache_directory() / f"testcontainers-python-{content_key(requirements)}"
    with file_lock(target.with_suffix(".lock")):
        if not (target / "done").exists():
            shutil.rmtree(target, ignore_errors=True)
            build([sys.executable, "-m", "venv", str(target)], HERE)
            build([str(target / "bin" / "pip"), "install", "--quiet", "-r", str(requirements)], HERE)
            (target / "done").touch()
    return [str(target / "bin" / "python"), str(HERE / "python" / "program.py")]


def java_program() -> list[str]:
    pom, source = HERE / "java" / "pom.xml", HERE / "java" / "Containers.java"
    jars = maven_jars(pom, "testcontainers")
    class_path = compiled_java("testcontainers-program", source, pom, jars)
    # The module asks for a newer API than an older Docker has.
    version = docker("version", "--format", "{{.Server.APIVersion}}").stdout.strip()
    flags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dapi.version={version}"]
    return [require_tool("java"), *flags, "-cp", class_path, "Containers"]


def go_program() -> list[str]:
    go = require_tool("go")
    sources = sorted(path for path in (HERE / "go").iterdir() if path.suffix in {".go", ".mod", ".sum"})
    target = cache_directory() / f"testcontainers-go-{content_key(*sources)}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            build([go, "build", "-mod=readonly", "-o", str(partial), "."], HERE / "go")
            partial.rename(target)
    return [str(target)]


def rust_program() -> list[str]:
    """Slow to build: 240 crates, a minute and a half of CPU time."""
    cargo = require_tool("cargo")
    directory = HERE / "rust"
    sources = (directory / "Cargo.toml", directory / "Cargo.lock", directory / "src" / "main.rs")
    target = cache_directory() / f"testcontainers-rust-{content_key(*sources)}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            build([cargo, "build", "--locked", "--target-dir", str(partial)], directory)
            (partial / "debug" / "containers").rename(target)
            shutil.rmtree(partial)
    return [str(target)]


def node_program() -> list[str]:
    node, npm = require_tool("node"), require_tool("npm")
    sources = sorted(path for path in (HERE / "node").iterdir() if path.suffix in {".js", ".json"})
    target = cache_directory() / f"testcontainers-node-{content_key(*sources)}"
    with file_lock(target.with_suffix(".lock")):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for source in sources:
                shutil.copy(source, partial)
            build([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], partial)
            partial.rename(target)
    return [node, str(target / "containers.js")]


PYTHONPATH = os.pathsep.join(map(str, (ROOT, *(ROOT / name for name in ("wire", "log", "controller")))))
