"""JAAS configurations: the text of `sasl.jaas.config`, and the file of `java.security.auth.login.config`.

    org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="secret";

    KafkaServer { ...PlainLoginModule required user_alice="secret"; };

Messages are Kafka's where it has one; none has a value of an option in it, as those are passwords.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

PLAIN_MODULE: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM_MODULE: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"
OAUTHBEARER_MODULE: Final = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
KERBEROS_MODULE: Final = "com.sun.security.auth.module.Krb5LoginModule"
CHARACTERS_MAX: Final = 1024 * 1024

_FLAGS = frozenset({"required", "requisite", "sufficient", "optional"})
_ESCAPES: Final[Mapping[str, str]] = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "a": "\a",
    "v": "\v",
}
# As Java's StreamTokenizer reads: comments, quoted texts that end with their line, words.
_TOKEN = re.compile(
    r"""
      (?P<skipped> [\x00-\x20]+ | //[^\n\r]* | /\*.*?\*/ )
    | "(?P<double> (?:[^"\\\n\r]|\\.)* )"
    | '(?P<single> (?:[^'\\\n\r]|\\.)* )'
    | (?P<word> [\w$.\-\x80-\U0010ffff]+ )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\([0-3][0-7]{0,2}|[4-7][0-7]?|.)", re.DOTALL)


class InvalidJaas(ValueError):
    """The message says what is wrong, without any value."""


class LoginModule(NamedTuple):
    """One login module with its options; a password is among them."""

    name: str
    flag: str
    options: Mapping[str, str]

    def __repr__(self) -> str:
        return f"LoginModule({self.name!r}, {self.flag!r}, options {sorted(self.options)})"


class _Token(NamedTuple):
    kind: str  # word, text, or the sign itself
    text: str


_END = _Token("end", "")


class _Tokens:
    def __init__(self, text: str) -> None:
        if len(text) > CHARACTERS_MAX:
            raise InvalidJaas(f"it has more than {CHARACTERS_MAX} characters")
        self._tokens = _tokens(text)
        self.next: _Token = next(self._tokens, _END)

    def take(self) -> _Token:
        token, self.next = self.next, next(self._tokens, _END)
        return token


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "word":
            yield _Token("word", match[0])
        elif kind in ("double", "single"):
            yield _Token("text", _ESCAPE.sub(_unescaped, match[kind]))
        elif kind == "sign":
            if match[0] in "\"'":
                raise InvalidJaas("a quote is not closed in its line")
            yield _Token(match[0], match[0])


def _unescaped(match: re.Match[str]) -> str:
    escaped = match[1]
    if "0" <= escaped[0] <= "7":
        return chr(int(escaped, 8))
    return _ESCAPES.get(escaped, escaped)


def jaas_config(module: str, options: Mapping[str, str]) -> str:
    """The text of a `sasl.jaas.config`."""
    words = [module, "required", *(f"{_quoted(name)}={_quoted(value)}" for name, value in options.items())]
    return " ".join(words) + ";"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def parse_jaas_config(text: str) -> LoginModule:
    """The one login module of a `sasl.jaas.config`. Raises InvalidJaas."""
    tokens = _Tokens(text)
    modules: list[LoginModule] = []
    while tokens.next is not _END:
        modules.append(_login_module(tokens, shows_flag=not modules))
    if not modules:
        raise InvalidJaas("JAAS config property does not contain any login modules")
    if len(modules) > 1:
        raise InvalidJaas(f"JAAS config property contains {len(modules)} login modules, should be 1 module")
    return modules[0]


def parse_jaas_file(text: str) -> dict[str, tuple[LoginModule, ...]]:
    """The login modules of each section. Raises InvalidJaas."""
    tokens = _Tokens(text)
    sections: dict[str, tuple[LoginModule, ...]] = {}
    while tokens.next is not _END:
        name = tokens.take()
        if name.kind not in ("word", "text"):
            raise InvalidJaas(f"the name of a section is expected, and {name.text!r} found")
        _expect(tokens, "{", f"after the name of section {name.text}")
        modules: list[LoginModule] = []
        while tokens.next.kind != "}":
            if tokens.next is _END:
                raise InvalidJaas(f"section {name.text} has no closing brace")
            modules.append(_login_module(tokens, shows_flag=not modules))
        tokens.take()
        _expect(tokens, ";", f"after the closing brace of section {name.text}")
        if name.text in sections:
            raise InvalidJaas(f"there are two sections {name.text}")
        sections[name.text] = tuple(modules)
    return sections


def _expect(tokens: _Tokens, sign: str, where: str) -> None:
    if tokens.take().kind != sign:
        raise InvalidJaas(f"{sign!r} is missing {where}")


def _login_module(tokens: _Tokens, *, shows_flag: bool) -> LoginModule:
    """`shows_flag`: a wrong flag may be shown. After another module it may be the rest of a password with `;`."""
    name = tokens.take()
    if name.kind not in ("word", "text"):
        raise InvalidJaas("Login module not specified in JAAS config")
    flag = tokens.take()
    if flag.kind not in ("word", "text"):
        raise InvalidJaas("Login module control flag not specified in JAAS config")
    if flag.text.lower() not in _FLAGS:
        raise InvalidJaas(
            f"Invalid login module control flag '{flag.text}' in JAAS config: write required"
            if flag.kind == "word" and shows_flag
            else "Login module control flag is not available in the JAAS config: write required"
        )
    options: dict[str, str] = {}
    while tokens.next.kind != ";":
        key = tokens.take()
        if key.kind not in ("word", "text"):
            raise InvalidJaas("JAAS config entry not terminated by semi-colon")
        value = tokens.take() if tokens.next.kind == "=" else _END
        if value is not _END:
            value = tokens.take()
        if value.kind not in ("word", "text"):
            raise InvalidJaas(_no_value(key.text, len(options)))
        options[key.text] = value.text
    tokens.take()
    return LoginModule(name.text, flag.text.lower(), options)


def _no_value(key: str, before: int) -> str:
    """What looks like a key may be the rest of a password with blanks: then it is not shown."""
    if not before:
        return f"Value not specified for key '{key}' in JAAS config"
    return (
        f"Value not specified for key {before + 1} of the login module in JAAS config: put values with blanks or other "
        "signs into quotes"
    )
