"""A release of Apache Kafka: what its brokers announce to clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kafkapy.settings.errors import SettingsError, shortened
from kafkapy_controller.metadata_version import METADATA_VERSION

FACTS: Final = Path(__file__).with_name("releases.json")
ZOOKEEPER: Final = "zookeeper"


@dataclass(frozen=True, slots=True)
class Release:
    """What a broker of one release answers to ApiVersions, as one of its last patch releases did."""

    name: str
    """Such as `2.8`: patch releases have the same APIs."""
    apis: Mapping[int, tuple[int, int]]
    """By API key, the lowest and the highest version that it announces."""
    features: Mapping[str, tuple[int, int]]
    """Lowest and highest level of each feature that it supports; none before KRaft."""
    is_kraft: bool
    finalized_epoch: int
    """Before KRaft: the epoch of the finalized features, of which there are none."""

    @property
    def metadata_version(self) -> int | None:
        """The metadata.version that a new cluster of it has; None: it has none, as ZooKeeper keeps its metadata."""
        return self.features[METADATA_VERSION][1] if self.is_kraft else None


def release_of(name: str) -> Release:
    """The release that a user names: `2.8`, or any patch release of it.

    Raises SettingsError: there is no such release here; the message names the nearest.
    """
    releases = _releases()
    parts = name.strip().split(".")
    found = releases.get(".".join(parts[:2]))
    if found is not None and len(parts) <= 3 and all(part.isascii() and part.isdecimal() for part in parts):
        return found
    first, last = min(releases.values(), key=_order), max(releases.values(), key=_order)
    raise SettingsError(
        f"{shortened(name)} is no release of Apache Kafka that kafkapy can be taken for: these are {first.name} to "
        f"{last.name}, and the nearest is {_nearest(parts, releases).name}"
    )


def _order(release: Release) -> tuple[int, ...]:
    return tuple(map(int, release.name.split(".")))


def _nearest(parts: list[str], releases: Mapping[str, Release]) -> Release:
    """By major, then by minor; the newest for a text that begins with no number."""
    newest = max(releases.values(), key=_order)
    wanted = [int(part) for part in parts[:2] if part.isascii() and part.isdecimal() and len(part) <= 4]
    if not wanted:
        return newest
    major, minor = (*wanted, 0)[:2]

    def distance(release: Release) -> tuple[int, int]:
        own_major, own_minor = _order(release)
        if own_major == major:
            return 0, abs(own_minor - minor)
        # Of a newer major the first release is the nearest, of an older one the last.
        return abs(own_major - major), own_minor if own_major > major else -own_minor

    return min(releases.values(), key=distance)


def _releases() -> dict[str, Release]:
    """All of them, by name. Read when one is asked for, and not kept."""
    found: dict[str, Release] = {}
    apis: dict[int, tuple[int, int]] = {}
    for entry in json.loads(FACTS.read_text(encoding="utf-8")):
        for key, versions in entry["apis"].items():
            if versions is None:
                del apis[int(key)]
            else:
                apis[int(key)] = (versions[0], versions[1])
        name = ".".join(entry["release"].split(".")[:2])
        found[name] = Release(
            name=name,
            apis=dict(sorted(apis.items())),
            features={feature: (low, high) for feature, (low, high) in entry.get("features", {}).items()},
            is_kraft=entry["mode"] != ZOOKEEPER,
            finalized_epoch=entry.get("finalized_epoch", -1),
        )
    return found
