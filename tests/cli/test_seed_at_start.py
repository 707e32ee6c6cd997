"""`--seed FILE`: what a new data directory begins with."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kafkapy.cli.seed_file import MARK
from tests.cli.test_start_command import SECONDS_MAX, command, environment, started

LINES = """\
{"kind": "topic", "topic": "orders", "partitions": 2}
{"topic": "orders", "key": "alice", "value": "1 tea", "partition": 1}
{"kind": "group", "group": "shop", "offsets": {"orders": {"1": 1}}}
"""


def consumed(port: int, topic: str) -> list[str]:
    done = subprocess.run(
        command("consume", topic, "--from-beginning", "--exit-at-end", "--bootstrap-server", f"localhost:{port}"),
        capture_output=True,
        env=environment(),
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_broker_begins_with_its_seed_and_gets_it_once(by_variable: bool, tmp_path: Path) -> None:
    file = tmp_path / "seed.jsonl"
    file.write_text(LINES)
    data = tmp_path / "data"
    given: list[str | Path] = [] if by_variable else ["--seed", file]
    variables = {"KAFKAPY_SEED": str(file)} if by_variable else {}
    for _ in range(2):
        with started("--data-dir", data, "--port", "0", *given, **variables) as broker:
            assert consumed(broker.port, "orders") == ["1 tea"]
            assert broker.stop()[0] == 0
    assert (data / MARK).read_text() == "1 topics, 1 records, 1 groups, 0 ACLs\n"


def failed(*words: str | Path) -> str:
    process = subprocess.run(
        command(*words), capture_output=True, env=environment(), text=True, timeout=SECONDS_MAX, check=False
    )
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    return process.stderr.removeprefix("kafkapy: ").rstrip("\n")


def test_a_wrong_seed_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "seed.jsonl"
    file.write_text(LINES + '{"topic": "orders", "vaule": "x"}\n')
    for arguments in (["start"], ["cluster", "--nodes", "2"]):
        told = failed(*arguments, "--data-dir", tmp_path / "data", "--port", "0", "--seed", file)
        assert told == f"--seed: {file}: line 4: vaule: a record has no such field (did you mean 'value'?)"
    assert not (tmp_path / "data").exists()


def test_a_seed_that_the_broker_refuses_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "seed.jsonl"
    file.write_text(LINES + '{"topic": "odrers", "value": "x"}\n')
    told = failed("start", "--data-dir", tmp_path / "data", "--port", "0", "--seed", file)
    where = f"--seed: {file}: line 4: topic: there is no topic 'odrers', and the seed makes none"
    assert told == f"{where} (did you mean 'orders'?)"
    assert not (tmp_path / "data" / MARK).exists()
    assert list((tmp_path / "data").glob("orders-*")) == []
    file.write_text(LINES)
    with started("--data-dir", tmp_path / "data", "--port", "0", "--seed", file) as broker:
        assert consumed(broker.port, "orders") == ["1 tea"]


def test_a_seed_whose_start_was_cut_short_is_not_added_to_itself(tmp_path: Path) -> None:
    file = tmp_path / "seed.jsonl"
    file.write_text(LINES)
    data = tmp_path / "data"
    with started("--data-dir", data, "--port", "0", "--seed", file) as broker:
        assert broker.stop()[0] == 0
    (data / MARK).unlink()
    told = failed("start", "--data-dir", data, "--port", "0", "--seed", file)
    assert told.startswith("--seed: topic 'orders' has records already, which the seed would add to: use a new data ")


def test_a_node_of_several_processes_takes_no_seed(tmp_path: Path) -> None:
    file = tmp_path / "seed.jsonl"
    file.write_text(LINES)
    settings = ("process.roles=broker", "controller.quorum.voters=2@localhost:19", "controller.listener.names=C")
    overrides = [word for setting in settings for word in ("--override", setting)]
    told = failed("start", "--data-dir", tmp_path / "data", "--port", "0", *overrides, "--seed", file)
    assert told.startswith("--seed of `kafkapy start` is for a node that is alone, broker and controller: use ")


def test_a_cluster_begins_with_its_seed(tmp_path: Path) -> None:
    file = tmp_path / "seed.jsonl"
    file.write_text(LINES)
    process = subprocess.Popen(
        command("cluster", "--nodes", "2", "--ephemeral", "--port", "0", "--seed", file),
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        port = int(first.rpartition(":")[2])
        assert consumed(port, "orders") == ["1 tea"]
    finally:
        process.terminate()
        assert process.wait(SECONDS_MAX) == 0
        assert process.stdout is not None
        process.stdout.close()


def test_the_image_takes_what_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kafkapy.image import defaults
    from kafkapy.image.launch import start_arguments

    assert "--seed" not in start_arguments((), {})
    monkeypatch.setattr(defaults, "SEED_DIRECTORY", str(tmp_path))
    assert start_arguments((), {})[-2:] == ["--seed", str(tmp_path)]
    assert "--seed" not in start_arguments((), {"KAFKAPY_SEED": "/mnt/seed.jsonl"})


def test_what_kafkapy_consume_prints_is_a_seed(tmp_path: Path) -> None:
    file = tmp_path / "seed.jsonl"
    file.write_text(LINES)
    with started("--ephemeral", "--port", "0", "--seed", file) as broker:
        lines = consumed_as_json(broker.port)
    assert [json.loads(line)["offset"] for line in lines] == [0]
    file.write_text(LINES.splitlines()[0] + "\n" + "".join(lines))
    with started("--ephemeral", "--port", "0", "--seed", file) as broker:
        assert consumed_as_json(broker.port) == lines


def consumed_as_json(port: int) -> list[str]:
    server = f"localhost:{port}"
    done = subprocess.run(
        command("consume", "orders", "--from-beginning", "--exit-at-end", "--json", "--bootstrap-server", server),
        capture_output=True,
        env=environment(),
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    return done.stdout.splitlines(keepends=True)
