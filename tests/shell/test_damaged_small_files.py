"""Damaged small files of a data directory: a start serves, or ends in one line that names a file; never a traceback."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from kafkapy.errors import StartupError
from kafkapy.node import Node
from kafkapy.settings import Settings
from tests.shell.running_node import connect, running_node

CASES = int(os.environ.get("KAFKAPY_DAMAGED_FILES", "120"))  # the long form: KAFKAPY_DAMAGED_FILES=5000
SECONDS_MAX = 60
METADATA = "__cluster_metadata-0"
SMALL_FILES = (
    "meta.properties",
    ".kafka_cleanshutdown",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
    f"{METADATA}/quorum-state",
    f"{METADATA}/partition.metadata",
    f"{METADATA}/leader-epoch-checkpoint",
    f"{METADATA}/00000000000000000000-0000000000.checkpoint",
    f"{METADATA}/00000000000000000000.log",
    "orders-0/partition.metadata",
    "orders-0/leader-epoch-checkpoint",
)

MAY_COST_RECORDS = frozenset({f"{METADATA}/00000000000000000000.log", "orders-0/partition.metadata"})
"""They say that there is such a topic. What has no topic any more is set aside, never deleted."""


def cut(data: bytes, seeded: random.Random) -> bytes:
    return data[: seeded.randrange(len(data) + 1)]


def flipped(data: bytes, seeded: random.Random) -> bytes:
    damaged = bytearray(data or b"\0")
    damaged[seeded.randrange(len(damaged))] ^= 1 << seeded.randrange(8)
    return bytes(damaged)


def another_byte(data: bytes, seeded: random.Random) -> bytes:
    at = seeded.randrange(len(data) + 1)
    return data[:at] + seeded.choice([b"-", b"9" * 5_000, b" ", b"\n", b"\xff", b"\0", b"=", b"{"]) + data[at:]


def other_digits(data: bytes, seeded: random.Random) -> bytes:
    digits = [at for at, byte in enumerate(data) if chr(byte).isdecimal()]
    if not digits:
        return flipped(data, seeded)
    at = seeded.choice(digits)
    number = seeded.choice([b"-1", b"9", b"2147483647", b"2147483648", b"9223372036854775807", b"9" * 30])
    return data[:at] + number + data[at + 1 :]


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    cut,
    flipped,
    another_byte,
    other_digits,
    lambda data, seeded: b"",
    lambda data, seeded: bytes(len(data)),
    lambda data, seeded: seeded.randbytes(seeded.randrange(200)),
    lambda data, seeded: b"[" * 100_000,
    lambda data, seeded: data + data,
)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clean stop leaves: a topic with records, and checkpoints of every kind."""
    directory = tmp_path_factory.mktemp("left")

    async def fill() -> None:
        async with running_node(directory) as node, connect(node) as client:
            await client.create_topic("orders")
            for value in (b"first", b"second"):
                await client.produce("orders", value)

    trio.run(fill)
    (directory / "cleaner-offset-checkpoint").write_text("0\n1\norders 0 1\n")
    assert {name for name in SMALL_FILES if not (directory / name).exists()} == set()
    return directory


def start(directory: Path, *, keeps_records: bool) -> str | None:
    """None: it serves, with the records of before; otherwise the one line that the start ends with."""
    node = Node(Settings({"listeners": "PLAINTEXT://127.0.0.1:0"}), directory, durable=False)

    async def served() -> None:
        with trio.fail_after(SECONDS_MAX):
            async with node.started(), connect(node) as client:
                if keeps_records:
                    assert await client.values("orders") == [b"first", b"second"]
                await client.create_topic("afterwards")
                await client.produce("afterwards", b"third")
                assert await client.values("afterwards") == [b"third"]

    try:
        trio.run(served)
    except StartupError as error:
        return str(error)
    finally:
        assert not node.bugs.kept, node.bugs.kept
    return None


def test_a_checkpoint_that_cannot_be_read_is_named_in_one_line(
    left: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "data"
    shutil.copytree(left, directory)
    (directory / "log-start-offset-checkpoint").write_bytes(b"0\n1\norders 0 -1\n")
    assert start(directory, keeps_records=True) is None
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(
        f"{directory}/log-start-offset-checkpoint cannot be read (offset checkpoint has the line 'orde"
    )
    assert line.endswith("): records that DeleteRecords has deleted may be readable again")


@pytest.mark.parametrize("name", SMALL_FILES)
def test_without_one_of_its_small_files_a_start_serves_or_names_it(left: Path, tmp_path: Path, name: str) -> None:
    directory = tmp_path / "data"
    shutil.copytree(left, directory)
    (directory / name).unlink()
    before = {path for path in directory.rglob("*") if path.is_file()}
    refusal = start(directory, keeps_records=True)
    if name == "meta.properties":
        assert refusal is not None
        assert refusal.startswith(f"{directory / name} is missing, although this directory was in use: restore it ")
        assert {path for path in directory.rglob("*") if path.is_file()} == before
    elif name.endswith(".log"):
        assert refusal is not None
        assert refusal.startswith(f"{directory / METADATA} is missing or empty, although this directory was in use")
    else:
        assert refusal is None


@pytest.mark.parametrize("name", SMALL_FILES)
def test_a_damaged_small_file_never_ends_in_a_traceback(left: Path, tmp_path: Path, name: str) -> None:
    original = (left / name).read_bytes()
    for case in range(CASES // len(SMALL_FILES) + 1):
        seeded = random.Random(f"{name} {case}")
        damage = DAMAGES[case % len(DAMAGES)]
        directory = tmp_path / str(case)
        shutil.copytree(left, directory)
        if seeded.random() < 0.5 and name != ".kafka_cleanshutdown":
            (directory / ".kafka_cleanshutdown").unlink()
        (directory / name).write_bytes(damage(original, seeded))
        refusal = start(directory, keeps_records=name not in MAY_COST_RECORDS)
        if refusal is not None:
            assert "\n" not in refusal, (name, case)
            assert str(directory) in refusal, (name, case, refusal)
            assert len(refusal) < 1_000, (name, case, len(refusal))
        shutil.rmtree(directory)
