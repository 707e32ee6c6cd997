"""How a cluster of the test kit is made: plain values, so that they can go to another process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from kafkapy.control.arguments import check
from kafkapy.nearest import did_you_mean
from kafkapy.testing.users import NOBODY, Users

PORT_MAX = 65_535
MUTUAL = "mutual"
WANTED_OF_A_TOPIC = ("partitions", "replicas", "settings")
SIMILARITY = 0.8
"""An unknown setting is refused if a known one is so much like it; otherwise it is passed on, as Apache Kafka does."""

_KINDS: Mapping[str, object] = {
    "racks": tuple[str, ...],
    "host": str,
    "port": int,
    "as_kafka": str | None,
    "cap_apis": Mapping[str, int | None],
    "record": bool,
    "control": bool,
    "log_level": str,
}

SeedSource: TypeAlias = "str | Path | Mapping[str, Any]"
"""What a seed is given as: the path of a file or of a directory of files, or an object."""
Topics: TypeAlias = "Mapping[str, int | Mapping[str, object]]"
"""By name: how many partitions, or `{"partitions": 3, "replicas": 2, "settings": {"cleanup.policy": "compact"}}`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `Kafka` was asked for."""

    nodes: int = 1
    controllers: int | None = None
    """Nodes that are controllers and no brokers; None: the brokers are controllers."""
    racks: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    users: Users = NOBODY
    """Those who log in; without users nobody has to."""
    topics: Topics = field(default_factory=dict)
    seed: str | Mapping[str, Any] | None = None
    """An object, or the path of a file or directory: see `kafkapy.seeds`."""
    directory: str | None = None
    """A data directory that the cluster begins with a copy of."""
    host: str = "localhost"
    port: int = 0
    as_kafka: str | None = None
    """The release of Apache Kafka to be taken for, such as 2.8."""
    cap_apis: Mapping[str, int | None] = field(default_factory=dict)
    """The highest versions of single APIs, by Kafka's names; None: there is no such API."""
    strict: tuple[str, ...] = ()
    """The kindnesses that are turned off."""
    record: bool = True
    control: bool = False
    """Whether the control API is served, at a free port."""
    log_level: str = "info"
    tls: bool | str = False
    """True; or `mutual`: clients must have a certificate."""

    def __post_init__(self) -> None:
        """Raises ValueError: what is wrong, and how it is written."""
        for name, value, least in (("nodes", self.nodes, 1), ("controllers", self.controllers or 0, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is a whole number from {least} on, not {value!r}")
        for name, kind in _KINDS.items():
            check(kind, getattr(self, name), name)
        if not 0 <= self.port <= PORT_MAX:
            raise ValueError(f"port is a number from 0 to {PORT_MAX}, and 0 takes a free one; not {self.port}")
        if self.tls not in (True, False, MUTUAL):
            raise ValueError(f'tls is True, or "{MUTUAL}" if clients must have certificates; not {self.tls!r}')
        check_settings(self.settings)
        check_topics(self.topics)


def strict_names(strict: object) -> tuple[str, ...]:
    """The kindnesses that are turned off by `strict=True` or `strict=["new-coordinators"]`. Raises ValueError."""
    if strict is True:
        return ("all",)
    if not strict:
        return ()
    if isinstance(strict, str) or not isinstance(strict, Iterable):
        raise ValueError(f'strict is True, or names of kindnesses ["auto-created-topics"], and not {strict!r}')
    from kafkapy.strictness import strictness_of

    names = tuple(str(name) for name in strict)
    strictness_of(names)
    return names


def check_settings(settings: Mapping[str, str]) -> None:
    """Raises ValueError: one is misspelt, and Apache Kafka starts without it; or it is the cluster's own."""
    from kafkapy.cluster import check_none_is_own
    from kafkapy.settings.sources import is_known, nearest_setting

    for name in settings:
        if not is_known(name) and (meant := nearest_setting(name, SIMILARITY)):
            raise ValueError(f"there is no setting {name!r} of a broker (did you mean {meant!r}?)")
    check_none_is_own(settings)


def check_topics(topics: object) -> None:
    """Raises ValueError: these are no `Topics`."""
    if not hasattr(topics, "items"):
        raise ValueError(f'topics are written {{"orders": 3}}, with the number of partitions, and not {topics!r}')
    for name, wanted in topics.items():
        check(str, name, "topics: a name")
        if isinstance(wanted, int) and not isinstance(wanted, bool):
            continue
        if not hasattr(wanted, "keys"):
            raise ValueError(
                f"topic {name!r} is written with the number of its partitions, or with "
                f'{{"partitions": 3, "replicas": 2, "settings": {{...}}}}, and not {wanted!r}'
            )
        for key in wanted.keys() - set(WANTED_OF_A_TOPIC):
            raise ValueError(
                f"topic {name!r}: there is no {key!r}{did_you_mean(key, WANTED_OF_A_TOPIC)}: "
                f"there are {', '.join(WANTED_OF_A_TOPIC)}"
            )
        check(int | None, wanted.get("partitions"), f"topic {name!r}: partitions")
        check(int | None, wanted.get("replicas"), f"topic {name!r}: replicas")
        check(Mapping[str, object] | None, wanted.get("settings"), f"topic {name!r}: settings")
