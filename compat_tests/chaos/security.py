"""A cluster in which everything has SASL_SSL: clients, brokers between one another, and controllers.

Nodes log in at brokers by SCRAM-SHA-512, whose users are in the metadata log since the directories were formatted, and
at controllers by PLAIN: whoever needs the metadata log to log in could not form a quorum, in Apache Kafka either. Their
sessions are short, so that they authenticate again and again. Nodes are super users. Clients log in by SCRAM-SHA-256,
as users that have the ACLs which they need and no others.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from compat_tests import client_login
from compat_tests.client_login import KCAT
from compat_tests.cluster.looking import OPERATOR, confluent_admin, librdkafka
from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.kafkapy_process import kafkapy_command
from kafkapy_wire.sasl.jaas import PLAIN_MODULE, SCRAM_MODULE

PROTOCOLS: Final = ("plaintext", "sasl_ssl")
NODE, NODE_PASSWORD = "node", "node-secret"
USERS: Final = (OPERATOR, "administrator", "producer", "reader", "transformer", "watcher")
SESSION_MS: Final = 10_000
_PREFIXES = ("plaintext.scram-sha-512", "plaintext.scram-sha-256", "controller.plain")

Acl = tuple[str, str, str, tuple[str, ...]]
"""User, type of the resource, beginning of its name, operations."""
ACLS: Final[Sequence[Acl]] = (
    *(("producer", "TOPIC", topic, ("WRITE",)) for topic in ("plain", "transactional", "programs")),
    ("producer", "TRANSACTIONAL_ID", "tx-", ("WRITE",)),
    (KCAT, "TOPIC", "programs", ("WRITE",)),
    *(("reader", "TOPIC", topic, ("READ",)) for topic in ("plain", "transactional", "transformed", "programs")),
    *(("reader", "GROUP", group, ("READ",)) for group in ("readers", "java", "sharers", "auditor")),
    ("transformer", "TOPIC", "plain", ("READ",)),
    ("transformer", "TOPIC", "transformed", ("WRITE",)),
    ("transformer", "GROUP", "transformers", ("READ",)),
    *(
        ("transformer", "TRANSACTIONAL_ID", name, ("WRITE",))
        for name in ("transformer", "java-transformer", "franz-go-transformer")
    ),
    *(
        (
            "administrator",
            "TOPIC",
            topic,
            ("CREATE", "DELETE", "DESCRIBE", "ALTER_CONFIGS", "DESCRIBE_CONFIGS"),
        )
        for topic in ("administrator-", "java-administrator-")
    ),
    ("watcher", "TOPIC", "", ("DESCRIBE",)),
    ("watcher", "GROUP", "", ("DESCRIBE",)),
)
FORMAT_OPTIONS: Final = (
    *("--add-scram", f"SCRAM-SHA-512=[name={NODE},password={NODE_PASSWORD}]"),
    *(
        option
        for user in USERS
        for option in (
            "--add-scram",
            f"{client_login.MECHANISM}=[name={user},password={client_login.password_of(user)},iterations=4096]",
        )
    ),
)


@contextmanager
def secured(directory: Path, hosts: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Settings of the nodes; within, clients log in. `hosts`: where nodes listen."""
    names = [option for host in dict.fromkeys((*hosts, "127.0.0.1", "localhost")) for option in ("--host", host)]
    command = [kafkapy_command(), "certs", str(directory), "--server", NODE, "--client", "alice", *names]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    before = os.environ.get(client_login.DIRECTORY)
    os.environ[client_login.DIRECTORY] = str(directory)
    try:
        yield _settings(directory)
    finally:
        if before is None:
            del os.environ[client_login.DIRECTORY]
        else:
            os.environ[client_login.DIRECTORY] = before


def _settings(directory: Path) -> dict[str, str]:
    own = f'username="{NODE}" password="{NODE_PASSWORD}"'
    return {
        "listener.security.protocol.map": "PLAINTEXT:SASL_SSL,CONTROLLER:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.name.plaintext.sasl.enabled.mechanisms": f"SCRAM-SHA-512,{client_login.MECHANISM},PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.plaintext.scram-sha-512.sasl.jaas.config": f"{SCRAM_MODULE} required {own};",
        "listener.name.plaintext.scram-sha-256.sasl.jaas.config": f"{SCRAM_MODULE} required;",
        "listener.name.plaintext.plain.sasl.jaas.config": (
            f'{PLAIN_MODULE} required user_{KCAT}="{client_login.password_of(KCAT)}";'
        ),
        "listener.name.controller.plain.sasl.jaas.config": (
            f'{PLAIN_MODULE} required {own} user_{NODE}="{NODE_PASSWORD}";'
        ),
        **{f"listener.name.{prefix}.connections.max.reauth.ms": str(SESSION_MS) for prefix in _PREFIXES},
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(directory / f"{NODE}.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(directory / "ca.crt"),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{NODE};User:{OPERATOR}",
    }


def grant(bootstrap: str) -> None:
    """Make the ACLs of all users."""
    client: Any = librdkafka(bootstrap)
    bindings = [
        confluent_admin.AclBinding(
            confluent_admin.ResourceType[kind],
            name or "*",
            confluent_admin.ResourcePatternType.PREFIXED if name else confluent_admin.ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            confluent_admin.AclOperation[operation],
            confluent_admin.AclPermissionType.ALLOW,
        )
        for user, kind, name, operations in ACLS
        for operation in operations
    ]
    for future in client.create_acls(bindings).values():
        future.result(PATIENCE_SECONDS)


def command_config(directory: Path) -> Path | None:
    """The file for `--command-config` of a command that is run by the operator; None: it needs none."""
    settings = client_login.java(OPERATOR)
    if not settings:
        return None
    file = directory / "operator.properties"
    file.write_text(client_login.properties(settings))
    return file
