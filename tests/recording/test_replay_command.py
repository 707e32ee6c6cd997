"""`kafkapy replay`: what it prints, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from kafkapy.cli import main
from kafkapy.recording import Recording
from kafkapy.testing import Kafka
from kafkapy_wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from tests.shell.running_node import connect, port_of, running_node, trio_test


def test_a_session_at_two_brokers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = tmp_path / "session.jsonl"

    @trio_test
    async def run() -> None:
        async with running_node(tmp_path / "a") as node, connect(node) as client:
            recording = Recording()
            recording.attach(node.dispatcher, node.node_id, node.broker.metadata)
            await client.create_topic("orders")
            await client.ask(HeartbeatRequest(group_id="g", member_id="m"), HeartbeatResponse)
            recording.write_json_lines(session)
        async with running_node(tmp_path / "b") as node:
            arguments = ["replay", str(session), "-b", f"127.0.0.1:{port_of(node)}"]
            assert await trio.to_thread.run_sync(main, arguments) == 0
            assert capsys.readouterr().out == "2 answers to 2 requests: no difference\n"
            assert await trio.to_thread.run_sync(main, arguments) == 1
            _, what, where = capsys.readouterr().out.splitlines()
            assert what == "topics[0].errorCode: recorded was NONE, and this time it is TOPIC_ALREADY_EXISTS"
            assert where == "the first difference, after 1 request of 2"
            assert await trio.to_thread.run_sync(main, [*arguments, "--json"]) == 1
            result = json.loads(capsys.readouterr().out)
            assert (result["requests"], result["answers"]) == (1, 1)
            assert result["difference"]["what"] == "topics[0].errorCode"
            assert result["difference"]["exchange"]["api"] == "CreateTopics"
            ignoring = ["--ignore", "CreateTopics.errorCode", "--ignore", "topicConfigErrorCode"]
            for field in ("numPartitions", "replicationFactor", "configs"):
                ignoring += ["--ignore", f"CreateTopics.{field}"]
            assert await trio.to_thread.run_sync(main, [*arguments, *ignoring]) == 0

    run()


def test_a_session_at_a_broker_with_tls_and_logins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each connection of the session logs in as --command-config says; the logins that were recorded are left out."""
    session = tmp_path / "session.jsonl"
    file = tmp_path / "alice.properties"
    with Kafka(users={"alice": "secret"}, tls=True, topics={"orders": 1}) as kafka:
        config = kafka.config_for("java", user="alice")
        file.write_text("".join(f"{name}={value}\n" for name, value in config.items()))
        secured = ["-b", kafka.bootstrap_servers, "--command-config", str(file)]
        assert main(["topics", "describe", "orders", *secured]) == 0
        kafka.recorded().write_json_lines(session)
        assert "SaslAuthenticate" in session.read_text()
        capsys.readouterr()
        assert main(["replay", str(session), *secured]) == 0
        assert capsys.readouterr().out.endswith(": no difference\n")
        assert main(["replay", str(session), "-b", kafka.bootstrap_servers, "--timeout", "1"]) == 1
        assert "give them with --command-config FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "exit_code", "told"),
    [
        (None, 2, "cannot read {file}: No such file or directory"),
        (b"nonsense\n", 2, "{file} is no recorded session: line 1: "),
        (b"", 1, "cannot connect to 127.0.0.1:1 (Connection refused)"),
    ],
)
def test_what_cannot_be_replayed(
    content: bytes | None, exit_code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "session.jsonl"
    if content is not None:
        file.write_bytes(content)
    assert main(["replay", str(file), "-b", "127.0.0.1:1", "--timeout", "0.2"]) == exit_code
    (*_, line) = capsys.readouterr().err.splitlines()
    assert line.startswith("kafkapy replay: ")
    assert told.format(file=file) in line
