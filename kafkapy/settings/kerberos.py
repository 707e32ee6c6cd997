"""sasl.kerberos.principal.to.local.rules: from the name of a Kerberos principal to the name of a user.

    RULE:[1:$1@$0](.*@OTHER.ORG)s/@.*//,RULE:[2:$1/$2](admin/.*)s/\\/.*//L,DEFAULT

`[2:$1/$2]` is for principals with two components (`admin/host@REALM`): `$0` is the realm, `$1` and `$2` the components.
`(...)` has to match all of that text; `s/pattern/replacement/` changes it, with `g` everywhere; `/L` and `/U` make it
lower or upper case. DEFAULT takes the first component of principals of the default realm. The first rule that applies
wins.

Differs: patterns are RE2's, in which nobody can make a name take long; they have no back references and look-arounds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

_RULE = re.compile(
    r"RULE:\[(?P<count>\d*):(?P<format>[^\]]*)\](?:\((?P<match>[^)]*)\))?"
    r"(?:s/(?P<pattern>[^/]*)/(?P<replacement>[^/]*)/(?P<everywhere>g)?)?/?(?P<case>[LU])?"
)
_NAME = re.compile(r"(?P<service>[^/@]+)(?:/(?P<host>[^/@]+))?(?:@(?P<realm>[^/@]+))?")
_PARAMETER = re.compile(r"\$(\d)")
NAME_CHARACTERS_MAX: Final = 1_024


class _Pattern(Protocol):
    def fullmatch(self, text: str, /) -> object: ...

    def sub(self, replacement: str, text: str, /, count: int = 0) -> str: ...


class Rule(NamedTuple):
    component_count: int
    format: str
    match: _Pattern | None
    pattern: _Pattern | None
    replacement: str
    everywhere: bool
    case: str

    def applied(self, parameters: list[str]) -> str | None:
        """`parameters`: realm and components. Raises ValueError: the result is no simple name."""
        if self.component_count != len(parameters) - 1:
            return None
        known = dict(enumerate(parameters))
        text = _PARAMETER.sub(lambda found: known.get(int(found[1]), ""), self.format)
        if self.match is not None and not self.match.fullmatch(text):
            return None
        if self.pattern is not None:
            text = self.pattern.sub(self.replacement, text, count=0 if self.everywhere else 1)
        if "/" in text or "@" in text or not text:
            raise ValueError(f"a rule makes {text!r} of it, which is no simple name")
        return text.lower() if self.case == "L" else text.upper() if self.case == "U" else text


DEFAULT: Final = None
"""The rule of this name."""


def parse_rules(texts: Iterable[str]) -> tuple[Rule | None, ...]:
    """Raises ValueError: one is no rule."""
    return tuple(_parse(text.strip()) for text in texts)


def _parse(text: str) -> Rule | None:
    if text == "DEFAULT":
        return DEFAULT
    found = _RULE.fullmatch(text)
    if found is None or not found["count"]:
        raise ValueError(f"{text[:100]!r} is neither DEFAULT nor RULE:[n:format](pattern)s/pattern/replacement/g")
    return Rule(
        int(found["count"]),
        found["format"],
        None if found["match"] is None else _compiled(found["match"]),
        None if found["pattern"] is None else _compiled(found["pattern"]),
        re.sub(r"\$(\d)", r"\\\1", found["replacement"] or ""),
        found["everywhere"] is not None,
        found["case"] or "",
    )


def _compiled(pattern: str) -> _Pattern:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled: _Pattern = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(f"pattern {pattern[:100]!r} is not valid: {error}") from None
    return compiled


def local_name(principal: str, rules: tuple[Rule | None, ...], default_realm: str) -> str:
    """The name of the user. Raises ValueError: no rule applies, or it is no name of a principal."""
    found = _NAME.fullmatch(principal) if len(principal) <= NAME_CHARACTERS_MAX else None
    if found is None:
        raise ValueError("it is no name of a Kerberos principal")
    service, host, realm = found["service"], found["host"], found["realm"]
    if host is None and realm is None:
        return service
    parameters = [realm or "", service, *([] if host is None else [host])]
    for rule in rules:
        if rule is DEFAULT:
            if realm == default_realm:
                return service
            continue
        name = rule.applied(parameters)
        if name is not None:
            return name
    raise ValueError("no rule of sasl.kerberos.principal.to.local.rules applies to it")
