"""A broker with TLS, SASL and an authorizer, for the scenarios that attack these; the honest client logs in over TLS.

SASL_SSL        the first listener, where the honest client is
SSL             TLS alone
SASL_PLAINTEXT  logins without TLS
PLAINTEXT       whoever connects here may do nothing
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final

from kafkapy_wire.sasl.jaas import OAUTHBEARER_MODULE, PLAIN_MODULE, SCRAM_MODULE
from tests.attack.attacker import Login
from tests.attack.scenario import Scenario
from tests.tls.certificates import certificates, server_settings

USERS: Final = ("honest", "mallory")
MALLORY: Final = Login("mallory")
"""Has a login and no rights."""
LISTENERS: Final = ("SASL_SSL", "SSL", "SASL_PLAINTEXT", "PLAINTEXT")
SETTINGS: Final[Mapping[str, str]] = {
    "listeners": ",".join(f"{name}://127.0.0.1:0" for name in LISTENERS),
    "inter.broker.listener.name": "PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,OAUTHBEARER",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:honest",
    "delegation.token.secret.key": "a-secret",
}


@contextmanager
def secured() -> Iterator[Mapping[str, str]]:
    settings = {**server_settings(), **SETTINGS}
    users = " ".join(f'user_{name}="{name}"' for name in USERS)
    for name in ("sasl_ssl", "sasl_plaintext"):
        prefix = f"listener.name.{name}"
        settings[f"{prefix}.plain.sasl.jaas.config"] = f"{PLAIN_MODULE} required {users};"
        settings[f"{prefix}.scram-sha-256.sasl.jaas.config"] = f"{SCRAM_MODULE} required;"
        settings[f"{prefix}.oauthbearer.sasl.jaas.config"] = f"{OAUTHBEARER_MODULE} required;"
    yield settings


def honest() -> Login:
    return Login("honest", str(certificates().ca))


SecuredScenario = partial(Scenario, around=secured, honest=honest)
