"""kafka-acls, kafka-configs of users, clients and addresses, and kafka-delegation-tokens, against a broker with logins
and an authorizer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_tests.apache_kafka import CONFIGS, TOPICS, JavaTools
from kafkapy.testing import Kafka

ACLS = "org.apache.kafka.tools.AclCommand"
TOKENS = "org.apache.kafka.tools.DelegationTokenCommand"
USERS = {"admin": "admin-secret", "alice": "alice-secret", "bob": "bob-secret"}
SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin",
    "delegation.token.secret.key": "secret of the tokens",
}

pytestmark = pytest.mark.usefixtures("java")


class Tools:
    """Kafka's tools as different users, in one JVM."""

    def __init__(self, jvm: JavaTools, kafka: Kafka, directory: Path) -> None:
        self._jvm = jvm
        self._bootstrap = kafka.bootstrap_servers
        self._files = {}
        for user in USERS:
            file = directory / f"{user}.properties"
            config = kafka.config_for("java", user=user, mechanism="SCRAM-SHA-512")
            file.write_text("".join(f"{name}={value}\n" for name, value in config.items()))
            self._files[user] = str(file)

    def run(self, tool: str, *arguments: str, user: str = "admin", exit_code: int = 0) -> str:
        """What it printed."""
        where = ("--bootstrap-server", self._bootstrap, "--command-config", self._files[user])
        code, printed = self._jvm.run(tool, *where, *arguments)
        assert code == exit_code, printed
        return printed


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    with Kafka(users=USERS, settings=SETTINGS, topics={"orders": 1, "hidden": 1}) as kafka, JavaTools(180) as jvm:
        yield Tools(jvm, kafka, tmp_path_factory.mktemp("users"))


def test_kafka_acls_open_and_close_a_topic(tools: Tools) -> None:
    assert tools.run(TOPICS, "--list", user="alice").split() == []
    added = tools.run(ACLS, "--add", "--allow-principal", "User:alice", "--producer", "--topic", "orders")
    for operation in ("WRITE", "DESCRIBE", "CREATE"):
        assert f"operation={operation}, permissionType=ALLOW" in added
    tools.run(
        *(ACLS, "--add", "--deny-principal", "User:bob", "--deny-host", "10.0.0.0/8", "--operation", "All"),
        *("--group", "team-", "--resource-pattern-type", "prefixed"),
    )
    assert tools.run(TOPICS, "--list", user="alice").split() == ["orders"]
    listed = tools.run(ACLS, "--list")
    assert "resourceType=TOPIC, name=orders, patternType=LITERAL" in listed
    assert "resourceType=GROUP, name=team-, patternType=PREFIXED" in listed
    assert "principal=User:bob, host=10.0.0.0/8, operation=ALL, permissionType=DENY" in listed
    refused = tools.run(ACLS, "--list", user="alice", exit_code=1)
    assert "ClusterAuthorizationException" in refused
    tools.run(ACLS, "--remove", "--force", "--topic", "orders")
    assert tools.run(TOPICS, "--list", user="alice").split() == []
    tools.run(ACLS, "--remove", "--force", "--group", "team-", "--resource-pattern-type", "prefixed")
    assert "name=team-" not in tools.run(ACLS, "--list")


def test_kafka_configs_keep_users_and_quotas(tools: Tools) -> None:
    carol = ("--entity-type", "users", "--entity-name", "carol")
    tools.run(CONFIGS, "--alter", *carol, "--add-config", "SCRAM-SHA-256=[iterations=8192,password=carols]")
    tools.run(CONFIGS, "--alter", *carol, "--add-config", "producer_byte_rate=1024,request_percentage=12.5")
    described = tools.run(CONFIGS, "--describe", *carol)
    assert "SCRAM credential configs for user-principal 'carol' are SCRAM-SHA-256=iterations=8192" in described
    assert "Quota configs for user-principal 'carol' are" in described
    assert "producer_byte_rate=1024.0" in described
    few = tools.run(CONFIGS, "--alter", *carol, "--add-config", "SCRAM-SHA-256=[iterations=1,password=x]", exit_code=1)
    assert "Iterations 1 is less than the minimum" in few
    everybody = ("--entity-type", "clients", "--entity-default")
    tools.run(CONFIGS, "--alter", *everybody, "--add-config", "consumer_byte_rate=2048")
    assert "consumer_byte_rate=2048.0" in tools.run(CONFIGS, "--describe", "--entity-type", "clients")
    address = ("--entity-type", "ips", "--entity-name", "10.1.2.3")
    tools.run(CONFIGS, "--alter", *address, "--add-config", "connection_creation_rate=7")
    assert "connection_creation_rate=7.0" in tools.run(CONFIGS, "--describe", *address)
    both = (*carol, "--entity-type", "clients", "--entity-name", "app")
    tools.run(CONFIGS, "--alter", *both, "--add-config", "controller_mutation_rate=3")
    assert "controller_mutation_rate=3.0" in tools.run(CONFIGS, "--describe", *both)
    tools.run(CONFIGS, "--alter", *carol, "--delete-config", "SCRAM-SHA-256")
    tools.run(CONFIGS, "--alter", *carol, "--delete-config", "producer_byte_rate,request_percentage")
    assert "SCRAM" not in tools.run(CONFIGS, "--describe", *carol)


def test_kafka_delegation_tokens_are_made_renewed_and_expired(tools: Tools) -> None:
    # Without an owner the tool asks for the tokens of an empty list of owners, and gets none.
    of_alice = ("--owner-principal", "User:alice")
    made = tools.run(
        TOKENS, "--create", "--max-life-time-period", "-1", "--renewer-principal", "User:bob", user="alice"
    )
    found = re.search(r"^(\S{22})\s+(\S+)\s+User:alice\s+User:alice\s+\[User:bob\]", made, re.MULTILINE)
    assert found, made
    token_id, hmac = found.groups()
    assert token_id in tools.run(TOKENS, "--describe", *of_alice, user="alice")
    assert token_id in tools.run(TOKENS, "--describe", *of_alice, user="bob")
    renewed = tools.run(TOKENS, "--renew", "--renew-time-period", "3600000", "--hmac", hmac, user="bob")
    assert "Completed renew operation" in renewed
    ended = tools.run(TOKENS, "--expire", "--expiry-time-period", "-1", "--hmac", hmac, user="alice")
    assert "Completed expire operation" in ended
    assert token_id not in tools.run(TOKENS, "--describe", *of_alice, user="alice")
    gone = tools.run(TOKENS, "--renew", "--renew-time-period", "-1", "--hmac", hmac, user="alice", exit_code=1)
    assert "DelegationTokenNotFoundException" in gone
