"""The mechanisms of one listener, by its settings."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.errors import how_to_install
from kafkapy.security.principal import KafkaPrincipal
from kafkapy.security.sasl.plain import PlainExchange
from kafkapy.security.sasl.scram import Likeness, ScramExchange, Token, likeness
from kafkapy.settings.errors import SettingsError
from kafkapy.settings.sasl import JWKS_HANDLERS, jwks_settings, kerberos_settings, sasl_settings
from kafkapy_wire.sasl import scram
from kafkapy_wire.sasl.scram import HASHES, ScramKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafkapy.security.delegation_tokens import DelegationTokens
    from kafkapy.security.sasl.exchange import Exchange
    from kafkapy.security.sasl.oauthbearer import TokenValidator
    from kafkapy.security.sasl.scram import ScramCredentials
    from kafkapy.settings import Settings
    from kafkapy.settings.sasl import MechanismSettings
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.record_formats.metadata import UserScramCredentialRecord

SALT_CHARACTERS: Final = 25
"""Of a salt that Apache Kafka's tools make."""
TOKEN_SALT_BYTES: Final = 16
USER_PREFIX: Final = "user_"
SCRAM_TYPES: Final[Mapping[str, int]] = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
"""The number of each mechanism in metadata records."""


class Mechanism(NamedTuple):
    begin: Callable[[], Exchange]
    max_reauth_ms: int
    """connections.max.reauth.ms; 0: sessions do not end by it."""


class SaslListener(NamedTuple):
    name: str
    mechanisms: Mapping[str, Mechanism]
    receive_bytes_max: int
    """sasl.server.max.receive.size: the longest frame before a login is complete."""
    validator: TokenValidator | None = None
    """Of OAUTHBEARER."""


def sasl_listener(
    settings: Settings,
    listener_name: str,
    credentials: ScramCredentials,
    now_ms: Callable[[], float],
    before: SaslListener | None = None,
) -> SaslListener:
    """`now_ms`: since the epoch. `before`: the same listener by earlier settings. Raises SettingsError."""
    sasl = sasl_settings(settings, listener_name)
    validator = None
    if "OAUTHBEARER" in sasl.mechanisms:
        known = None if before is None else before.validator
        validator = _token_validator(settings, listener_name, sasl.mechanisms["OAUTHBEARER"], now_ms, known)
    mechanisms = {
        name: Mechanism(
            _begin_kerberos(settings, listener_name, mechanism)
            if name == "GSSAPI"
            else _begin(name, mechanism, credentials, validator),
            mechanism.max_reauth_ms,
        )
        for name, mechanism in sasl.mechanisms.items()
    }
    return SaslListener(listener_name, mechanisms, sasl.receive_bytes_max, validator)


def _token_validator(
    settings: Settings,
    listener_name: str,
    mechanism: MechanismSettings,
    now_ms: Callable[[], float],
    before: TokenValidator | None,
) -> TokenValidator:
    """`before` if it has the same settings, as it knows the keys of the provider. Raises SettingsError."""
    if mechanism.handler in JWKS_HANDLERS:
        try:
            from kafkapy.security.sasl.jwks import JwksValidator
        except ImportError:
            raise SettingsError(
                f"{mechanism.handler} of listener {listener_name} needs the packages PyJWT and cryptography: "
                f"{how_to_install('oauth')}",
                "sasl.server.callback.handler.class",
            ) from None
        wanted = jwks_settings(settings, listener_name)
        if isinstance(before, JwksValidator) and before.settings == wanted:
            return before
        return JwksValidator(wanted, now_ms)
    from kafkapy.security.sasl.unsecured import UnsecuredValidator, rules_of

    try:
        return UnsecuredValidator(rules_of(mechanism.modules[0].options), now_ms)
    except ValueError as error:
        raise SettingsError(f"{mechanism.jaas_setting} is not valid: {error}", mechanism.jaas_setting) from None


def _begin_kerberos(settings: Settings, listener_name: str, mechanism: MechanismSettings) -> Callable[[], Exchange]:
    """Raises SettingsError."""
    try:
        from kafkapy.security.sasl.kerberos import KerberosExchange
    except ImportError:
        raise SettingsError(
            f"GSSAPI of listener {listener_name} needs the package gssapi: {how_to_install('kerberos')}",
            "sasl.enabled.mechanisms",
        ) from None
    kerberos = kerberos_settings(settings, listener_name, mechanism.modules[0], mechanism.jaas_setting)
    return partial(KerberosExchange, kerberos)


def _begin(
    name: str, mechanism: MechanismSettings, credentials: ScramCredentials, validator: TokenValidator | None
) -> Callable[[], Exchange]:
    if name == "OAUTHBEARER":
        from kafkapy.security.sasl.oauthbearer import BearerExchange

        assert validator is not None
        return partial(BearerExchange, validator)
    if name in HASHES:
        return partial(ScramExchange, name, credentials)
    assert name == "PLAIN", name
    return partial(PlainExchange, plain_users(mechanism))


def plain_users(mechanism: MechanismSettings) -> dict[str, str]:
    """Passwords by user, of options `user_alice="secret"`; the first of several modules wins."""
    return {
        option.removeprefix(USER_PREFIX): password
        for module in reversed(mechanism.modules)
        for option, password in module.options.items()
        if option.startswith(USER_PREFIX)
    }


class ImageCredentials:
    """SCRAM credentials of the newest metadata image."""

    def __init__(
        self, image: Callable[[], MetadataImage], tokens: DelegationTokens | None, now_ms: Callable[[], int]
    ) -> None:
        """`tokens`: None if there are none. `now_ms`: since the epoch."""
        self._image = image
        self._tokens = tokens
        self._now_ms = now_ms
        self._likeness: dict[str, Likeness] = {}
        self._like_users: Mapping[tuple[str, int], UserScramCredentialRecord] = {}
        self._unlike_anybody = Likeness(secrets.token_bytes(32), scram.ITERATIONS_MIN, SALT_CHARACTERS, True)

    def keys_of(self, name: str, mechanism: str, /) -> ScramKeys | None:
        record = self._image().scram_credentials.get((name, SCRAM_TYPES[mechanism]))
        if record is None:
            return None
        return ScramKeys(record.salt, record.iterations, record.stored_key, record.server_key)

    def token(self, token_id: str, /) -> Token | None:
        record = self._image().delegation_tokens.get(token_id)
        if record is None or self._tokens is None or record.expiration_timestamp < self._now_ms():
            return None
        return Token(KafkaPrincipal.parse(record.owner), record.expiration_timestamp)

    def keys_of_token(self, token_id: str, mechanism: str, /) -> ScramKeys | None:
        """The password of a token is its HMAC in base64. Its salt is the same on all brokers, as that of a user."""
        if self._tokens is None:
            return None
        password = scram.base64_text(self._tokens.hmac_of(token_id)).encode()
        salt = self._tokens.hmac_of(f"salt of {token_id} for {mechanism}")[:TOKEN_SALT_BYTES]
        salted = scram.salted_password(HASHES[mechanism], password, salt, scram.ITERATIONS_MIN)
        return scram.keys_of(HASHES[mechanism], salted, salt, scram.ITERATIONS_MIN)

    def likeness(self, mechanism: str, /) -> Likeness:
        """To the first user by name, whom every broker knows."""
        users = self._image().scram_credentials
        if users is not self._like_users:
            self._like_users = users
            self._likeness = {}
        found = self._likeness.get(mechanism)
        if found is None:
            kind = SCRAM_TYPES[mechanism]
            first = min((name for name, of in users if of == kind), default=None)
            keys = None if first is None else self.keys_of(first, mechanism)
            found = self._likeness[mechanism] = self._unlike_anybody if keys is None else likeness(keys)
        return found
