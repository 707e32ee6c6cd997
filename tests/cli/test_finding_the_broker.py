"""Which broker a command asks, and what it says while that one does not answer."""

from __future__ import annotations

import pytest

from compat_tests.ports import refusing_port
from kafkapy.cli import main
from kafkapy.client import patience
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse, MetadataResponseBroker
from tests.cli.conftest import Kafkapy
from tests.cli.fake_broker import FakeBroker, ScriptedServer

VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
NOBODY = "127.0.0.1:1"
TELL_AFTER_SECONDS = patience.TELL_AFTER_SECONDS


@pytest.fixture(autouse=True)
def _without_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_the_variable_that_applications_have(
    run: Kafkapy, bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f" PLAINTEXT://{bootstrap}, {NOBODY}")
    assert run("topics", "create", topic).exit_code == 0
    assert topic in run("topics", "list").lines
    wins = run("topics", "list", "-b", NOBODY, "--timeout", "0.5")
    assert (wins.exit_code, wins.err.count(NOBODY)) == (1, 1)


def test_a_variable_that_is_no_address_is_named(run: Kafkapy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "localhost:kafka")
    result = run("topics", "list")
    assert (result.exit_code, result.err) == (
        1,
        f"kafkapy topics list: the variable {VARIABLE}: 'localhost:kafka' is not HOST:PORT\n",
    )


def test_an_empty_variable_is_none(run: Kafkapy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " ")
    monkeypatch.setattr("kafkapy.client.command_line.DEFAULT_BOOTSTRAP", NOBODY)
    assert f"cannot connect to {NOBODY}" in run("topics", "list", "--timeout", "0.5").err


@pytest.mark.parametrize(
    "options",
    [["-b", "{}"], ["--bootstrap-server", "{}"], ["--bootstrap-server={}"], ["-b{}"], ["--timeout", "5", "-b", "{}"]],
)
def test_options_before_the_command(run: Kafkapy, bootstrap: str, topic: str, options: list[str]) -> None:
    before = [option.format(bootstrap) for option in options]
    assert run(*before, "topics", "create", topic).exit_code == 0
    assert run(*before, "produce", topic, "a").err == f"sent 1 record to {topic} (partition 0, offset 0)\n"


def test_options_of_clients_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["-b", "localhost:1"], ["-b", "localhost:1", "server.properties"], ["-b"]):
        assert main(arguments) == 2
        assert "is for a command, as in `kafkapy" in capsys.readouterr().err


def test_what_is_waited_for_is_told_within_a_second(run: Kafkapy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on a terminal, too; whatever the broker that is down looks like from here."""
    assert TELL_AFTER_SECONDS * (1 + 1 / patience.LOOKS) < 1
    monkeypatch.setattr(patience, "TELL_AFTER_SECONDS", 0.05)
    with refusing_port() as port, ScriptedServer(None) as silent:
        refusing = f"127.0.0.1:{port}"
        for address, told in (
            (refusing, f"cannot connect to {refusing} (Connection refused): start a broker there with `kafkapy start`"),
            (f"127.0.0.1:{silent.port}", f"connecting to 127.0.0.1:{silent.port}, for up to 1 s"),
        ):
            result = run("topics", "list", "-b", address, "--timeout", "1")
            first, last = result.err.splitlines()
            assert result.exit_code == 1
            assert first.startswith(f"kafkapy topics list: {told}")
            assert last.startswith("kafkapy topics list: ")


class Refusing:
    """A broker that says of every resource that it does not exist, and counts how often it was asked."""

    def __init__(self) -> None:
        self.broker = FakeBroker(self.answer)
        self.asked = 0

    def answer(self, request: Message) -> Message:
        if isinstance(request, MetadataRequest):
            own = MetadataResponseBroker(node_id=1, host="127.0.0.1", port=self.broker.port)
            return MetadataResponse(brokers=[own])
        self.asked += 1
        code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if isinstance(request, DescribeConfigsRequest):
            return DescribeConfigsResponse(results=[DescribeConfigsResult(error_code=code)])
        assert isinstance(request, IncrementalAlterConfigsRequest)
        return IncrementalAlterConfigsResponse(responses=[AlterConfigsResourceResponse(error_code=code)])


@pytest.mark.parametrize(
    "arguments",
    [["describe"], ["set", "retention.ms=1"], ["delete", "retention.ms"]],
    ids=["describe", "set", "delete"],
)
def test_settings_of_a_topic_that_does_not_exist_are_asked_for_once(run: Kafkapy, arguments: list[str]) -> None:
    refusing = Refusing()
    with refusing.broker as broker:
        result = run("configs", *arguments, "--topic", "nope", "-b", f"127.0.0.1:{broker.port}")
    assert (result.exit_code, result.out) == (1, "")
    assert result.err == f"kafkapy configs {arguments[0]}: topic 'nope' does not exist\n"
    assert refusing.asked == 1


def test_settings_of_a_broker_that_does_not_exist_are_not_asked_for(run: Kafkapy) -> None:
    refusing = Refusing()
    with refusing.broker as broker:
        result = run("configs", "describe", "--broker", "77", "-b", f"127.0.0.1:{broker.port}")
    assert result.err == "kafkapy configs describe: there is no broker 77 in the cluster: there is 1\n"
    assert refusing.asked == 0
