"""Nothing that a test has stored in the cluster's metadata is left for the next one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kafkapy.cli import main
from kafkapy.cli.client_login import login_of
from kafkapy.cli.client_settings import security_of
from kafkapy.client.cluster import Cluster, parse_bootstrap
from kafkapy.testing import Kafka
from kafkapy.testing.pool import Pool
from kafkapy_wire.message import Message
from kafkapy_wire.messages.create_delegation_token import CreateDelegationTokenRequest, CreateDelegationTokenResponse
from kafkapy_wire.messages.describe_delegation_token import (
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)

R = TypeVar("R", bound=Message)

USERS = {"admin": "admin-secret"}
SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin",
    "delegation.token.secret.key": "secret of the tokens",
}
CHANGES = [
    ("acls", "add", "--allow", "User:alice", "--topic", "orders", "-o", "read"),
    ("users", "add", "alice", "--password", "alice-secret"),
    ("users", "add", "admin", "--password", "another one", "--mechanism", "SCRAM-SHA-256"),
    ("quotas", "set", "--user", "alice", "producer_byte_rate=1024"),
    ("quotas", "set", "--client-id-default", "consumer_byte_rate=1024"),
    ("quotas", "set", "--ip", "10.0.0.1", "connection_creation_rate=1"),
    ("features", "downgrade", "share.version=0"),
    ("configs", "set", "--broker-default", "log.retention.ms=1000000"),
    ("configs", "set", "--group", "shop", "consumer.session.timeout.ms=50000"),
    ("configs", "set", "--client-metrics", "all", "metrics=*"),
    ("configs", "set", "--loggers", "1", "kafkapy.requests=ERROR"),
]
LOOKS = (
    ("acls", "list", "--json"),
    ("users", "list", "--json"),
    ("quotas", "describe", "--json"),
    ("features", "describe", "--json"),
    ("configs", "describe", "--broker-default", "--json"),
    ("configs", "describe", "--group", "shop", "--json"),
    ("configs", "describe", "--loggers", "1", "--json"),
)

Command = Callable[..., str]


def ask(kafka: Kafka, request: Message, response: type[R]) -> R:
    """The answer to the admin."""
    settings = {name: str(value) for name, value in kafka.config_for("java", user="admin", mechanism="PLAIN").items()}
    bootstrap = parse_bootstrap(kafka.bootstrap_servers)
    with Cluster(bootstrap, timeout_seconds=30, security=security_of(settings), login=login_of(settings)) as cluster:
        return cluster.ask_once(cluster.any_broker(), request, response)


def command(kafka: Kafka, directory: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `kafkapy` as the admin; what it printed."""
    file = directory / "admin.properties"
    config = kafka.config_for("java", user="admin", mechanism="PLAIN")
    file.write_text("".join(f"{name}={value}\n" for name, value in config.items()))

    def run(*words: str) -> str:
        assert main([*words, "--command-config", str(file)]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.stop()


@pytest.mark.parametrize("nodes", [1, 3])
def test_what_one_test_has_changed_the_next_one_does_not_see(
    nodes: int, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def looked_at() -> list[Any]:
        found = [json.loads(run(*look)) for look in LOOKS]
        for each in found:
            if isinstance(each, dict):
                each.pop("epoch", None)  # of the features: it goes with the log
        tokens = ask(kafka, DescribeDelegationTokenRequest(owners=None), DescribeDelegationTokenResponse).tokens
        return [*found, [token.token_id for token in tokens]]

    kafka = pool.use(nodes=nodes, settings=SETTINGS, users=USERS).kafka
    run = command(kafka, tmp_path, capsys)
    before = looked_at()
    for change in CHANGES:
        run(*change)
    ask(kafka, CreateDelegationTokenRequest(max_lifetime_ms=-1), CreateDelegationTokenResponse)
    assert all(now != then for now, then in zip(looked_at(), before, strict=True))
    assert pool.use(nodes=nodes, settings=SETTINGS, users=USERS).kafka is kafka
    assert looked_at() == before
    assert kafka.take_bugs() == []
