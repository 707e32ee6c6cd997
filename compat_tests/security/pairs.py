"""Which client can log in how: the table of the documentation, and what its tests go through."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from kafkapy_wire.sasl.client import unsecured_token

SERVER, MUTUAL = "SSL", "SSL, with a client certificate"
PLAIN, SCRAM_256, SCRAM_512 = "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"
OAUTHBEARER, GSSAPI = "OAUTHBEARER", "GSSAPI"
TOKEN: Final = "delegation token"
AGAIN: Final = "re-authentication"
"""KIP-368, in a session that has an end."""
WRONG: Final = "wrong password"
TLS: Final = (SERVER, MUTUAL)
MECHANISMS: Final = (PLAIN, SCRAM_256, SCRAM_512, OAUTHBEARER, GSSAPI)
SASL: Final = (*MECHANISMS, TOKEN)
SASL_PROTOCOLS: Final = ("SASL_PLAINTEXT", "SASL_SSL")

PASSWORD: Final = "alice's secret, for tests"

_NO_TOKENS = "the client has no option for `tokenauth=true`"
CLIENTS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "java": ("Java clients and tools, 4.4", {}),
    "librdkafka": (
        "librdkafka (confluent-kafka)",
        {
            GSSAPI: "the wheels of confluent-kafka are built without it; librdkafka with Cyrus SASL has it",
            TOKEN: _NO_TOKENS,
        },
    ),
    "kafka-python": ("kafka-python", {TOKEN: _NO_TOKENS}),
    "aiokafka": (
        "aiokafka",
        {TOKEN: _NO_TOKENS, AGAIN: "it connects anew when its session has ended, and loses nothing"},
    ),
    "franz": ("franz-go", {}),
    "sarama": ("sarama, with xdg-go/scram", {TOKEN: "xdg-go/scram has no SCRAM extensions"}),
    "kafkajs": ("KafkaJS", {GSSAPI: "KafkaJS does not have it", TOKEN: _NO_TOKENS}),
    "kcat": (
        "kcat (librdkafka 2.0 of Debian)",
        {
            **dict.fromkeys(
                (SCRAM_256, SCRAM_512),
                "librdkafka before 2.6.1 repeats a part of the nonce, which Apache Kafka refuses since 3.7.2 "
                "(CVE-2024-56128), as kafkapy does",
            ),
            TOKEN: _NO_TOKENS,
            AGAIN: "kcat ends before its session does",
        },
    ),
}
"""By the name that the tests have for it: what it is called, and what it cannot do, with the reason."""


@dataclass(frozen=True, slots=True)
class Login:
    """One way of a client to a broker. The programs in other languages read it as JSON.

    `mechanism` is SASL's, or empty. With a `token` the client makes a delegation token as `user`, and logs in by it.
    `wrong`: the password is not the user's, and the client must say so. `secret` is the password or the bearer's token.
    """

    name: str
    bootstrap: str
    protocol: str
    mechanism: str
    certificate: bool
    token: bool
    wrong: bool
    user: str
    secret: str
    topic: str
    group: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files that all logins of a client share."""

    ca: str
    certificate: str
    key: str
    certificate_and_key: str
    krb5: str
    keytab: str
    realm: str


def logins_of(client: str, listeners: Mapping[str, str], *, kerberos: bool) -> list[Login]:
    """What the client goes through: every pair that it can do, and wrong passwords.

    `listeners` are the addresses of SSL, MUTUAL and of `SASL_PROTOCOLS`. Topics begin with the principal's name, as the
    broker lets it write nowhere else.
    """
    _, unsupported = CLIENTS[client]
    ways = [(SERVER, "SSL", "", "SSL"), (MUTUAL, "SSL", "", "MUTUAL")]
    for protocol in SASL_PROTOCOLS:
        ways += [(how, protocol, SCRAM_256 if how == TOKEN else how, protocol) for how in SASL]
        ways.append((WRONG, protocol, PLAIN, protocol))
    return [
        _login(client, how, protocol, mechanism, listeners[listener])
        for how, protocol, mechanism, listener in ways
        if how not in unsupported and (kerberos or how != GSSAPI)
    ]


def _login(client: str, how: str, protocol: str, mechanism: str, bootstrap: str) -> Login:
    name = f"{protocol} {how}" if mechanism else how
    principal = {SERVER: "anonymous", MUTUAL: "CN-alice"}.get(how, "alice")
    own = f"{principal}-{client}-{''.join(c if c.isalnum() else '-' for c in name)}"
    secret = {OAUTHBEARER: unsecured_token({"unsecuredLoginStringClaim_sub": "alice"}, time.time()), WRONG: "wrong"}
    return Login(
        name=name,
        bootstrap=bootstrap,
        protocol=protocol,
        mechanism=mechanism,
        certificate=how == MUTUAL,
        token=how == TOKEN,
        wrong=how == WRONG,
        user="alice",
        secret=secret.get(how, PASSWORD),
        topic=own,
        group=own,
    )


def write_plan(path: Path, credentials: Credentials, logins: Sequence[Login]) -> str:
    """The file that a program in another language goes through."""
    path.write_text(json.dumps({**asdict(credentials), "logins": [asdict(login) for login in logins]}))
    return str(path)


def table() -> str:
    """That of the documentation."""
    columns = ("SSL", "SSL with a certificate", *SASL, AGAIN)
    lines = [f"| client | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
    notes: list[str] = []
    for name, unsupported in CLIENTS.values():
        cells = []
        for how in (*TLS, *SASL, AGAIN):
            if how not in unsupported:
                cells.append("yes")
                continue
            if unsupported[how] not in notes:
                notes.append(unsupported[how])
            cells.append(f"no ({notes.index(unsupported[how]) + 1})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {note}" for number, note in enumerate(notes, 1))])
