"""Descriptions for DescribeConfigs, kept as long as the settings are the same.

User interfaces describe every topic, again and again, and most topics have no values of their own: they all share one
description. To make a broker's takes five milliseconds, a topic's a third of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafkapy.settings.describe import (
    describe_broker,
    describe_client_metrics,
    describe_default_broker,
    describe_group,
    describe_topic,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from kafkapy.settings.broker import Settings
    from kafkapy.settings.describe import Entry

    _Key: TypeAlias = tuple[str, frozenset[tuple[str, str]], tuple[str, ...] | None]

KEPT_MAX: Final = 500
KEPT_NAMES_CHARACTERS_MAX: Final = 2_000
NAMES_MAX: Final = 1_000
"""Names of settings that one resource may be asked for: others are passed over. A broker has 400."""


class Description:
    """The entries of a resource. `forms` is for who sends them: what they are encoded to, by what was asked for."""

    __slots__ = ("entries", "forms")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.forms: dict[object, object] = {}


class DescribedSettings:
    """Descriptions by `settings`, a resource's own values, and `names`; None or empty: all settings."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._kept: dict[_Key, Description] = {}

    def broker(self, settings: Settings, names: Sequence[str] | None) -> Description:
        return self._of("broker", settings, {}, names, lambda wanted: describe_broker(settings, wanted))

    def default_broker(self, settings: Settings, names: Sequence[str] | None) -> Description:
        return self._of("default", settings, {}, names, lambda wanted: describe_default_broker(settings, wanted))

    def topic(self, settings: Settings, own: Mapping[str, str], names: Sequence[str] | None) -> Description:
        return self._of("topic", settings, own, names, lambda wanted: describe_topic(settings, own, wanted))

    def group(self, settings: Settings, own: Mapping[str, str], names: Sequence[str] | None) -> Description:
        return self._of("group", settings, own, names, lambda wanted: describe_group(settings, own, wanted))

    def client_metrics(self, settings: Settings, own: Mapping[str, str], names: Sequence[str] | None) -> Description:
        return self._of("metrics", settings, own, names, lambda wanted: describe_client_metrics(own, wanted))

    def _of(
        self,
        kind: str,
        settings: Settings,
        own: Mapping[str, str],
        names: Sequence[str] | None,
        describe: Callable[[Sequence[str] | None], list[Entry]],
    ) -> Description:
        if self._settings is not settings:
            self._settings = settings
            self._kept.clear()
        wanted = tuple(dict.fromkeys(names[:NAMES_MAX])) if names else None
        key = (kind, frozenset(own.items()), wanted)
        found = self._kept.get(key)
        if found is None:
            found = Description(describe(wanted))
            if wanted is None or sum(map(len, wanted)) <= KEPT_NAMES_CHARACTERS_MAX:
                if len(self._kept) >= KEPT_MAX:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = found
        return found
