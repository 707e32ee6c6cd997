"""Where tokens come from (OAUTHBEARER), by Kafka's settings: sasl.oauthbearer.token.endpoint.url and what it wants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from kafkapy.settings.client_assertion import client_assertion, is_wanted
from kafkapy.settings.errors import SettingsError, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.settings.client_assertion import ClientAssertion, Given

_CLASSES: Final = "org.apache.kafka.common.security.oauthbearer."
TOKEN_URL: Final = "sasl.oauthbearer.token.endpoint.url"
RETRIEVER: Final = "sasl.oauthbearer.jwt.retriever.class"
BEARER_RETRIEVER: Final = f"{_CLASSES}JwtBearerJwtRetriever"
RETRIEVERS: Final = frozenset(
    {
        BEARER_RETRIEVER,
        *(f"{_CLASSES}{name}" for name in ("DefaultJwtRetriever", "ClientCredentialsJwtRetriever", "FileJwtRetriever")),
    }
)
WAIT_MS: Final = 10_000
"""How long a token endpoint may take, if sasl.login.connect.timeout.ms and sasl.login.read.timeout.ms are not given."""


class TokenEndpoint(NamedTuple):
    """Where tokens come from: a file, or a server that hands them out for a secret or an assertion (RFC 6749)."""

    url: str
    client_id: str
    client_secret: str
    scope: str
    timeout_seconds: float
    tls: tuple[tuple[str, str], ...]
    """The `ssl.*` options of the login module, for https."""
    jaas_setting: str
    assertion: ClientAssertion | None = None
    """In place of the secret."""
    is_bearer: bool = False
    """The assertion is what the token is for (RFC 7523), rather than who asks for it."""

    @property
    def file(self) -> str | None:
        """The path of the file; None: it is a server."""
        parts = urlsplit(self.url)
        return unquote(parts.path) if parts.scheme == "file" else None

    def __repr__(self) -> str:
        return f"TokenEndpoint({self.url!r}, ...)"  # the secret stays out of logs and tracebacks


class TokenRefresh(NamedTuple):
    """When a token is fetched anew before it expires, and how soon after a failure."""

    window_factor: float
    window_jitter: float
    min_period_seconds: int
    buffer_seconds: int
    backoff_seconds: float
    backoff_max_seconds: float


def token_endpoint(of: Given, options: Mapping[str, str], jaas_setting: str) -> TokenEndpoint:
    """By sasl.oauthbearer.*, or the `options` of the login module that `jaas_setting` has. Raises SettingsError."""
    retriever = of.text(RETRIEVER)
    if retriever and retriever not in RETRIEVERS:
        name = of.given_name(RETRIEVER)
        raise SettingsError(
            f"{name} is refused: {shortened(retriever)} is a Java class, which cannot be run; remove it, or use one of "
            "Apache Kafka's own",
            name,
        )
    url, name = of.text(TOKEN_URL), of.given_name(TOKEN_URL)
    if not url:
        raise SettingsError(f"{name} has to be set for OAUTHBEARER with OAuthBearerLoginCallbackHandler", name)
    _check_url(url, name)
    credentials = {
        option: of.text(name) or options.get(option, "").strip()
        for name, option in (
            ("sasl.oauthbearer.client.credentials.client.id", "clientId"),
            ("sasl.oauthbearer.client.credentials.client.secret", "clientSecret"),
            ("sasl.oauthbearer.scope", "scope"),
        )
    }
    is_bearer = retriever == BEARER_RETRIEVER
    timeouts = [of.number(f"sasl.login.{what}.timeout.ms", WAIT_MS) for what in ("connect", "read")]
    endpoint = TokenEndpoint(
        url,
        credentials["clientId"],
        credentials["clientSecret"],
        credentials["scope"],
        max(timeouts) / 1_000,
        tuple(sorted((option, value) for option, value in options.items() if option.startswith("ssl."))),
        jaas_setting,
        client_assertion(of) if is_bearer or is_wanted(of) else None,
        is_bearer,
    )
    _check_endpoint(endpoint, name)
    return endpoint


def _check_url(url: str, name: str) -> None:
    """Raises SettingsError."""
    try:
        parts = urlsplit(url)
        has_user = parts.username is not None or parts.password is not None
        is_valid = parts.port is None or bool(parts.hostname)
    except ValueError:  # its port, or an address in brackets
        has_user, is_valid = False, False
    if has_user:
        raise SettingsError(
            f"{name} has a user name or a password before the host: write them in "
            "sasl.oauthbearer.client.credentials.client.id and sasl.oauthbearer.client.credentials.client.secret",
            name,
        )
    if not is_valid or not url.isprintable():
        raise SettingsError(f"{name}={shortened(url)} is no URL", name)
    if not url.startswith(("https://", "http://", "file:/")):
        raise SettingsError(f"{name}={shortened(url)} does not begin with https://, http:// or file:/", name)


def _check_endpoint(endpoint: TokenEndpoint, name: str) -> None:
    """Raises SettingsError. `name` is that of the URL's setting."""
    if endpoint.file is not None:
        if not os.access(endpoint.file, os.R_OK):
            raise SettingsError(f"{name}: the file {shortened(endpoint.file)} cannot be read", name)
        return
    if endpoint.assertion is not None:
        return
    for what, value in (("id", endpoint.client_id), ("secret", endpoint.client_secret)):
        if not value:
            setting = f"sasl.oauthbearer.client.credentials.client.{what}"
            raise SettingsError(f"{setting} has to be set: the token endpoint of {name} wants it", setting)


def token_refresh(of: Given) -> TokenRefresh:
    def seconds(name: str, default: int) -> int:
        return int(of.number(f"sasl.login.refresh.{name}", default))

    backoff_ms = of.number("sasl.login.retry.backoff.ms", 100)
    return TokenRefresh(
        of.number("sasl.login.refresh.window.factor", 0.8),
        of.number("sasl.login.refresh.window.jitter", 0.05),
        seconds("min.period.seconds", 60),
        seconds("buffer.seconds", 300),
        backoff_ms / 1_000,
        max(backoff_ms, of.number("sasl.login.retry.backoff.max.ms", 10_000)) / 1_000,
    )
