"""`--faults FILE`: faults that are there when the first client connects."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import trio

from kafkapy_wire.errors import ErrorCode
from tests.cli.test_start_command import SECONDS_MAX, command, environment, started
from tests.shell.running_node import Client, batch, trio_test

FIRST_IS_REFUSED = '[{"api": "Produce", "topic": "orders", "error": "NOT_LEADER_OR_FOLLOWER", "times": 1}]'


def produced_twice(port: int) -> list[int]:
    codes: list[int] = []

    @trio_test
    async def run() -> None:
        client = Client(await trio.open_tcp_stream("localhost", port))
        await client.create_topic("orders")
        answers = [await client.produce_batch("orders", batch([b"a"])) for _ in range(2)]
        codes.extend(answer.error_code for answer in answers)
        await client.stream.aclose()

    run()
    return codes


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_broker_starts_with_faults(by_variable: bool, tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(FIRST_IS_REFUSED[:-1] + ', {"api": "SyncGroup", "delay_ms": 5, "must_fire": true, "name": "slow"}]')
    given: list[str | Path] = [] if by_variable else ["--faults", file]
    variables = {"KAFKAPY_FAULTS": str(file)} if by_variable else {}
    with started("--ephemeral", "--port", "0", *given, **variables) as broker:
        assert produced_twice(broker.port) == [ErrorCode.NOT_LEADER_OR_FOLLOWER, 0]
        code, errors = broker.stop()
    assert code == 0
    assert "fault 2 (slow) must fire and never did; 0 requests have met it" in errors


def test_a_wrong_file_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"api": "Produce", "topci": "orders", "error": 1}]')
    for arguments in (["start"], ["cluster", "--nodes", "2"]):
        process = subprocess.run(
            command(*arguments, "--ephemeral", "--port", "0", "--faults", file),
            capture_output=True,
            env=environment(),
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert process.returncode == 1
        told = f"kafkapy: --faults {file}: faults[0].topci: a rule has no such field (did you mean 'topic'?)\n"
        assert process.stderr == told
        assert process.stdout == ""
