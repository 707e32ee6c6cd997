"""Which exchanges are meant: by API, client, topic and so on. All of what is given must be so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, TypedDict, cast

from kafkapy_wire.api_keys import API_VERSIONS

if TYPE_CHECKING:
    from kafkapy.recording.exchange import Exchange

API_KEY_MAX: Final = 32767


class InvalidFilter(ValueError):
    """A filter is refused. `field` is its name, `reason` a sentence; `nearest`: what was probably meant."""

    def __init__(self, field: str, reason: str, nearest: str | None = None) -> None:
        super().__init__(field, reason, nearest)
        self.field = field
        self.reason = reason
        self.nearest = nearest

    def __str__(self) -> str:
        meant = f" (did you mean {self.nearest!r}?)" if self.nearest is not None else ""
        return f"{self.field}: {self.reason}{meant}"


class Filter(TypedDict, total=False):
    """What `select` takes."""

    client: str
    """The client id, or a pattern of it with `*` and `?`."""
    topic: str
    """The same for topics: one that the request or its answer names."""
    group: str
    transactional_id: str
    node: int
    connection: int
    listener: str
    principal: str
    software: str
    error: str
    """The name of an error in the answer, or a pattern; `NONE`: an answer without errors."""
    outcome: str
    """`answered`, `waiting`, `not answered`, `given up`, `closed`."""
    after: int
    """Only exchanges with a higher number."""
    where: Callable[[Exchange], bool]


Test = Callable[["Exchange"], bool]


def api_keys(api: str | int | Iterable[str | int]) -> frozenset[int]:
    """The keys of APIs by their names or numbers. Raises InvalidFilter."""
    each = api if isinstance(api, Iterable) and not isinstance(api, str) else (api,)
    return frozenset(_api_key(one) for one in each)


def _api_key(api: object) -> int:
    if isinstance(api, int) and not isinstance(api, bool):
        if not 0 <= api <= API_KEY_MAX:
            raise InvalidFilter("api", f"{api} is no API key")
        return int(api)
    if not isinstance(api, str):
        raise InvalidFilter("api", f"an API has a name or a number: {api!r} is neither")
    by_name = {row.message_name.lower(): key for key, row in API_VERSIONS.items()}
    plain = api.lower().replace("_", "")
    if plain in by_name:
        return int(by_name[plain])
    near = get_close_matches(plain, by_name, n=1)
    raise InvalidFilter(
        "api", f"there is no API {api!r}", API_VERSIONS[by_name[near[0]]].message_name if near else None
    )


def tests_of(api: str | int | Iterable[str | int] | None, given: Mapping[str, object]) -> list[Test]:
    """What an exchange must pass, those first that need no decoding. Raises InvalidFilter."""
    tests: list[Test] = []
    for name in given:
        if name not in Filter.__annotations__:
            nearest = get_close_matches(name, ["api", *Filter.__annotations__], n=1)
            choices = ", ".join(["api", *Filter.__annotations__])
            raise InvalidFilter(name, f"there is no such filter: there are {choices}", nearest[0] if nearest else None)
    if api is not None:
        keys = api_keys(api)
        tests.append(lambda exchange: exchange.api_key in keys)
    numbers = ((name, given[name]) for name in _NUMBERS if given.get(name) is not None)
    tests += [_NUMBERS[name](_number(name, value)) for name, value in numbers]
    if (outcome := given.get("outcome")) is not None:
        tests.append(_outcome_is(outcome))
    for name, values in _TEXTS.items():
        if (pattern := given.get(name)) is not None:
            text = _text(name, pattern)
            if name == "principal" and not set(text) & set(":*?["):
                raise InvalidFilter(name, f"a principal has a type in front, which {text!r} has not", f"User:{text}")
            tests.append(_matches(text, values))
    if (where := given.get("where")) is not None:
        if not callable(where):
            raise InvalidFilter("where", "a function of an exchange is expected, which says whether it is meant")
        tests.append(cast("Test", where))
    return tests


def _number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidFilter(name, f"a number is expected, not {value!r}")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidFilter(name, f"a text is expected, not {value!r}")
    return value


def _outcome_is(value: object) -> Test:
    text = _text("outcome", getattr(value, "value", value))
    if text not in OUTCOMES:
        near = get_close_matches(text, OUTCOMES, n=1)
        raise InvalidFilter("outcome", f"it is one of {', '.join(OUTCOMES)}", near[0] if near else None)
    return lambda exchange: exchange.outcome.value == text


def _matches(pattern: str, values: Callable[[Exchange], Iterable[str]]) -> Test:
    if not set(pattern) & set("*?["):
        return lambda exchange: pattern in values(exchange)
    return lambda exchange: any(fnmatchcase(value, pattern) for value in values(exchange))


def _errors(exchange: Exchange) -> Iterable[str]:
    return exchange.errors or (() if exchange.response is None else ("NONE",))


OUTCOMES: Final = ("answered", "waiting", "not answered", "given up", "closed")

_NUMBERS: Final[dict[str, Callable[[int], Test]]] = {
    "node": lambda number: lambda exchange: exchange.node_id == number,
    "connection": lambda number: lambda exchange: exchange.connection == number,
    "after": lambda number: lambda exchange: exchange.number > number,
}
_TEXTS: Final[dict[str, Callable[[Exchange], Iterable[str]]]] = {
    "client": lambda exchange: () if exchange.client_id is None else (exchange.client_id,),
    "listener": lambda exchange: (exchange.listener,),
    "principal": lambda exchange: (exchange.principal,),
    "software": lambda exchange: (exchange.software, exchange.software.partition(" ")[0]),
    "topic": lambda exchange: exchange.topics,
    "group": lambda exchange: exchange.groups,
    "transactional_id": lambda exchange: exchange.transactional_ids,
    "error": _errors,
}
