"""The image of docker/Dockerfile, built once for all tests, and containers of it.

BASE is what the Dockerfile's own default is, if Docker has it or can pull it; where no image registry can be reached it
is made with debootstrap, as root, and kept in the cache. Whoever has neither Docker nor a base has these tests skipped
by name. Images are named by what they were built from, so that a run finds that of an earlier one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from compat_tests.apache_kafka import MissingTool, cache_directory, file_lock, require_tool

ROOT = Path(__file__).parent.parent.parent
SUITE = "trixie"
BASE = f"debian:{SUITE}-slim"
MIRROR = "http://deb.debian.org/debian"
# What the Dockerfile installs anyway: from the cache it need not be downloaded again.
BASE_PACKAGES = ("python3", "python3-pip", "hostname", "netcat-openbsd")
BUILD_SECONDS_MAX = 600.0
SECONDS_MAX = 60.0
RUN_SECONDS_MAX = 3_600.0
NAME = "kafkapy-test"
BUILT_FROM = (".dockerignore", "docker", "kafkapy", "wire", "log", "controller", "pyproject.toml")
KAFKA_TAG, CONFLUENT_TAG = "4.4.0", "8.2.0"
"""Test frameworks read a version from the tag: of Apache Kafka's image, and of Confluent's."""


def docker(*arguments: str, timeout: float = SECONDS_MAX, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the docker command. Raises AssertionError with what it printed, MissingTool."""
    command = [require_tool("docker"), *arguments]
    # A plug-in of the command builds images otherwise, and need not be installed.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", timeout=timeout, check=False, env=environment
    )
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done


def build_image() -> str:
    """`name` of the image, with the tags KAFKA_TAG and CONFLUENT_TAG. Raises MissingTool."""
    if docker("info", check=False).returncode != 0:
        raise MissingTool("a running Docker daemon")
    name = f"{NAME}-{_content_of(*BUILT_FROM)}"
    with file_lock(cache_directory() / "image.lock"):
        if not _has_image(f"{name}:{CONFLUENT_TAG}"):
            file = ("--file", str(ROOT / "docker" / "Dockerfile"))
            docker(
                *("build", "--build-arg", f"BASE={_base()}", *file, "--tag", f"{name}:{KAFKA_TAG}", str(ROOT)),
                timeout=BUILD_SECONDS_MAX,
            )
            docker("tag", f"{name}:{KAFKA_TAG}", f"{name}:{CONFLUENT_TAG}")
            _remove_older(name)
    return name


def _content_of(*names: str) -> str:
    digest = hashlib.sha256()
    for name in names:
        path = ROOT / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _has_image(name: str) -> bool:
    return docker("image", "inspect", name, check=False).returncode == 0


def _remove_older(name: str) -> None:
    """Images of earlier contents, and the stages that they were built in: disks are not endless.

    A run of another checkout may use one that is no older than a run takes.
    """
    listed = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}\t{{.CreatedAt}}").stdout.splitlines()
    recently = datetime.now(UTC) - timedelta(seconds=RUN_SECONDS_MAX)
    for image, _, created in (line.partition("\t") for line in listed):
        is_of_tests = image.startswith(f"{NAME}-") and not image.startswith((f"{name}:", f"{NAME}-base:"))
        if is_of_tests and datetime.strptime(created[:25], "%Y-%m-%d %H:%M:%S %z") < recently:
            docker("image", "rm", image, check=False)


def _base() -> str:
    """Raises MissingTool."""
    if _has_image(BASE) or docker("pull", "--quiet", BASE, check=False).returncode == 0:
        return BASE
    archive = cache_directory() / f"debian-{SUITE}-with-{'-'.join(BASE_PACKAGES)}.tar"
    if not archive.exists():
        _debootstrap(archive)
    name = f"{NAME}-base:{SUITE}"
    if not _has_image(name):
        docker("import", str(archive), name, timeout=BUILD_SECONDS_MAX)
    return name


def _debootstrap(archive: Path) -> None:
    """Raises MissingTool: neither an image registry nor root's rights."""
    if os.geteuid() != 0:
        raise MissingTool(f"an image registry with {BASE}, or root for debootstrap,")
    root = archive.with_suffix(".partial")
    shutil.rmtree(root, ignore_errors=True)
    include = f"--include={','.join(BASE_PACKAGES)}"
    command = [require_tool("debootstrap"), "--variant=minbase", include, SUITE, str(root), MIRROR]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr}"
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    # As this machine does: whatever stands between it and the package index is trusted.
    if certificates := os.environ.get("PIP_CERT"):
        shutil.copy(certificates, root / "etc/pip-certificates.pem")
        (root / "etc/pip.conf").write_text("[global]\ncert = /etc/pip-certificates.pem\n")
    partial = archive.with_suffix(".partial.tar")
    subprocess.run(["tar", "-C", str(root), "-cf", str(partial), "."], check=True, timeout=BUILD_SECONDS_MAX)
    shutil.rmtree(root)
    partial.rename(archive)


class Container:
    """One that runs."""

    def __init__(self, container_id: str) -> None:
        self.id = container_id

    def exec(self, *command: str, check: bool = True, options: Sequence[str] = ()) -> str:
        """Run a command inside; what it printed on both streams."""
        done = docker("exec", *options, self.id, *command, check=check)
        return done.stdout + done.stderr

    def logs(self) -> tuple[str, str]:
        """(standard output, standard error)"""
        done = docker("logs", self.id)
        return done.stdout, done.stderr

    def state(self) -> dict[str, object]:
        state: dict[str, object] = json.loads(docker("inspect", "--format", "{{json .State}}", self.id).stdout)
        return state

    def copy(self, file: Path, path: str) -> None:
        """Copy a file of this machine to `path`, with its mode; it is root's there."""
        docker("cp", str(file), f"{self.id}:{path}")

    def address(self) -> str:
        """That of the container in its network."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "--format", form, self.id).stdout.strip()

    def port(self, port: int = 9092) -> int:
        """Where a port is published."""
        return int(docker("port", self.id, f"{port}/tcp").stdout.splitlines()[0].rpartition(":")[2])

    def until_logged(self, text: str) -> None:
        """Return when the container has printed `text`. Raises AssertionError: it has ended, or time is up."""
        deadline = time.monotonic() + SECONDS_MAX
        while text not in "".join(self.logs()):
            assert self.state()["Running"], "the container has ended:\n" + "".join(self.logs())
            assert time.monotonic() < deadline, f"{text!r} does not come:\n" + "".join(self.logs())
            time.sleep(0.05)

    def until_ended(self) -> int:
        """Return the exit code."""
        return int(docker("wait", self.id).stdout)

    def stop(self) -> int:
        """Stop it as `docker stop` does; the exit code, 137 if it had to be killed."""
        docker("stop", self.id)
        return self.until_ended()


READY = "Kafka Server started"


@contextmanager
def container(
    image: str, *command: str, environ: Mapping[str, str] | None = None, options: Sequence[str] = (), ready: str = READY
) -> Iterator[Container]:
    """A container that is there, and has said that it is ready, within the block."""
    variables = [word for name, value in (environ or {}).items() for word in ("--env", f"{name}={value}")]
    started = docker("run", "--detach", *variables, *options, f"{image}:{KAFKA_TAG}", *command)
    one = Container(started.stdout.strip())
    try:
        if ready:
            one.until_logged(ready)
        yield one
    finally:
        print("".join(one.logs()))  # shown when the test failed
        docker("rm", "--force", "--volumes", one.id)


@contextmanager
def network() -> Iterator[str]:
    """The name of a network of its own."""
    name = f"{NAME}-{uuid.uuid4().hex[:8]}"
    docker("network", "create", name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


@contextmanager
def volume() -> Iterator[str]:
    """The name of a volume of its own."""
    name = f"{NAME}-{uuid.uuid4().hex[:8]}"
    docker("volume", "create", name)
    try:
        yield name
    finally:
        docker("volume", "rm", "--force", name)
