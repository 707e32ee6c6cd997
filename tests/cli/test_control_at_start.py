"""`--control [HOST:]PORT`: the control API of a node that is a process, and of a cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from kafkapy.cli.control_address import parse_address
from tests.cli.test_start_command import SECONDS_MAX, command, environment, refused


def ask(url: str, operation: str, token: str | None = None, **arguments: Any) -> Any:
    """The result, or the error."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        request = Request(f"{url}/v1/{operation}", json.dumps(arguments).encode(), headers)
        with urlopen(request, timeout=SECONDS_MAX) as response:
            return json.load(response)
    except HTTPError as error:
        with error:
            return json.load(error)["error"]


def test_a_node_is_asked_and_moved_but_not_stopped(tmp_path: Path) -> None:
    rules = tmp_path / "faults.json"
    rules.write_text('[{"api": "Produce", "disconnect": "before", "times": 1}]')
    given: list[str | Path] = ["--ephemeral", "--port", "0", "--control", "0", "--json", "--faults", rules]
    with subprocess.Popen(command(*given), stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["control_url"]
            assert url.startswith("http://127.0.0.1:")
            ask(url, "create_topic", name="orders", partitions=1)
            assert ask(url, "produce", topic="orders", records=[{"value": "a"}])[0]["offset"] == 0
            assert [each["rule"]["api"] for each in ask(url, "faults")] == ["Produce"]
            before = ask(url, "freeze_time")
            assert ask(url, "advance_time", milliseconds=3_600_000)["now_ms"] == before["now_ms"] + 3_600_000
            (node,) = ask(url, "nodes")
            assert (node["roles"], node["is_running"]) == (["broker", "controller"], True)
            for verb in ("stop_node", "kill_node", "restart_node"):
                assert "node 1 is the process that serves this API" in ask(url, verb, node_id=1)["message"]
            for verb in ("start_node", "wipe_node"):
                assert "node 1 runs" in ask(url, verb, node_id=1)["message"]
            for verb in ("take_snapshot", "restore_snapshot"):
                message = ask(url, verb, name="s")["message"]
                assert message.startswith(("no snapshot is taken", "nothing can go back to a snapshot"))
                assert "node 1 is the process that serves this API" in message
            assert ask(url, "snapshots") == []
            ask(url, "reset")
            assert ask(url, "topics") == []
            process.terminate()
            assert process.wait(SECONDS_MAX) == 0
        finally:
            process.kill()


def test_nodes_of_a_cluster_are_stopped_with_a_token() -> None:
    process = subprocess.Popen(
        command("cluster", "--nodes", "2", "--ephemeral", "--port", "0"),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(KAFKAPY_CONTROL="0.0.0.0:0", KAFKAPY_CONTROL_TOKEN="secret"),
    )
    with process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            url = next(line.split()[-1] for line in lines if line.startswith("control API at "))
            url = url.replace("0.0.0.0", "127.0.0.1")
            assert ask(url, "nodes")["kind"] == "NotAuthorized"
            assert ask(url, "kill_node", "secret", node_id=2) is None
            assert [each["is_running"] for each in ask(url, "nodes", "secret")] == [True, False]
            process.terminate()
            assert process.wait(SECONDS_MAX) == 0
        finally:
            process.kill()


def test_what_is_wrong_starts_nothing() -> None:
    assert "--control: 'x' is no address" in refused("--ephemeral", "--port", "0", "--control", "x")
    assert "needs a token" in refused("--ephemeral", "--port", "0", "--control", "0.0.0.0:0")
    assert "KAFKAPY_CONTROL: " in refused("--ephemeral", "--port", "0", KAFKAPY_CONTROL="1:2:x")
    elsewhere = ["process.roles=broker", "controller.quorum.voters=9@localhost:1", "controller.listener.names=C"]
    overrides = [word for each in [*elsewhere, "node.id=1"] for word in ("--override", each)]
    assert "for a node that is alone" in refused("--ephemeral", "--port", "0", "--control", "0", *overrides)


def test_addresses() -> None:
    assert parse_address("9090", "127.0.0.1") == ("127.0.0.1", 9090)
    assert parse_address("http://[::1]:80/", "x") == ("::1", 80)
    for wrong in ("", ":1", "a", "65536", "a:-1", "http://a/b:1", "9" * 400):
        with pytest.raises(ValueError, match="is no address"):
            parse_address(wrong, "x")
