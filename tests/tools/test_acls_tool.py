"""kafka-acls: what it refuses, and what it asks before it removes anything; compat_tests/image compares the rest."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from kafkapy.testing import Kafka
from kafkapy.tools import main

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
ALICE = ("--allow-principal", "User:alice")


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with Kafka(settings=AUTHORIZER) as kafka:
        yield kafka


def test_acls_are_removed_when_that_is_confirmed(
    kafka: Kafka, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def printed(*arguments: str, answer: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert main(["kafka-acls", *arguments, "--bootstrap-server", kafka.bootstrap_servers]) == 0
        return capsys.readouterr().out

    printed("--add", *ALICE, "--topic", "orders")
    before = printed("--list")
    question = "Are you sure you want to delete all ACLs for resource filter `ResourcePattern(resourceType=TOPIC, "
    for answer in ("n\n", ""):
        assert printed("--remove", "--topic", "orders", answer=answer).startswith(question)
        assert printed("--list") == before != ""
    printed("--remove", *ALICE, "--operation", "Read", "--topic", "orders", answer="y\n")
    assert printed("--list") == before
    printed("--remove", "--topic", "orders", answer="y\n")
    assert printed("--list") == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--add", "--topic", "orders"), "You must specify one of: --allow-principal, --deny-principal"),
        (("--add", *ALICE, "--operation", "Read"), "You must provide at least one resource: --topic <topic> or"),
        (("--remove", "--force"), "You must provide at least one resource: --topic <topic> or"),
        (
            ("--add", *ALICE, "--operation", "Reed", "--group", "shop"),
            "ResourceType GROUP only supports operations [READ, DESCRIBE, DELETE, DESCRIBE_CONFIGS, ALTER_CONFIGS, ",
        ),
        (("--add", *ALICE, "--operation", "Read", "--cluster"), "ResourceType CLUSTER only supports operations ["),
        (
            ("--add", "--allow-principal", "alice", "--operation", "Read", "--topic", "orders"),
            "expected a string in format principalType:principalName but got alice",
        ),
        (
            ("--add", *ALICE, "--topic", "orders", "--resource-pattern-type", "any"),
            "A '--resource-pattern-type' value of 'ANY' is not valid when adding acls.",
        ),
        (("--add", *ALICE, "--consumer", "--topic", "orders"), "With --consumer you must specify a --topic and a --gr"),
        (("--add", *ALICE, "--producer", "--group", "shop"), "With --producer you must specify a --topic"),
        (("--add", *ALICE, "--idempotent", "--topic", "orders"), "The --idempotent option is only available if --prod"),
        (("--add", *ALICE, "--producer", "--operation", "Read", "--topic", "orders"), "go without --operation"),
        (("--list", "--consumer", "--topic", "orders", "--group", "shop"), "are for --add and --remove"),
        (("--add", "--list"), "not allowed with"),
    ],
)
def test_what_is_wrong_is_refused(
    kafka: Kafka, arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["kafka-acls", *arguments, "--bootstrap-server", kafka.bootstrap_servers]
    assert main(words) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert told in errors
