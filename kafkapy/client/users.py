"""What `kafkapy users` asks and changes: users of SASL/SCRAM."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

from kafkapy.client.cluster import Cluster
from kafkapy.client.errors import check
from kafkapy_wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from kafkapy_wire.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
)

MECHANISMS = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
NAMES = {number: name for name, number in MECHANISMS.items()}
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
ITERATIONS = 8_192
SALT_BYTES = 16


class Credential(NamedTuple):
    user: str
    mechanism: str
    iterations: int


def credentials(cluster: Cluster) -> list[Credential]:
    """Of all users. Raises Refused."""

    def attempt() -> list[Credential]:
        request = DescribeUserScramCredentialsRequest(users=None)
        answer = cluster.ask_once(cluster.any_broker(), request, DescribeUserScramCredentialsResponse)
        check(answer.error_code, "users", answer.error_message)
        return [
            Credential(result.user, NAMES.get(info.mechanism, str(info.mechanism)), info.iterations)
            for result in answer.results
            for info in result.credential_infos
        ]

    return sorted(cluster.retrying(attempt))


def set_password(cluster: Cluster, user: str, password: str, mechanism: str, iterations: int) -> None:
    """Make the user's credential of the mechanism, or another one in its place. Raises Refused."""
    salt = os.urandom(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac(_HASHES[mechanism], password.encode(), salt, max(iterations, 1))
    upsertion = ScramCredentialUpsertion(
        name=user, mechanism=MECHANISMS[mechanism], iterations=iterations, salt=salt, salted_password=salted
    )
    _alter(cluster, AlterUserScramCredentialsRequest(upsertions=[upsertion]))


def remove_credentials(cluster: Cluster, user: str, mechanisms: Sequence[str]) -> None:
    """Raises Refused."""
    for mechanism in mechanisms:  # a request may name a user once
        deletion = ScramCredentialDeletion(name=user, mechanism=MECHANISMS[mechanism])
        _alter(cluster, AlterUserScramCredentialsRequest(deletions=[deletion]))


def _alter(cluster: Cluster, request: AlterUserScramCredentialsRequest) -> None:
    def attempt() -> None:
        answer = cluster.ask_once(cluster.any_broker(), request, AlterUserScramCredentialsResponse)
        for result in answer.results:
            check(result.error_code, f"user {result.user!r}", result.error_message)

    cluster.retrying(attempt)
