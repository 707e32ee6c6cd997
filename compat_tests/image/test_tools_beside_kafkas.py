"""Tools of the image that operators use: ACLs, users and quotas, tokens, groups, features, the quorum, transactions.

What they print and how they end is held against Apache Kafka's own. Both run each command, about things of their own.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from compat_tests.apache_kafka import CONFIGS, JavaTools
from compat_tests.deadlines import PATIENCE_SECONDS
from kafkapy.testing import Kafka
from kafkapy.tools import main

confluent_kafka = pytest.importorskip("confluent_kafka")

JAVA = {
    "kafka-acls": "org.apache.kafka.tools.AclCommand",
    "kafka-configs": CONFIGS,
    "kafka-delegation-tokens": "org.apache.kafka.tools.DelegationTokenCommand",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
}
SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin",
    "delegation.token.secret.key": "secret of the tokens",
}
OURS, THEIRS = "ours", "them"
"""What {who} stands for: as long as one another, as they are printed in tables."""
ACLS = """
    --add --allow-principal User:{who} --cluster kafka-cluster --operation Alter
    --add --allow-principal User:{who} --operation Read --cluster
    --add --allow-principal User:{who} --operation Nothing --topic {who}
    --add --allow-principal User:{who} --operation Read
    --add --operation Read --topic {who}
    --add --allow-principal {who} --operation Read --topic {who}
    --add --allow-principal User:{who} --topic {who} --resource-pattern-type match
    --add --allow-principal User:{who} --producer --group {who}
    --list --principal User:{who}
    --list --add
    --topic {who}
    --remove --force
"""
"""What test_tools.py does not have: what is wrong, mostly."""
CONFIG = """
    --alter --entity-type users --entity-name {who} --add-config SCRAM-SHA-256=[iterations=8192,password=secret]
    --alter --user {who} --add-config SCRAM-SHA-512=[password=secret],producer_byte_rate=1024
    --alter --user {who} --add-config SCRAM-SHA-512=[password=secret]
    --alter --user {who} --add-config producer_byte_rate=10485760,request_percentage=12.5
    --describe --entity-type users --entity-name {who}
    --alter --entity-type users --entity-name {who} --entity-type clients --entity-name a \
        --add-config producer_byte_rate=3
    --alter --user {who} --client app2 --add-config controller_mutation_rate=0.0005
    --describe --user {who} --client app2
    --describe --entity-type users --entity-name {who} --entity-type clients
    --alter --client {who} --add-config consumer_byte_rate=2048
    --describe --client {who}
    --describe --client nobody
    --alter --client-defaults --add-config consumer_byte_rate=2048
    --describe --entity-type clients --entity-default
    --alter --user-defaults --client-defaults --add-config request_percentage=50
    --describe --user-defaults --client-defaults
    --alter --ip 10.1.2.3 --add-config connection_creation_rate=7
    --describe --entity-type ips
    --alter --user {who} --delete-config SCRAM-SHA-256
    --alter --user {who} --delete-config SCRAM-SHA-256
    --alter --user {who} --delete-config producer_byte_rate
    --alter --user {who} --delete-config producer_byte_rate
    --alter --user {who} --delete-config nothing
    --alter --user {who} --add-config nothing=1
    --alter --user {who} --add-config producer_byte_rate=x
    --alter --user {who} --add-config SCRAM-SHA-256=[iterations=1,password=x]
    --alter --user {who} --add-config SCRAM-SHA-256=[iterations=4096]
    --alter --user-defaults --add-config SCRAM-SHA-256=[password=x]
    --alter --user {who}
    --alter --entity-type users --add-config producer_byte_rate=1
    --alter --ip 999.1.1.1 --add-config connection_creation_rate=7
    --alter --ip 10.0.0.1 --client x --add-config connection_creation_rate=7
    --describe --user {who}
"""
TOKENS = """
    --describe
    --create --max-life-time-period -1 --renewer-principal User:bob --renewer-principal User:alice
    --create --max-life-time-period 86400000 --owner-principal User:{who}
    --describe --owner-principal User:{who}
    --create
    --renew --renew-time-period -1 --hmac abcd
    --create --describe
"""
GROUPS = """
    --list
    --list --consumer
    --list --share
    --list --group-type classic
    --list --group-type nothing
    --list --protocol consumer
"""
FEATURES = """
    describe
    downgrade --feature share.version=0 --dry-run
    downgrade --feature share.version=0
    upgrade --feature share.version=1 --feature transaction.version=2
    disable --feature share.version
    describe
    upgrade --metadata 4.0 --dry-run
    upgrade --feature nothing=1
    upgrade --feature share.version=x
    upgrade
"""
DIRECTORIES = """
    --describe
    --describe --topic-list orders --broker-list 1
    --describe --broker-list 1,9
"""
QUORUM = """
    describe --status
    describe --replication
    describe --replication --human-readable
    describe
    describe --status --replication
"""
METRICS = """
    --alter --name {who} --metrics org.apache.kafka --interval 5000 --match client_id=x
    --list
    --describe --name {who}
    --alter --name {who} --interval=
    --describe
    --describe --name nothing
    --delete --name {who}
    --alter --name {who}
    --alter --name {who} --generate-name --metrics x
    --alter --metrics x
    --describe --list
"""
TRANSACTIONS = """
    list
    list --duration-filter 3600000
    describe --transactional-id open
    describe --transactional-id done
    describe --transactional-id nothing
    describe-producers --topic orders --partition 0
    describe-producers --topic nothing
"""
COMMANDS = {
    "kafka-acls": ACLS,
    "kafka-configs": CONFIG,
    "kafka-delegation-tokens": TOKENS,
    "kafka-groups": GROUPS,
    "kafka-features": FEATURES,
    "kafka-log-dirs": DIRECTORIES,
    "kafka-metadata-quorum": QUORUM,
    "kafka-client-metrics": METRICS,
    "kafka-transactions": TRANSACTIONS,
}
WITH_TIMES = ("kafka-metadata-quorum", "kafka-transactions")
"""Their numbers are others a moment later."""


class Both:
    """Our tools and Kafka's, as admin."""

    def __init__(self, kafka: Kafka, jvm: JavaTools, directory: Path) -> None:
        file = directory / "admin.properties"
        config = kafka.config_for("java", user="admin", mechanism="PLAIN")
        file.write_text("".join(f"{name}={value}\n" for name, value in config.items()))
        self._where = ("--bootstrap-server", kafka.bootstrap_servers, "--command-config", str(file))
        self._jvm = jvm

    def run_ours(self, tool: str, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        output, complaints = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(complaints):
            exit_code = main([tool, *self._where, *arguments])
        return exit_code, output.getvalue(), complaints.getvalue()

    def run_theirs(self, tool: str, *arguments: str) -> tuple[int, str]:
        return self._jvm.run(JAVA[tool], *self._where, *arguments)


@pytest.fixture(scope="module")
def both(java: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    del java
    with (
        Kafka(
            users={"admin": "admin-secret", OURS: "x", THEIRS: "x"}, settings=SETTINGS, topics={"orders": 1}
        ) as kafka,
        JavaTools(120) as jvm,
    ):
        tools = Both(kafka, jvm, tmp_path_factory.mktemp("admin"))
        group = ("--group", "a-group-with-a-longer-name", "--topic", "orders", "--reset-offsets", "--to-earliest")
        assert tools.run_ours("kafka-consumer-groups", *group, "--execute")[0] == 0
        config = kafka.config_for("confluent_kafka", user="admin", mechanism="PLAIN")
        done, opened = (confluent_kafka.Producer({**config, "transactional.id": name}) for name in ("done", "open"))
        for producer in (done, opened):
            producer.init_transactions(PATIENCE_SECONDS)
            producer.begin_transaction()
            producer.produce("orders", b"a", partition=0)
            assert producer.flush(PATIENCE_SECONDS) == 0
        done.commit_transaction(PATIENCE_SECONDS)
        yield tools
        opened.abort_transaction(PATIENCE_SECONDS)


def comparable(printed: str, *, has_times: bool = False) -> list[str]:
    """Without names; Kafka prints sets and hash tables in an order of its own."""
    if has_times:
        printed = re.sub(r" +", " ", re.sub(r"\d+", "N", printed))
    text = printed.replace(OURS, "{who}").replace(THEIRS, "{who}")
    text = re.sub(r"\S{86}==", "HMAC", re.sub(r"(?<=: )\S{22}$|^\S{22}(?= )", "ID", text, flags=re.MULTILINE))
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return sorted(
        json.dumps(_sorted(json.loads(line)))
        if line.startswith('{"')
        else ", ".join(sorted(line.replace(" are ", ", ").split(", ")))
        for line in lines
    )


def _sorted(document: object) -> object:
    """JSON whose lists have no order."""
    if isinstance(document, dict):
        return {name: _sorted(value) for name, value in sorted(document.items())}
    if isinstance(document, list):
        return sorted(map(_sorted, document), key=str)
    return document


@pytest.mark.parametrize("tool", list(COMMANDS))
def test_they_print_what_kafkas_print_and_end_alike(tool: str, both: Both) -> None:
    for line in COMMANDS[tool].strip().split("\n"):
        exit_code, printed, complained = both.run_ours(tool, *line.format(who=OURS).split())
        wanted_code, wanted = both.run_theirs(tool, *line.format(who=THEIRS).split())
        assert exit_code == wanted_code, f"{line}\n{printed}{complained}\n{wanted}"
        if exit_code:
            assert complained.count("\n") == 1, "one line says what is wrong"
        else:
            has_times = tool in WITH_TIMES
            ours, theirs = comparable(printed, has_times=has_times), comparable(wanted, has_times=has_times)
            assert ours == theirs, f"{line}\n{printed}\n{wanted}"


def test_a_token_that_was_made_is_renewed_and_expired(both: Both) -> None:
    tokens = "kafka-delegation-tokens"
    printed = both.run_ours(tokens, "--create", "--max-life-time-period", "-1")[1]
    found = re.search(r"(\S{22}) (\S{86}==)", printed)
    assert found, printed
    token_id, hmac = found.groups()
    renewed = both.run_ours(tokens, "--renew", "--renew-time-period", "3600000", "--hmac", hmac)
    assert renewed[0] == 0
    assert "Completed renew operation. New expiry date : " in renewed[1]
    of_admin = ("--describe", "--owner-principal", "User:admin")
    assert token_id in both.run_ours(tokens, *of_admin)[1]
    expired = both.run_ours(tokens, "--expire", "--expiry-time-period", "-1", "--hmac", hmac)
    assert "Completed expire operation. New expiry date : " in expired[1]
    assert token_id not in both.run_ours(tokens, *of_admin)[1]
    assert (
        "DELEGATION_TOKEN_NOT_FOUND" in both.run_ours(tokens, "--renew", "--renew-time-period", "-1", "--hmac", hmac)[2]
    )
