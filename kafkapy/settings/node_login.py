"""How a node of a cluster logs in at the others, by Kafka's settings: its credentials, and where tokens come from.

Credentials are in the login module of the node's own listener, as in Apache Kafka. What is wrong is a SettingsError
with the name of its setting: a node that could not log in at the others does not start.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from kafkapy.settings.client_assertion import client_assertion, is_wanted
from kafkapy.settings.errors import SettingsError, shortened
from kafkapy.settings.sasl import MODULES, SERVICE_NAME, kerberos_service, mechanism_settings
from kafkapy_wire.sasl.client import client_exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.settings.client_assertion import ClientAssertion
    from kafkapy.settings.parse import Value
    from kafkapy.settings.sasl import MechanismSettings, Settings
    from kafkapy_wire.sasl.jaas import LoginModule

_SECURITY: Final = "org.apache.kafka.common.security."
_OAUTH: Final = f"{_SECURITY}oauthbearer."
LOGIN_HANDLER: Final = "sasl.login.callback.handler.class"
ENDPOINT_HANDLERS: Final = frozenset(
    {f"{_OAUTH}OAuthBearerLoginCallbackHandler", f"{_OAUTH}secured.OAuthBearerLoginCallbackHandler"}
)
"""With one of these, tokens come from sasl.oauthbearer.token.endpoint.url."""
UNSECURED_HANDLER: Final = f"{_OAUTH}internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler"
CLASSES: Final[Mapping[str, frozenset[str]]] = {
    LOGIN_HANDLER: ENDPOINT_HANDLERS
    | {UNSECURED_HANDLER, f"{_SECURITY}authenticator.AbstractLogin$DefaultLoginCallbackHandler"},
    "sasl.login.class": frozenset(
        {
            f"{_SECURITY}authenticator.DefaultLogin",
            f"{_SECURITY}kerberos.KerberosLogin",
            f"{_OAUTH}internals.OAuthBearerRefreshingLogin",
        }
    ),
    "sasl.client.callback.handler.class": frozenset(
        {
            f"{_SECURITY}authenticator.SaslClientCallbackHandler",
            f"{_OAUTH}internals.OAuthBearerSaslClientCallbackHandler",
        }
    ),
}
"""Apache Kafka's own classes that are served under their names."""
TOKEN_URL: Final = "sasl.oauthbearer.token.endpoint.url"
RETRIEVER: Final = "sasl.oauthbearer.jwt.retriever.class"
BEARER_RETRIEVER: Final = f"{_OAUTH}JwtBearerJwtRetriever"
RETRIEVERS: Final = frozenset(
    {
        BEARER_RETRIEVER,
        *(f"{_OAUTH}{name}" for name in ("DefaultJwtRetriever", "ClientCredentialsJwtRetriever", "FileJwtRetriever")),
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


class KerberosLogin(NamedTuple):
    service: str
    principal: str
    """Empty: the first of the keytab."""
    keytab: str


class NodeLoginSettings(NamedTuple):
    mechanism: str
    module: LoginModule
    credentials: str
    """The name of the setting that has them."""
    endpoint: TokenEndpoint | None = None
    """With OAUTHBEARER; None: tokens have no signature."""
    refresh: TokenRefresh | None = None
    kerberos: KerberosLogin | None = None
    """With GSSAPI."""


class _Of:
    """The settings of one listener and mechanism."""

    def __init__(self, settings: Settings, listener_name: str, mechanism: str) -> None:
        self._settings = settings
        self._listener_name = listener_name
        self._mechanism = mechanism

    def value(self, name: str) -> Value | None:
        return self._settings.listener_value(self._listener_name, name, self._mechanism)

    def text(self, name: str) -> str:
        return str(self.value(name) or "").strip()

    def number(self, name: str, default: float) -> float:
        value = self.value(name)
        assert value is None or isinstance(value, int | float), (name, value)
        return default if value is None else value

    def given_name(self, name: str) -> str:
        """The name under which the setting was given."""
        prefix = f"listener.name.{self._listener_name.lower()}."
        names = (f"{prefix}{self._mechanism.lower()}.{name}", f"{prefix}{name}")
        return next((each for each in names if self._settings.value(each) is not None), name)


def node_login(settings: Settings, listener_name: str, mechanism: str) -> NodeLoginSettings:
    """How this node logs in at listeners of this name. Raises SettingsError."""
    found = mechanism_settings(settings, listener_name, mechanism)
    of = _Of(settings, listener_name, mechanism)
    for name, served in CLASSES.items():
        given = of.text(name)
        if given and given not in served:
            raise SettingsError(
                f"{of.given_name(name)} is refused: {shortened(given)} is a Java class, which cannot be run, so that "
                f"this node could not log in at others by {mechanism}; remove it, or use one of Apache Kafka's own",
                of.given_name(name),
            )
    module = found.modules[0]
    if mechanism == "GSSAPI":
        return NodeLoginSettings(mechanism, module, found.jaas_setting, kerberos=_kerberos(of, found))
    if mechanism == "OAUTHBEARER" and of.text(LOGIN_HANDLER) in ENDPOINT_HANDLERS:
        return NodeLoginSettings(mechanism, module, TOKEN_URL, _endpoint(of, found), _refresh(of))
    return NodeLoginSettings(mechanism, module, found.jaas_setting)


INTER_BROKER: Final = "sasl.mechanism.inter.broker.protocol"


def check_node_login(settings: Settings, listener_name: str, mechanism: str, name: str) -> None:
    """Raises SettingsError: this node could not log in at others. `name` is the setting that says the mechanism."""
    if mechanism not in MODULES:
        raise SettingsError(
            f"{name} is {shortened(mechanism)}, which is not served: write one of {', '.join(MODULES)}", name
        )
    enabled = settings.listener_security(listener_name).sasl_enabled_mechanisms
    try:
        found = node_login(settings, listener_name, mechanism)
    except SettingsError as error:
        if mechanism in enabled:
            raise
        raise SettingsError(  # often the default, GSSAPI, that nobody wants
            f"{name} is {mechanism}, and listener {listener_name} has {', '.join(map(shortened, enabled)) or 'none'}: "
            f"write one of those there, or {error}",
            name,
        ) from None
    if name == INTER_BROKER and mechanism not in enabled:
        raise SettingsError(
            f"requirement failed: {name} must be included in sasl.enabled.mechanisms when SASL is used for "
            f"inter-broker communication: it is {mechanism}, and listener {listener_name} has "
            f"{', '.join(map(shortened, enabled))}, so that brokers could not log in at one another",
            name,
        )
    if found.endpoint is not None or found.kerberos is not None:
        return
    try:
        client_exchange(mechanism, found.module, lambda: 0.0).first()
    except ValueError as error:
        setting = found.credentials
        advice = ""
        if mechanism == "OAUTHBEARER":
            handler = f"listener.name.{listener_name.lower()}.oauthbearer.{LOGIN_HANDLER}"
            advice = f", or set {handler}={min(ENDPOINT_HANDLERS)} and {TOKEN_URL}, so that it fetches its tokens"
        raise SettingsError(
            f"{setting}: this node cannot log in at others by {mechanism} ({name}): {error}{advice}", setting
        ) from None


def _kerberos(of: _Of, found: MechanismSettings) -> KerberosLogin:
    options = found.modules[0].options
    service = kerberos_service(found.modules[0], found.jaas_setting, of.text(SERVICE_NAME), of.given_name(SERVICE_NAME))
    return KerberosLogin(service, options.get("principal", ""), options.get("keyTab", "").removeprefix("FILE:"))


def _endpoint(of: _Of, found: MechanismSettings) -> TokenEndpoint:
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
    if not url.startswith(("https://", "http://", "file:/")):
        raise SettingsError(f"{name}={shortened(url)} does not begin with https://, http:// or file:/", name)
    options = found.modules[0].options
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
        found.jaas_setting,
        client_assertion(of) if is_bearer or is_wanted(of) else None,
        is_bearer,
    )
    _check_endpoint(endpoint, name)
    return endpoint


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


def _refresh(of: _Of) -> TokenRefresh:
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
