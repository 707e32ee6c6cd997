"""sasl.oauthbearer.assertion.*: the signed assertion that a node shows to a token endpoint in place of a secret
(KIP-1139, KIP-1258): one that is in a file, or one that is made of claims and signed with a key.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from kafkapy.settings.errors import SettingsError, shortened

if TYPE_CHECKING:
    from kafkapy.settings.parse import Value

PREFIX: Final = "sasl.oauthbearer.assertion."
FILE: Final = f"{PREFIX}file"
ISSUER: Final = f"{PREFIX}claim.iss"
KEY_FILE: Final = f"{PREFIX}private.key.file"
TEMPLATE: Final = f"{PREFIX}template.file"
CLAIMS: Final = ("aud", "iss", "sub")
ALGORITHMS: Final = ("RS256", "ES256")


class Given(Protocol):
    """The settings of one listener and mechanism."""

    def value(self, name: str) -> Value | None: ...

    def text(self, name: str) -> str: ...

    def number(self, name: str, default: float) -> float: ...

    def given_name(self, name: str) -> str: ...


class ClientAssertion(NamedTuple):
    file: str
    """That has it, signed; empty: it is made of the others."""
    key_file: str
    passphrase: str | None
    algorithm: str
    claims: tuple[tuple[str, str], ...]
    template_file: str
    """JSON with `header` and `payload`, which win over the claims; may be empty."""
    expires_seconds: int
    begins_seconds: int
    """So long ago it became valid."""
    has_id: bool

    def __repr__(self) -> str:
        return "ClientAssertion(...)"  # the passphrase stays out of logs and tracebacks


def is_wanted(given: Given) -> bool:
    """Whether an assertion is shown, rather than a secret: as in Apache Kafka."""
    return bool(given.text(FILE) or given.text(ISSUER))


def client_assertion(given: Given) -> ClientAssertion:
    """Raises SettingsError: it cannot be made."""
    file, key_file, template = given.text(FILE), given.text(KEY_FILE), given.text(TEMPLATE)
    algorithm = (given.text(f"{PREFIX}algorithm") or ALGORITHMS[0]).upper()
    if not file and not key_file:
        name = given.given_name(KEY_FILE)
        raise SettingsError(f"{name} has to be set, with the key that signs assertions for a token endpoint", name)
    if algorithm not in ALGORITHMS:
        name = given.given_name(f"{PREFIX}algorithm")
        raise SettingsError(f"{name} is {shortened(algorithm)}: write one of {', '.join(ALGORITHMS)}", name)
    for setting, path in ((FILE, file), *(() if file else ((KEY_FILE, key_file), (TEMPLATE, template)))):
        if path and not os.access(path, os.R_OK):
            name = given.given_name(setting)
            raise SettingsError(f"{name}: the file {shortened(path)} cannot be read", name)
    passphrase = given.value(f"{PREFIX}private.key.passphrase")
    claims = tuple((claim, given.text(f"{PREFIX}claim.{claim}")) for claim in CLAIMS)
    return ClientAssertion(
        file,
        key_file,
        None if passphrase is None else str(passphrase),
        algorithm,
        tuple((claim, value) for claim, value in claims if value),
        template,
        int(given.number(f"{PREFIX}claim.exp.seconds", 300)),
        int(given.number(f"{PREFIX}claim.nbf.seconds", 60)),
        given.value(f"{PREFIX}claim.jti.include") is True,
    )
