"""How a node of a cluster logs in at the others, by Kafka's settings: its credentials, and where tokens come from.

Credentials are in the login module of the node's own listener, as in Apache Kafka. What is wrong is a SettingsError
with the name of its setting: a node that could not log in at the others does not start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.settings.errors import SettingsError, shortened
from kafkapy.settings.sasl import MODULES, SERVICE_NAME, kerberos_service, mechanism_settings
from kafkapy.settings.token_endpoint import TOKEN_URL, token_endpoint, token_refresh
from kafkapy_wire.sasl.client import client_exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.settings.parse import Value
    from kafkapy.settings.sasl import MechanismSettings, Settings
    from kafkapy.settings.token_endpoint import TokenEndpoint, TokenRefresh
    from kafkapy_wire.sasl.jaas import LoginModule

_SECURITY: Final = "org.apache.kafka.common.security."
_OAUTH: Final = f"{_SECURITY}oauthbearer."
INTER_BROKER: Final = "sasl.mechanism.inter.broker.protocol"
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
        endpoint = token_endpoint(of, module.options, found.jaas_setting)
        return NodeLoginSettings(mechanism, module, TOKEN_URL, endpoint, token_refresh(of))
    return NodeLoginSettings(mechanism, module, found.jaas_setting)


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
