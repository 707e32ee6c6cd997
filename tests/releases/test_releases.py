"""The releases that a broker can be taken for: what is known of them, and names that are none."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kafkapy.apis import API_MODULES
from kafkapy.releases import ApiLimits, limits_of, release_of
from kafkapy.releases.limits import ONLY_IF_SERVED, parse_cap
from kafkapy.settings.errors import SettingsError
from kafkapy_controller.features import SUPPORTED_FEATURES
from kafkapy_controller.metadata_version import LEVEL_NAMES
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey

RELEASES = (
    *("2.4", "2.5", "2.6", "2.7", "2.8", "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9"),
    *("4.0", "4.1", "4.2", "4.3", "4.4"),
)
LAST_WITH_ZOOKEEPER = "3.2"
LEADER_AND_ISR = 4  # an API that the releases with KRaft have only for its number
SERVED = {int(key): (API_VERSIONS[key].min_version, API_VERSIONS[key].max_version) for key in API_MODULES}


@pytest.mark.parametrize("name", RELEASES)
def test_clients_of_a_release_find_what_they_look_for(name: str) -> None:
    """Each API that is announced and served has a version that both have, but for one that only brokers ask for."""
    release = release_of(name)
    announced = ApiLimits(release).announced(SERVED)
    assert list(announced) == sorted(announced)
    for key, (low, high) in announced.items():
        if key in SERVED and not API_VERSIONS[ApiKey(key)].cluster_action:
            assert max(low, SERVED[key][0]) <= min(high, SERVED[key][1]), ApiKey(key).name
    assert announced.keys() == release.apis.keys() - (ONLY_IF_SERVED - SERVED.keys())


def test_releases_have_more_and_more() -> None:
    """A highest version never falls. APIs go only with ZooKeeper, whose clusters' brokers asked for them."""
    for before, after in pairwise(RELEASES):
        old, new = release_of(before).apis, release_of(after).apis
        if before != LAST_WITH_ZOOKEEPER:
            assert old.keys() <= new.keys(), (before, after)
        assert all(old[key][1] <= new[key][1] for key in old.keys() & new.keys()), (before, after)
    assert release_of("4.4").apis.keys() >= SERVED.keys()
    assert LEADER_AND_ISR in release_of(LAST_WITH_ZOOKEEPER).apis
    assert LEADER_AND_ISR not in release_of("3.3").apis


@pytest.mark.parametrize("name", RELEASES)
def test_a_cluster_of_a_release_has_features_that_can_be_run(name: str) -> None:
    release = release_of(name)
    assert release.is_kraft == (RELEASES.index(name) > RELEASES.index(LAST_WITH_ZOOKEEPER))
    if not release.is_kraft:
        assert release.features == {}
        assert release.metadata_version is None
        return
    level = release.metadata_version
    assert level is not None
    assert LEVEL_NAMES[level].startswith(f"{name}-IV"), "the last level of that release"
    assert LEVEL_NAMES.get(level + 1, "").partition("-")[0] != name
    for feature, (low, high) in release.features.items():
        assert low <= high <= SUPPORTED_FEATURES[feature][1]


def test_the_newest_release_has_the_features_of_this_one() -> None:
    assert release_of("4.4").features == SUPPORTED_FEATURES


@pytest.mark.parametrize("name", ["2.8", "2.8.0", "2.8.2", " 2.8 ", "2.8.99"])
def test_a_patch_release_is_its_release(name: str) -> None:
    assert release_of(name).name == "2.8"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        *(("2.3", "2.4"), ("0.11.0.3", "2.4"), ("1", "2.4"), ("3", "3.0"), ("3.10", "3.9"), ("4.5", "4.4")),
        *(("17", "4.4"), ("2.8.x", "2.8"), ("2.8.0.1", "2.8"), ("latest", "4.4"), ("", "4.4"), ("2.9", "2.8")),
        *(("3." + "9" * 5_000, "3.0"), ("\uff12.8", "4.4")),
    ],
)
def test_an_unknown_release_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(SettingsError, match=f"2.4 to 4.4, and the nearest is {nearest}$") as refused:
        release_of(name)
    assert len(str(refused.value)) < 2_000


def test_caps_are_below_what_the_release_has() -> None:
    limits = limits_of("2.8", {"fetch": 11, "DescribeCluster": None})
    assert limits is not None
    announced = limits.announced(SERVED)
    assert announced[ApiKey.FETCH] == (0, 11)
    assert ApiKey.DESCRIBE_CLUSTER not in announced
    assert [limits.accepts(ApiKey.FETCH, version) for version in (4, 11, 12, 13)] == [True, True, False, False]
    assert not limits.accepts(ApiKey.DESCRIBE_CLUSTER, 0)
    assert limits.accepted(ApiKey.FETCH, range(4, 19)) == range(4, 12)


def test_caps_alone_leave_everything_else() -> None:
    limits = limits_of(None, {"Fetch": 11})
    assert limits is not None
    assert limits.announced(SERVED) == SERVED | {ApiKey.FETCH: (4, 11)}
    assert limits_of(None, {}) is None


@pytest.mark.parametrize(
    ("as_kafka", "api", "cap", "message"),
    [
        (None, "Fetsh", 11, "there is no API Fetsh: did you mean Fetch?"),
        (None, "Fetch", 3, "Fetch can be capped at versions 4 to 18, not 3"),
        (None, "Fetch", 19, "Fetch can be capped at versions 4 to 18, not 19"),
        ("2.8", "Fetch", 13, "Fetch can be capped at versions 4 to 12, not 13"),
        ("2.8", "DescribeTransactions", 0, "Apache Kafka 2.8 has no DescribeTransactions, so it cannot be capped"),
        (None, "ApiVersions", 2, "ApiVersions can be capped at versions 3 to 5, not 2"),
        (None, "ApiVersions", None, "ApiVersions cannot be withdrawn: clients begin with it"),
    ],
)
def test_a_cap_that_cannot_be_is_refused(as_kafka: str | None, api: str, cap: int | None, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        limits_of(as_kafka, {api: cap})
    assert str(refused.value) == message


def test_caps_are_written_with_the_name_of_the_api() -> None:
    assert parse_cap(" Fetch = 11") == ("Fetch", 11)
    assert parse_cap("Fetch=none") == ("Fetch", None)
    for text in ("Fetch", "Fetch=", "=", "Fetch=-1", "Fetch=eleven", "Fetch=\uff11", "Fetch=" + "1" * 5_000):
        with pytest.raises(SettingsError, match="is not API=VERSION"):
            parse_cap(text)
