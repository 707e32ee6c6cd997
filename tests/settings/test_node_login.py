"""How a node logs in at others: what the settings say, and what is refused at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kafkapy.settings import Settings, SettingsError
from kafkapy.settings.node_login import NodeLoginSettings, node_login
from kafkapy.settings.token_endpoint import TokenRefresh
from kafkapy_wire.sasl.jaas import PLAIN_MODULE, SCRAM_MODULE

if TYPE_CHECKING:
    from pathlib import Path

OAUTH = "org.apache.kafka.common.security.oauthbearer"
BEARER = f"{OAUTH}.OAuthBearerLoginModule required"
HANDLER = f"{OAUTH}.OAuthBearerLoginCallbackHandler"
KERBEROS = "com.sun.security.auth.module.Krb5LoginModule required"
INTERNAL = "listener.name.internal"
# sasl.login.callback.handler.class and sasl.login.class are given for a listener and a mechanism, as in Apache Kafka.
SEVERAL = {
    "process.roles": "broker",
    "node.id": "4",
    "controller.quorum.bootstrap.servers": "localhost:9093",
    "listeners": "INTERNAL://localhost:9092",
    "inter.broker.listener.name": "INTERNAL",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "INTERNAL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
}
WITH_TOKENS = {
    **SEVERAL,
    "sasl.enabled.mechanisms": "OAUTHBEARER",
    "sasl.mechanism.inter.broker.protocol": "OAUTHBEARER",
    f"{INTERNAL}.oauthbearer.sasl.jaas.config": f"{BEARER};",
    f"{INTERNAL}.oauthbearer.sasl.login.callback.handler.class": HANDLER,
    "sasl.oauthbearer.token.endpoint.url": "https://provider/token",
    "sasl.oauthbearer.client.credentials.client.id": "node",
    "sasl.oauthbearer.client.credentials.client.secret": "s3cret",
}


def with_tickets(directory: Path, **options: str) -> dict[str, str]:
    keytab = directory / "kafka.keytab"
    keytab.touch()
    more = "".join(f' {name}="{value}"' for name, value in options.items())
    module = f'{KERBEROS} useKeyTab=true keyTab="{keytab}" principal="kafka/a"{more};'
    return {
        **SEVERAL,
        "sasl.enabled.mechanisms": "GSSAPI",
        f"{INTERNAL}.gssapi.sasl.jaas.config": module,
    }


def found(given: dict[str, str], mechanism: str = "OAUTHBEARER") -> NodeLoginSettings:
    return node_login(Settings(given), "INTERNAL", mechanism)


def refused(given: dict[str, str]) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        Settings(given)
    return caught.value


def test_a_token_endpoint_by_settings_and_by_options() -> None:
    endpoint = found({**WITH_TOKENS, "sasl.oauthbearer.scope": "kafka"}).endpoint
    assert endpoint is not None
    assert endpoint[:5] == ("https://provider/token", "node", "s3cret", "kafka", 10.0)
    assert "s3cret" not in repr(endpoint)
    by_options = {name: value for name, value in WITH_TOKENS.items() if "client.credentials" not in name}
    options = 'clientId="n" clientSecret="s" scope="a b" ssl.truststore.location="/ca.crt"'
    by_options[f"{INTERNAL}.oauthbearer.sasl.jaas.config"] = f"{BEARER} {options};"
    endpoint = found(by_options).endpoint
    assert endpoint is not None
    assert endpoint[:4] == ("https://provider/token", "n", "s", "a b")
    assert endpoint.tls == (("ssl.truststore.location", "/ca.crt"),)


def test_tokens_are_refreshed_as_the_settings_say() -> None:
    given = {
        "sasl.login.connect.timeout.ms": "1000",
        "sasl.login.read.timeout.ms": "2000",
        f"{INTERNAL}.sasl.login.refresh.window.factor": "0.6",
        "sasl.login.refresh.window.factor": "0.7",
        "sasl.login.refresh.window.jitter": "0.1",
        "sasl.login.refresh.min.period.seconds": "7",
        "sasl.login.refresh.buffer.seconds": "8",
        "sasl.login.retry.backoff.ms": "300",
        "sasl.login.retry.backoff.max.ms": "4000",
    }
    login = found({**WITH_TOKENS, **given})
    assert login.endpoint is not None
    assert login.endpoint.timeout_seconds == 2.0
    assert login.refresh == TokenRefresh(0.6, 0.1, 7, 8, 0.3, 4.0)
    assert found(WITH_TOKENS).refresh == TokenRefresh(0.8, 0.05, 60, 300, 0.1, 10.0)


def test_a_service_name_of_the_setting_or_of_the_module(tmp_path: Path) -> None:
    by_setting = {**with_tickets(tmp_path), f"{INTERNAL}.sasl.kerberos.service.name": "kafka"}
    by_option = with_tickets(tmp_path, serviceName="kafka")
    for given in (by_setting, by_option):
        assert found(given, "GSSAPI").kerberos == ("kafka", "kafka/a", str(tmp_path / "kafka.keytab"))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            f"{INTERNAL}.oauthbearer.sasl.login.callback.handler.class",
            "org.acme.Handler",
            "is a Java class, which cannot",
        ),
        (f"{INTERNAL}.oauthbearer.sasl.login.class", "org.acme.Login", "is a Java class, which cannot"),
        ("sasl.client.callback.handler.class", "org.acme.Client", "is a Java class, which cannot"),
        ("sasl.oauthbearer.jwt.retriever.class", "org.acme.Retriever", "is a Java class, which cannot"),
        ("sasl.oauthbearer.assertion.file", "/no/such", "the file /no/such cannot be read"),
        ("sasl.oauthbearer.token.endpoint.url", "", "has to be set for OAUTHBEARER"),
        ("sasl.oauthbearer.token.endpoint.url", "ftp://provider", "does not begin with https://"),
        ("sasl.oauthbearer.token.endpoint.url", "file:///no/such", "the file /no/such cannot be read"),
        ("sasl.oauthbearer.client.credentials.client.id", "", "has to be set: the token endpoint"),
        ("sasl.oauthbearer.client.credentials.client.secret", "", "has to be set: the token endpoint"),
    ],
)
def test_a_node_that_could_get_no_token_does_not_start(name: str, value: str, told: str) -> None:
    Settings(WITH_TOKENS)
    error = refused({**WITH_TOKENS, name: value})
    assert told in str(error)
    assert name in str(error)


def test_a_node_without_a_way_to_a_token_is_told_of_the_handler() -> None:
    given = {name: value for name, value in WITH_TOKENS.items() if "login.callback.handler" not in name}
    told = str(refused(given))
    assert f"or set {INTERNAL}.oauthbearer.sasl.login.callback.handler.class={HANDLER}" in told


def test_a_node_that_could_get_no_ticket_does_not_start(tmp_path: Path) -> None:
    assert "sasl.kerberos.service.name has to be set" in str(refused(with_tickets(tmp_path)))
    other = {**with_tickets(tmp_path, serviceName="kafka"), "sasl.kerberos.service.name": "other"}
    assert "remove one of them" in str(refused(other))


def test_an_assertion_by_its_settings(tmp_path: Path) -> None:
    key, template = tmp_path / "key.pem", tmp_path / "template.json"
    key.touch()
    template.touch()
    prefix = "sasl.oauthbearer.assertion"
    given = {
        **{name: value for name, value in WITH_TOKENS.items() if "client.secret" not in name},
        "sasl.oauthbearer.assertion.claim.iss": "me",
        "sasl.oauthbearer.assertion.claim.sub": "node",
        "sasl.oauthbearer.assertion.claim.aud": "another",
        "sasl.oauthbearer.assertion.algorithm": "es256",
        "sasl.oauthbearer.assertion.private.key.file": str(key),
        "sasl.oauthbearer.assertion.private.key.passphrase": "s3cret",
        "sasl.oauthbearer.assertion.template.file": str(template),
        "sasl.oauthbearer.assertion.claim.exp.seconds": "60",
        "sasl.oauthbearer.assertion.claim.nbf.seconds": "5",
        "sasl.oauthbearer.assertion.claim.jti.include": "true",
    }
    endpoint = found(given).endpoint
    assert endpoint is not None
    claims = (("aud", "another"), ("iss", "me"), ("sub", "node"))
    assert endpoint.assertion == ("", str(key), "s3cret", "ES256", claims, str(template), 60, 5, True)
    assert "s3cret" not in repr(endpoint.assertion)
    assert not endpoint.is_bearer
    assert "private.key.file has to be set" in str(refused({**given, f"{prefix}.private.key.file": ""}))
    bearer = {**given, "sasl.oauthbearer.jwt.retriever.class": f"{OAUTH}.JwtBearerJwtRetriever"}
    endpoint = found(bearer).endpoint
    assert endpoint is not None
    assert endpoint.is_bearer
    by_file = found({**WITH_TOKENS, "sasl.oauthbearer.assertion.file": str(key)}).endpoint
    assert by_file is not None
    assert by_file.assertion is not None
    assert by_file.assertion.file == str(key)


def test_brokers_do_not_lock_one_another_out() -> None:
    """Neither in the file nor by a dynamic setting, as in Apache Kafka."""
    modules = {
        f"{INTERNAL}.plain.sasl.jaas.config": f'{PLAIN_MODULE} required username="n" password="p" user_n="p";',
        f"{INTERNAL}.scram-sha-256.sasl.jaas.config": f'{SCRAM_MODULE} required username="n" password="p";',
    }
    given = {
        **SEVERAL,
        **modules,
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
    }
    Settings(given, dynamic_broker={"sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-256"})
    told = "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms"
    assert told in str(refused({**given, "sasl.enabled.mechanisms": "SCRAM-SHA-256"}))
    for name in ("sasl.enabled.mechanisms", f"{INTERNAL}.sasl.enabled.mechanisms"):
        with pytest.raises(SettingsError, match=told):
            Settings(given, dynamic_broker={name: "SCRAM-SHA-256"})
