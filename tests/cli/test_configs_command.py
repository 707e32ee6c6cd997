"""`kafkapy configs` against a broker."""

from __future__ import annotations

import json

import pytest

from kafkapy.tools import main as tool
from tests.cli.conftest import Kafkapy


def test_settings_of_a_topic(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic)
    changed = kafkapy("configs", "set", "retention.ms=1000", "cleanup.policy=compact", "--topic", topic)
    assert changed.lines == [f"topic {topic!r}: retention.ms=1000", f"topic {topic!r}: cleanup.policy=compact"]
    described = kafkapy("configs", "describe", "retention.ms", "segment.bytes", "--topic", topic)
    assert described.lines == [
        "NAME           VALUE       SOURCE",
        "retention.ms   1000        DYNAMIC_TOPIC_CONFIG",
        "segment.bytes  1073741824  DEFAULT_CONFIG",
    ]
    names = [line.split()[0] for line in kafkapy("configs", "describe", "--topic", topic).lines]
    assert {"cleanup.policy", "retention.ms"} <= set(names)
    assert "segment.bytes" not in names
    assert len(kafkapy("configs", "describe", "--topic", topic, "--all").lines) > 20

    taken_back = kafkapy("configs", "delete", "retention.ms", "--topic", topic)
    assert taken_back.out == f"topic {topic!r}: retention.ms has its default again\n"
    (document,) = json.loads(kafkapy("configs", "describe", "retention.ms", "--topic", topic, "--json").out)
    assert document == {
        "name": "retention.ms",
        "value": "604800000",
        "source": "DEFAULT_CONFIG",
        "read_only": False,
        "sensitive": False,
    }


def test_settings_of_brokers_and_groups(kafkapy: Kafkapy, group: str) -> None:
    assert kafkapy("configs", "set", "log.retention.ms=5000", "--broker-default").exit_code == 0
    assert "log.retention.ms" in kafkapy("configs", "describe", "--broker-default").out
    assert kafkapy("configs", "delete", "log.retention.ms", "--broker-default").exit_code == 0
    assert "log.retention.ms" not in kafkapy("configs", "describe", "--broker-default").out
    assert "broker.id" in kafkapy("configs", "describe", "--broker", "1", "--all").out
    of_the_broker = kafkapy("configs", "describe", "--group", group).out.splitlines()
    assert [line.split() for line in of_the_broker[1:]] == [
        ["streams.initial.rebalance.delay.ms", "0", "STATIC_BROKER_CONFIG"]
    ]
    assert kafkapy("configs", "set", "consumer.session.timeout.ms=50000", "--group", group).exit_code == 0
    assert "50000" in kafkapy("configs", "describe", "--group", group).out


def test_refusals(kafkapy: Kafkapy, topic: str) -> None:
    kafkapy("topics", "create", topic)
    for arguments, reason in (
        (["set", "nonsense=1", "--topic", topic], "INVALID_CONFIG"),
        (["set", "retention.mss=1", "--topic", topic], "(did you mean 'retention.ms'?)"),
        (["delete", "retention.mss", "--topic", topic], "no setting 'retention.mss' (did you mean 'retention.ms'?)"),
        (["delete", "num.partition", "--broker-default"], "(did you mean 'num.partitions'?)"),
        (["delete", "num.partition", "--broker", "1"], "(did you mean 'num.partitions'?)"),
        (["describe", "retention.mss", "--topic", topic], "(did you mean 'retention.ms'?)"),
        (["set", "retention.ms=soon", "--topic", topic], "INVALID_CONFIG"),
        (["set", "retention.ms", "--topic", topic], "'retention.ms' is not NAME=VALUE"),
        (["describe", "nonsense", "--topic", topic], "there is no setting 'nonsense'"),
        (["describe", "--broker", "77"], "there is no broker 77 in the cluster: there is 1"),
    ):
        result = kafkapy("configs", *arguments)
        assert (result.exit_code, result.out, result.err.count("\n")) == (1, "", 1)
        assert reason in result.err


def test_whose_settings_must_be_said(kafkapy: Kafkapy) -> None:
    assert kafkapy("configs", "describe").exit_code == 2
    assert kafkapy("configs", "describe", "--topic", "a", "--broker", "1").exit_code == 2


def test_kafkas_tool_writes_null_for_a_secret_wherever_it_stands(
    bootstrap: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Apache Kafka's tool does so for the value and for what it is made from."""
    where = ["--bootstrap-server", bootstrap, "--entity-type", "brokers", "--entity-name", "1"]
    secret = "listener.name.plaintext.ssl.key.password=secret"
    assert tool(["kafka-configs", "--alter", "--add-config", secret, *where]) == 0
    capsys.readouterr()
    assert tool(["kafka-configs", "--describe", *where]) == 0
    name = secret.partition("=")[0]
    assert f"{name}=null sensitive=true synonyms={{DYNAMIC_BROKER_CONFIG:{name}=null}}" in capsys.readouterr().out
    assert tool(["kafka-configs", "--alter", "--delete-config", name, *where]) == 0
