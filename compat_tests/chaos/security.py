"""Who the clients of the chaos test are where they log in, and the ACLs that they need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from compat_tests import client_login
from compat_tests.client_login import KCAT
from compat_tests.cluster.looking import OPERATOR, confluent_admin, librdkafka
from compat_tests.cluster.secured import format_options
from compat_tests.deadlines import PATIENCE_SECONDS

PROTOCOLS: Final = ("plaintext", "sasl_ssl")
USERS: Final = (OPERATOR, "administrator", "producer", "reader", "transformer", "watcher")
FORMAT_OPTIONS: Final = format_options(USERS)
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
