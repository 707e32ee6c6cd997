"""SASL mechanisms of a listener and their login modules, by sasl.jaas.config and by a JAAS file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kafkapy.settings import Settings, SettingsError
from kafkapy.settings.sasl import jwks_settings, sasl_settings
from kafkapy.settings.support import lines_about
from kafkapy_wire.sasl.jaas import jaas_config, parse_jaas_config

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
LISTENER = {
    "listeners": "INTERNAL://:1,CLIENTS://:2",
    "listener.security.protocol.map": "INTERNAL:PLAINTEXT,CLIENTS:SASL_PLAINTEXT",
    "inter.broker.listener.name": "INTERNAL",
}
OWN = "listener.name.clients.plain.sasl.jaas.config"
WITH_PLAIN = {**LISTENER, "sasl.enabled.mechanisms": "PLAIN"}


def options(given: dict[str, str], mechanism: str = "PLAIN") -> dict[str, str]:
    return sasl_settings(Settings(given), "CLIENTS").mechanisms[mechanism].options()


def test_login_modules_are_those_of_the_listener_and_the_mechanism(tmp_path: Path) -> None:
    file = tmp_path / "jaas.conf"
    file.write_text(
        f"""
        KafkaServer {{ {PLAIN} required user_a="1"; {SCRAM} required; }};  // for all listeners
        clients.KafkaServer {{
            {PLAIN} REQUIRED
                user_b="2; \\"}}" /* not the end */ ;
        }};
        """
    )
    with_file = {**WITH_PLAIN, "java.security.auth.login.config": str(file)}
    assert options(with_file) == {"user_b": '2; "}'}
    assert options({**with_file, OWN: f"{PLAIN} required user_c='3';"}) == {"user_c": "3"}
    other = {
        **with_file,
        "listeners": "OTHER://:3",
        "listener.security.protocol.map": "OTHER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "OTHER",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512, PLAIN",
    }
    found = sasl_settings(Settings(other), "OTHER").mechanisms
    assert [(name, mechanism.options()) for name, mechanism in found.items()] == [
        ("SCRAM-SHA-512", {}),
        ("PLAIN", {"user_a": "1"}),
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, f"listener CLIENTS has mechanism PLAIN and no login module for it: set {OWN}"),
        ({"sasl.enabled.mechanisms": "PLAIN,FOO", OWN: f"{PLAIN} required;"}, "sasl.enabled.mechanisms has FOO"),
        ({"listener.name.clients.sasl.enabled.mechanisms": ""}, "clients.sasl.enabled.mechanisms is empty"),
        ({OWN: ""}, f"{OWN} is not valid: JAAS config property does not contain any login modules"),
        ({OWN: f"{PLAIN};"}, "Login module control flag not specified in JAAS config"),
        ({OWN: f"{PLAIN} perhaps;"}, "Invalid login module control flag 'perhaps' in JAAS config: write required"),
        ({OWN: f"{PLAIN} required user_a;"}, "Value not specified for key 'user_a' in JAAS config"),
        ({OWN: f"{PLAIN} required user_a="}, "Value not specified for key 'user_a' in JAAS config"),
        ({OWN: f'{PLAIN} required user_a="topsecret"'}, "JAAS config entry not terminated by semi-colon"),
        ({OWN: f'{PLAIN} required user_a="topsecret;'}, "a quote is not closed in its line"),
        ({OWN: f"{PLAIN} required; {PLAIN} required;"}, "contains 2 login modules, should be 1 module"),
        (
            {OWN: "com.acme.Module required;"},
            f"{OWN} has login module com.acme.Module, a Java class that cannot be run",
        ),
        ({"java.security.auth.login.config": "/no/such"}, "java.security.auth.login.config=/no/such: the file cannot"),
        (
            {
                OWN: f"{PLAIN} required;",
                "listener.name.clients.plain.sasl.server.callback.handler.class": "com.acme.Handler",
            },
            "clients.plain.sasl.server.callback.handler.class is refused: com.acme.Handler is a Java class",
        ),
        (
            {OWN: f"{PLAIN} required;", "sasl.server.callback.handler.class": "com.acme.Handler"},
            "sasl.server.callback.handler.class is refused: com.acme.Handler is a Java class",
        ),
    ],
)
def test_what_would_let_nobody_or_others_in_is_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings({**WITH_PLAIN, **given})
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file has no section 'KafkaServer' or 'clients.KafkaServer', which listener CLIENTS needs for PLAIN"),
        (b"KafkaServer {", "the file is not valid: section KafkaServer has no closing brace"),
        (b"KafkaServer { };", "java.security.auth.login.config has no login module for PLAIN of listener CLIENTS: add"),
        (
            b"KafkaServer { org.apache.kafka.common.security.scram.ScramLoginModule required; };",
            f"has no login module for PLAIN of listener CLIENTS, only {SCRAM}: add `{PLAIN} required;` to the section",
        ),
        (b"KafkaServer", "the file is not valid: '{' is missing after the name of section KafkaServer"),
        (b"KafkaServer { a required; }", "the file is not valid: ';' is missing after the closing brace"),
        (b"A {}; A {};", "the file is not valid: there are two sections A"),
        (b"\xff", "the file is no text in UTF-8"),
        (b"x" * 2_000_000, "the file is not valid: it has more than a megabyte"),
    ],
)
def test_a_jaas_file_that_is_none_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "jaas.conf"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        Settings({**WITH_PLAIN, "java.security.auth.login.config": str(file)})
    assert told in str(caught.value)


def test_which_tokens_are_believed_may_be_said_for_the_listener_and_the_mechanism() -> None:
    given = {
        **LISTENER,
        "sasl.oauthbearer.jwks.endpoint.url": "https://all/jwks",
        "sasl.oauthbearer.expected.audience": "all",
        "listener.name.clients.sasl.oauthbearer.expected.issuer": "listener",
        "listener.name.clients.oauthbearer.sasl.oauthbearer.expected.audience": "mine",
        "listener.name.clients.oauthbearer.sasl.oauthbearer.clock.skew.seconds": "7",
        OWN: f"{PLAIN} required;",
        "sasl.enabled.mechanisms": "PLAIN",
    }
    found = jwks_settings(Settings(given), "CLIENTS")
    assert (found.url, found.audiences, found.issuer, found.clock_skew_seconds) == (
        "https://all/jwks",
        ("mine",),
        "listener",
        7,
    )
    wrong = "listener.name.clients.oauthbearer.sasl.oauthbearer.clock.skew.seconds"
    with pytest.raises(SettingsError, match="Invalid value soon for configuration"):
        Settings({**given, wrong: "soon"})


@pytest.mark.parametrize(
    "options",
    [
        "password=a topsecret;",
        "password=a topsecret b=c topsecret;",
        "password=a;topsecret topsecret x=y;",
        "password=a; topsecret topsecret;",
        "password='topsecret",
        "password=topsecret@a;",
        "password=a=topsecret;",
        "password topsecret;",
        "password=a topsecret{};",
    ],
)
def test_no_part_of_a_password_without_quotes_is_shown(tmp_path: Path, options: str) -> None:
    file = tmp_path / "jaas.conf"
    file.write_text(f"KafkaServer {{ {PLAIN} required {options} }};")
    for given in ({OWN: f"{PLAIN} required {options}"}, {"java.security.auth.login.config": str(file)}):
        with pytest.raises(SettingsError) as caught:
            Settings({**WITH_PLAIN, **given})
        assert "topsecret" not in str(caught.value)


def test_a_jaas_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(SettingsError, match="a pipe or a device, and not a file"):
        Settings({**WITH_PLAIN, "java.security.auth.login.config": str(pipe)})


def test_the_default_mechanism_is_named_where_none_was_given() -> None:
    with pytest.raises(SettingsError, match="listener CLIENTS has mechanism GSSAPI and no login module for it"):
        Settings(LISTENER)


def test_login_modules_do_not_show_their_options() -> None:
    given = Settings({**WITH_PLAIN, OWN: f'{PLAIN} required user_a="topsecret";'})
    assert "topsecret" not in repr(sasl_settings(given, "CLIENTS"))


def test_login_modules_for_no_listener_have_no_effect_and_a_line_says_so() -> None:
    given = {**WITH_PLAIN, OWN: f"{PLAIN} required;", "sasl.jaas.config": f"{PLAIN} required user_a='topsecret';"}
    (line,) = lines_about(given, ["INTERNAL", "CLIENTS"])
    assert line.startswith("sasl.jaas.config has no effect: ")
    assert "listener.name.<listener>.<mechanism>.sasl.jaas.config" in line
    assert "topsecret" not in line


def test_the_text_of_a_login_module_is_read_as_what_it_was_made_of() -> None:
    options = {"username": 'a"b', "password": "\\n\n\r'x\\", "user_a b": "über ;{}"}
    assert parse_jaas_config(jaas_config(PLAIN, options)) == (PLAIN, "required", options)
