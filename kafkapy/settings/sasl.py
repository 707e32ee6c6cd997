"""The SASL settings of one listener: its mechanisms, each with its login modules (JAAS), as Apache Kafka finds them.

For a mechanism the first of these holds:

    listener.name.<listener>.<mechanism>.sasl.jaas.config           one login module
    <listener>.KafkaServer, then KafkaServer                        sections of the file that
                                                                    java.security.auth.login.config names

What is wrong is a SettingsError with the name of its setting: it is refused at the start and by AlterConfigs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from kafkapy.settings.errors import SettingsError, shortened
from kafkapy.settings.files import read_regular
from kafkapy.settings.kerberos import Rule, parse_rules
from kafkapy_wire.sasl import jaas
from kafkapy_wire.sasl.jaas import InvalidJaas, LoginModule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.settings.parse import Value
    from kafkapy.settings.security import SecuritySettings

JAAS_FILE: Final = "java.security.auth.login.config"
JAAS_CONFIG: Final = "sasl.jaas.config"
ENABLED: Final = "sasl.enabled.mechanisms"
HANDLER: Final = "sasl.server.callback.handler.class"
MODULES: Final[Mapping[str, str]] = {
    "PLAIN": jaas.PLAIN_MODULE,
    "SCRAM-SHA-256": jaas.SCRAM_MODULE,
    "SCRAM-SHA-512": jaas.SCRAM_MODULE,
    "OAUTHBEARER": jaas.OAUTHBEARER_MODULE,
    "GSSAPI": jaas.KERBEROS_MODULE,
}
"""The login module of each mechanism that is served."""
_OAUTH: Final = "org.apache.kafka.common.security.oauthbearer."
UNSECURED_HANDLER: Final = f"{_OAUTH}internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
JWKS_HANDLERS: Final = frozenset(
    {f"{_OAUTH}OAuthBearerValidatorCallbackHandler", f"{_OAUTH}secured.OAuthBearerValidatorCallbackHandler"}
)
JWT_VALIDATORS: Final = ("", f"{_OAUTH}DefaultJwtValidator", f"{_OAUTH}BrokerJwtValidator")
HANDLERS: Final[Mapping[str, frozenset[str]]] = {"OAUTHBEARER": JWKS_HANDLERS | {UNSECURED_HANDLER}}
"""Apache Kafka's own callback handlers that are served under their names, besides the defaults."""
_SECTION = "KafkaServer"
_FILE_BYTES_MAX = 1024 * 1024


class Settings(Protocol):
    """What is needed of `kafkapy.settings.Settings`."""

    def value(self, name: str) -> Value | None: ...

    def listener_value(self, listener_name: str, name: str, mechanism: str | None = None) -> Value | None: ...

    def listener_security(self, listener_name: str) -> SecuritySettings: ...


class MechanismSettings(NamedTuple):
    modules: tuple[LoginModule, ...]
    handler: str
    """The callback handler class that was given, else empty."""
    max_reauth_ms: int
    jaas_setting: str
    """Where the login modules were found."""

    def options(self) -> dict[str, str]:
        """The options of the first module of the mechanism's own class."""
        return dict(self.modules[0].options)


class JwksSettings(NamedTuple):
    """How signed tokens are checked (KIP-768)."""

    url: str
    audiences: tuple[str, ...]
    """One of which a token is for; empty: for whom it is, is not checked."""
    issuer: str | None
    """None: who has issued it, is not checked, but the key."""
    clock_skew_seconds: int
    scope_claim: str
    sub_claim: str
    refresh_ms: int


SERVICE_NAME: Final = "sasl.kerberos.service.name"


class KerberosSettings(NamedTuple):
    """As whom a listener accepts tickets, and who their clients are."""

    keytab: str
    principal: str
    rules: tuple[Rule | None, ...]


class SaslSettings(NamedTuple):
    listener_name: str
    mechanisms: Mapping[str, MechanismSettings]
    """In the order of `sasl.enabled.mechanisms`."""
    receive_bytes_max: int


def sasl_settings(settings: Settings, listener_name: str) -> SaslSettings:
    """Raises SettingsError: no mechanism, one that is not served, or one without valid login modules."""
    security = settings.listener_security(listener_name)
    prefix = f"listener.name.{listener_name.lower()}"
    own = f"{prefix}.{ENABLED}"
    name = own if settings.value(own) is not None else ENABLED
    if not security.sasl_enabled_mechanisms:
        raise SettingsError(f"{name} is empty, so that nobody could log in at listener {listener_name}", name)
    mechanisms = {}
    for mechanism in security.sasl_enabled_mechanisms:
        if mechanism not in MODULES:
            known = ", ".join(MODULES)
            raise SettingsError(f"{name} has {shortened(mechanism)}, which is not served: write some of {known}", name)
        mechanisms[mechanism] = mechanism_settings(settings, listener_name, mechanism)
    return SaslSettings(listener_name, mechanisms, security.sasl_server_max_receive_size)


def mechanism_settings(settings: Settings, listener_name: str, mechanism: str) -> MechanismSettings:
    """Raises SettingsError. `mechanism` is one of MODULES."""
    prefix = f"listener.name.{listener_name.lower()}.{mechanism.lower()}"
    modules, setting = _login_modules(settings, listener_name, mechanism, f"{prefix}.{JAAS_CONFIG}")
    wanted = MODULES[mechanism]
    own = tuple(module for module in modules if module.name == wanted)
    if not own:
        found = ", ".join(shortened(module.name) for module in modules)
        if all(module.name in MODULES.values() for module in modules):
            beside = f", only {found}" if found else ""
            todo = f"add `{wanted} required;` to the section" if setting == JAAS_FILE else f"write {wanted}"
            told = f"{setting} has no login module for {mechanism} of listener {listener_name}{beside}: {todo}"
        else:
            told = (
                f"{setting} has login module {found}, a Java class that cannot be run for {mechanism}: write {wanted}"
            )
        raise SettingsError(told, setting)
    handler = str(settings.listener_value(listener_name, HANDLER, mechanism) or "")
    if handler and handler not in HANDLERS.get(mechanism, frozenset()):
        name = next(
            name
            for name in (f"{prefix}.{HANDLER}", f"listener.name.{listener_name.lower()}.{HANDLER}", HANDLER)
            if settings.value(name) is not None
        )
        raise SettingsError(
            f"{name} is refused: {shortened(handler)} is a Java class, which cannot be run, so that {mechanism} would "
            "let other clients in; remove it, and give users in the JAAS configuration or as SCRAM credentials",
            name,
        )
    if mechanism == "GSSAPI":
        kerberos_settings(settings, listener_name, own[0], setting)
    if mechanism == "OAUTHBEARER" and handler in JWKS_HANDLERS:
        jwks_settings(settings, listener_name)
    reauth_ms = settings.listener_value(listener_name, "connections.max.reauth.ms", mechanism) or 0
    assert isinstance(reauth_ms, int)
    return MechanismSettings(own, handler, reauth_ms, setting)


def jwks_settings(settings: Settings, listener_name: str) -> JwksSettings:
    """Raises SettingsError, as Apache Kafka does."""

    def value(name: str, default: object) -> object:
        found = settings.listener_value(listener_name, f"sasl.oauthbearer.{name}", "OAUTHBEARER")
        return default if found is None else found

    url = value("jwks.endpoint.url", "")
    audiences, issuer = value("expected.audience", ()), value("expected.issuer", None)
    skew, refresh_ms = value("clock.skew.seconds", 30), value("jwks.endpoint.refresh.ms", 3_600_000)
    validator = str(value("jwt.validator.class", ""))
    name = "sasl.oauthbearer.jwt.validator.class"
    if validator not in JWT_VALIDATORS:
        raise SettingsError(
            f"{name} is refused: {shortened(validator)} is a Java class, which cannot be run; remove it", name
        )
    name = "sasl.oauthbearer.jwks.endpoint.url"
    if not url:
        raise SettingsError(f"{name} has to be set for OAUTHBEARER with OAuthBearerValidatorCallbackHandler", name)
    if not str(url).startswith(("https://", "http://", "file:/")):
        raise SettingsError(f"{name}={shortened(str(url))} does not begin with https://, http:// or file:/", name)
    for what, given in (("audience", audiences), ("issuer", issuer)):
        name = f"sasl.oauthbearer.expected.{what}"
        if not given and value(f"allow.unverified.{what}", False) is not True:
            raise SettingsError(
                f"{name} has to be set, so that tokens for others are refused; or set "
                f"sasl.oauthbearer.allow.unverified.{what}=true",
                name,
            )
    assert isinstance(audiences, tuple), audiences
    assert isinstance(skew, int), skew
    assert isinstance(refresh_ms, int), refresh_ms
    return JwksSettings(
        str(url),
        audiences,
        None if issuer is None else str(issuer),
        skew,
        str(value("scope.claim.name", "scope")),
        str(value("sub.claim.name", "sub")),
        refresh_ms,
    )


def kerberos_settings(
    settings: Settings, listener_name: str, module: LoginModule, jaas_setting: str
) -> KerberosSettings:
    """Raises SettingsError: there is no keytab, or a rule is none."""
    keytab = module.options.get("keyTab", "").removeprefix("FILE:")
    if module.options.get("useKeyTab", "").lower() != "true" or not keytab:
        raise SettingsError(
            f"{jaas_setting}: GSSAPI needs useKeyTab=true and keyTab, with the key of principal kafka/HOST@REALM",
            jaas_setting,
        )
    if not os.access(keytab, os.R_OK):
        raise SettingsError(f"{jaas_setting}: the keytab {shortened(keytab)} cannot be read", jaas_setting)
    given = settings.listener_value(listener_name, SERVICE_NAME)
    kerberos_service(module, jaas_setting, str(given or ""), SERVICE_NAME)  # Apache Kafka asks listeners for it, too
    name = "sasl.kerberos.principal.to.local.rules"
    texts = settings.listener_value(listener_name, name) or ("DEFAULT",)
    assert isinstance(texts, tuple), texts
    try:
        rules = parse_rules(texts)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}", name) from None
    return KerberosSettings(keytab, module.options.get("principal", ""), rules)


def kerberos_service(module: LoginModule, jaas_setting: str, given: str, name: str) -> str:
    """The Kerberos service of brokers, which is `given` by setting `name` or in the module. Raises SettingsError."""
    in_module = module.options.get("serviceName", "")
    if in_module and given and in_module != given:
        raise SettingsError(
            f"{name} is {shortened(given)}, and the option serviceName of {jaas_setting} is {shortened(in_module)}: "
            "remove one of them",
            name,
        )
    if not in_module and not given:
        raise SettingsError(
            f"{name} has to be set for GSSAPI: to the first part of the brokers' principals, as kafka in "
            "kafka/HOST@REALM",
            name,
        )
    return given or in_module


def _login_modules(
    settings: Settings, listener_name: str, mechanism: str, name: str
) -> tuple[tuple[LoginModule, ...], str]:
    text = settings.value(name)
    if text is not None:
        try:
            return (jaas.parse_jaas_config(str(text)),), name
        except InvalidJaas as error:
            raise SettingsError(f"{name} is not valid: {error}", name) from None
    file = settings.value(JAAS_FILE)
    if file is None:
        raise SettingsError(
            f"listener {listener_name} has mechanism {mechanism} and no login module for it: set {name} to "
            f"'{MODULES[mechanism]} required ...;', or name a JAAS file in {JAAS_FILE}",
            name,
        )
    sections = _read(str(file))
    for section in (f"{listener_name.lower()}.{_SECTION}", _SECTION):
        if section in sections:
            return sections[section], JAAS_FILE
    raise SettingsError(
        f"{JAAS_FILE}={shortened(str(file))}: the file has no section '{_SECTION}' or "
        f"'{listener_name.lower()}.{_SECTION}', which listener {listener_name} needs for {mechanism}",
        JAAS_FILE,
    )


def _read(path: str) -> dict[str, tuple[LoginModule, ...]]:
    told = f"{JAAS_FILE}={shortened(path)}"
    try:
        content = read_regular(path, _FILE_BYTES_MAX + 1)
        if len(content) > _FILE_BYTES_MAX:
            raise InvalidJaas("it has more than a megabyte")
        return jaas.parse_jaas_file(str(content, "utf-8"))
    except OSError as error:
        raise SettingsError(f"{told}: the file cannot be read ({error.strerror})", JAAS_FILE) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{told}: the file is no text in UTF-8", JAAS_FILE) from None
    except InvalidJaas as error:
        raise SettingsError(f"{told}: the file is not valid: {error}", JAAS_FILE) from None
