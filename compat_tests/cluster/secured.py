"""A cluster in which everything has SASL_SSL: clients, brokers between one another, and controllers.

Nodes log in at brokers by SCRAM-SHA-512, whose users are in the metadata log since the directories were formatted, and
at controllers by PLAIN: whoever needs the metadata log to log in could not form a quorum, in Apache Kafka either. Their
sessions are short, so that they authenticate again and again. Nodes are super users. Clients log in by SCRAM-SHA-256,
see `client_login`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from compat_tests import client_login
from compat_tests.client_login import KCAT
from compat_tests.cluster.looking import OPERATOR
from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.kafkapy_process import kafkapy_command
from kafkapy_wire.sasl.jaas import PLAIN_MODULE, SCRAM_MODULE

NODE, NODE_PASSWORD = "node", "node-secret"
SESSION_MS: Final = 10_000
_PREFIXES = ("plaintext.scram-sha-512", "plaintext.scram-sha-256", "controller.plain")


def format_options(users: Iterable[str]) -> tuple[str, ...]:
    """Of the tool that formats the nodes' directories: the nodes' own user, and these."""
    added = [
        f"SCRAM-SHA-512=[name={NODE},password={NODE_PASSWORD}]",
        *(
            f"{client_login.MECHANISM}=[name={user},password={client_login.password_of(user)},iterations=4096]"
            for user in users
        ),
    ]
    return tuple(option for each in added for option in ("--add-scram", each))


@contextmanager
def secured(directory: Path, hosts: Sequence[str] = ()) -> Iterator[Mapping[str, str]]:
    """Settings of the nodes; within, clients log in. `hosts`: where nodes listen, besides 127.0.0.1."""
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
