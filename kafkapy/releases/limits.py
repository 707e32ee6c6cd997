"""Which versions of which APIs the clients of a broker may use, where these are fewer than it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kafkapy.releases.release import Release, release_of
from kafkapy.settings.errors import SettingsError, shortened
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey

WITHDRAWN: Final = -1
"""The cap of an API that is not announced at all."""
CAP_DIGITS_MAX: Final = 5
API_VERSIONS_CAP_MIN: Final = 3
"""In this version a node asks another one what it serves, and says that it is a node."""

ONLY_IF_SERVED: Final = frozenset(
    {
        ApiKey.GET_TELEMETRY_SUBSCRIPTIONS,
        ApiKey.PUSH_TELEMETRY,
        ApiKey.STREAMS_GROUP_HEARTBEAT,
        ApiKey.STREAMS_GROUP_DESCRIBE,
        ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE,
    }
)
"""What a release announces and kafkapy does not serve is announced all the same, as clients tell the release by it. But
clients use these as soon as they are announced, or fall back to others only if they are not."""


class ApiLimits:
    """What brokers of a release announce and serve, and caps of single APIs."""

    __slots__ = ("_caps", "release")

    def __init__(self, release: Release | None = None, caps: Mapping[ApiKey, int] | None = None) -> None:
        self.release = release
        self._caps: dict[int, int] = {int(key): cap for key, cap in (caps or {}).items()}

    def announced(self, served: Mapping[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """What ApiVersions answers, in key order; `served` is what it would answer without limits."""
        versions: Mapping[int, tuple[int, int]] = served
        if self.release is not None:
            apis = self.release.apis
            versions = {key: apis[key] for key in apis if key in served or key not in ONLY_IF_SERVED}
        return {
            key: (low, min(high, self._caps.get(key, high)))
            for key, (low, high) in versions.items()
            if self._caps.get(key, high) >= low
        }

    def accepts(self, key: int, version: int) -> bool:
        """Whether a client may send this version, if kafkapy serves it."""
        if self.release is not None:
            low, high = self.release.apis.get(key, (0, WITHDRAWN))
            if not low <= version <= high:
                return False
        return version <= self._caps.get(key, version)

    def accepted(self, key: int, served: range) -> range:
        """Of the versions that kafkapy serves those that a client may send."""
        versions = [version for version in served if self.accepts(key, version)]
        return range(versions[0], versions[-1] + 1) if versions else range(0)


def limits_of(as_kafka: str | None, cap_apis: Mapping[str, int | None]) -> ApiLimits | None:
    """The limits for a release that is to be imitated, and for APIs with their highest versions (None: withdrawn).

    None: there are none. Raises SettingsError: there is no such release, API or version.
    """
    if as_kafka is None and not cap_apis:
        return None
    release = None if as_kafka is None else release_of(as_kafka)
    caps = dict(_cap(name, cap, release) for name, cap in cap_apis.items())
    return ApiLimits(release, caps)


def parse_cap(text: str) -> tuple[str, int | None]:
    """`Fetch=11`, or `Fetch=none`. Raises SettingsError."""
    name, equals, version = (part.strip() for part in text.partition("="))
    if equals and version == "none":
        return name, None
    if not equals or not (version.isascii() and version.isdecimal()) or len(version) > CAP_DIGITS_MAX:
        raise SettingsError(f"{shortened(text)} is not API=VERSION, such as Fetch=11, or Fetch=none")
    return name, int(version)


def _cap(name: str, cap: int | None, release: Release | None) -> tuple[ApiKey, int]:
    by_name = {api.message_name.lower(): key for key, api in API_VERSIONS.items()}
    key = by_name.get(name.lower())
    if key is None:
        from difflib import get_close_matches

        names = {api.message_name.lower(): api.message_name for api in API_VERSIONS.values()}
        nearest = "".join(f": did you mean {names[near]}?" for near in get_close_matches(name.lower(), names, n=1))
        raise SettingsError(f"there is no API {shortened(name)}{nearest}")
    api = API_VERSIONS[key]
    high = api.max_version
    if release is not None:
        high = min(high, release.apis.get(key, (0, WITHDRAWN))[1])
        if high == WITHDRAWN:
            raise SettingsError(f"Apache Kafka {release.name} has no {api.message_name}, so it cannot be capped")
    if cap is None:
        if key is ApiKey.API_VERSIONS:
            raise SettingsError("ApiVersions cannot be withdrawn: clients begin with it")
        return key, WITHDRAWN
    low = API_VERSIONS_CAP_MIN if key is ApiKey.API_VERSIONS else api.min_version
    if not low <= cap <= high:
        raise SettingsError(f"{api.message_name} can be capped at versions {low} to {high}, not {cap}")
    return key, cap
