"""How a command logs in: SASL by client settings, as Kafka's tools take them."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.client.login import Login
from kafkapy.errors import how_to_install
from kafkapy_wire.sasl.client import BearerClient, client_exchange
from kafkapy_wire.sasl.jaas import KERBEROS_MODULE, InvalidJaas, parse_jaas_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafkapy_wire.sasl.client import ClientExchange
    from kafkapy_wire.sasl.jaas import LoginModule

DEFAULT_MECHANISM = "GSSAPI"
JAAS = "sasl.jaas.config"
NUMBER_MAX = float(1 << 31)


def login_of(settings: Mapping[str, str]) -> Login | None:
    """By security.protocol, sasl.mechanism and sasl.jaas.config; None: without SASL. Raises ClientError."""
    protocol = settings.get("security.protocol", "PLAINTEXT").strip().upper()
    if not protocol.startswith("SASL_"):
        return None
    mechanism = settings.get("sasl.mechanism", DEFAULT_MECHANISM).strip()
    text = settings.get(JAAS, "")
    if not text.strip():
        raise ClientError(f"security.protocol={protocol} needs {JAAS}, with the name and the password")
    try:
        module = parse_jaas_config(text)
        if mechanism == "GSSAPI":
            return Login(mechanism, _kerberos(module, settings))
        exchange = client_exchange(mechanism, module, time.time)
    except InvalidJaas as error:
        raise ClientError(f"{JAAS} is not valid: {error}") from None
    except ValueError as error:
        raise ClientError(f"sasl.mechanism: {error}") from None
    if isinstance(exchange, BearerClient):
        from kafkapy.settings.token_endpoint import TOKEN_URL

        if TOKEN_URL in settings:
            token = _tokens(module, settings)
            return Login(mechanism, lambda _: BearerClient(token))
    return Login(mechanism, lambda _: client_exchange(mechanism, module, time.time))


class _Given:
    """Client settings, as those of a listener and a mechanism are read."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings

    def value(self, name: str) -> str | None:
        return self._settings.get(name)

    def text(self, name: str) -> str:
        return self._settings.get(name, "").strip()

    def number(self, name: str, default: float) -> float:
        text = self.text(name)
        if not text:
            return default
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number < NUMBER_MAX:
            raise ClientError(f"{name}={text} is not a number from 0 on")
        return number

    def given_name(self, name: str) -> str:
        return name


def _tokens(module: LoginModule, settings: Mapping[str, str]) -> Callable[[], str]:
    """Fetches them from a provider, or a file, when they are needed. Raises ClientError."""
    from kafkapy.security.sasl.node_tokens import NodeTokens
    from kafkapy.settings.errors import SettingsError
    from kafkapy.settings.token_endpoint import token_endpoint, token_refresh

    given = _Given(settings)
    try:
        tokens = NodeTokens(token_endpoint(given, module.options, JAAS), token_refresh(given), time.time)
    except SettingsError as error:
        raise ClientError(str(error)) from None

    def token() -> str:
        try:
            return tokens.token()
        except ImportError:
            raise ClientError(
                f"sasl.oauthbearer.assertion.* need PyJWT and cryptography: {how_to_install('oauth')}"
            ) from None

    return token


def _kerberos(module: LoginModule, settings: Mapping[str, str]) -> Callable[[str], ClientExchange]:
    """By the key of a keytab, or the tickets of `kinit`. Raises ClientError, ValueError."""
    from kafkapy.settings.errors import SettingsError
    from kafkapy.settings.node_login import KerberosLogin
    from kafkapy.settings.sasl import SERVICE_NAME, kerberos_service

    try:
        from kafkapy.security.sasl.kerberos_login import KerberosClient
    except (ImportError, OSError):  # the system's Kerberos libraries are not found
        raise ClientError(f"sasl.mechanism=GSSAPI needs the package gssapi: {how_to_install('kerberos')}") from None
    if module.name != KERBEROS_MODULE:
        raise ValueError(f"GSSAPI needs login module {KERBEROS_MODULE}, and the JAAS configuration has {module.name}")
    options = module.options
    try:
        service = kerberos_service(module, JAAS, settings.get(SERVICE_NAME, "").strip(), SERVICE_NAME)
    except SettingsError as error:
        raise ClientError(str(error)) from None
    keytab = options.get("keyTab", "").removeprefix("FILE:")
    login = KerberosLogin(service, options.get("principal", ""), keytab)
    return lambda host: KerberosClient(login, host)
