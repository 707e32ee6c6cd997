"""What Apache Kafka 4.4.0's own classes say of each level of metadata.version and of each feature is what we say.

`data/kafka_4_4_0/levels.json` has what compat_tests/java/KafkaSeries.java asked them; a compatibility test asks again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kafkapy_controller.features import FEATURE_LEVELS, default_level
from kafkapy_controller.metadata_records import RECORD_CLASSES, RECORD_VERSIONS, record_version
from kafkapy_controller.metadata_version import LEVEL_NAMES, METADATA_VERSION

KNOWN: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "kafka_4_4_0" / "levels.json").read_text())
CLASSES = {record_class.__name__: record_class for record_class in RECORD_CLASSES.values()}
# What a level must support before these records may be written.
RECORDS_OF = {
    "scram": ("UserScramCredentialRecord", "RemoveUserScramCredentialRecord"),
    "metadata transactions": ("BeginTransactionRecord", "EndTransactionRecord", "AbortTransactionRecord"),
    "delegation tokens": ("DelegationTokenRecord", "RemoveDelegationTokenRecord"),
    "controller registration": ("RegisterControllerRecord",),
    "controller unregistration": ("UnregisterControllerRecord",),
    "eligible leader replicas": ("ClearElrRecord",),
}


def first_level_with(what: str) -> int:
    return min(int(known["level"]) for known in KNOWN["levels"].values() if known["supported"][what])


def test_the_levels_have_their_names() -> None:
    assert {known["level"]: name for name, known in KNOWN["levels"].items()} == LEVEL_NAMES


def test_records_have_the_versions_that_kafka_writes_at_each_level() -> None:
    for known in KNOWN["levels"].values():
        for name, version in known["records"].items():
            assert record_version(CLASSES[name](), known["level"]) == version, (name, known["level"])


def test_records_exist_from_the_level_on_at_which_kafka_writes_them() -> None:
    for what, names in RECORDS_OF.items():
        assert {RECORD_VERSIONS[CLASSES[name]][0][0] for name in names} == {first_level_with(what)}, what
    others = CLASSES.keys() - {name for names in RECORDS_OF.values() for name in names} - {"ZkMigrationStateRecord"}
    assert {RECORD_VERSIONS[CLASSES[name]][0][0] for name in others} == {min(LEVEL_NAMES)}
    changes = {version: level for level, version in RECORD_VERSIONS[CLASSES["BrokerRegistrationChangeRecord"]]}
    assert changes[2] == first_level_with("directory assignment")
    assert changes[3] == first_level_with("cordoned log dirs")


def test_features_have_kafkas_levels_defaults_and_dependencies() -> None:
    assert {name: len(levels) - 1 for name, levels in KNOWN["features"].items()} == {
        name: len(levels) for name, levels in FEATURE_LEVELS.items()
    }
    for known in KNOWN["levels"].values():
        assert {name: default_level(name, known["level"]) for name in FEATURE_LEVELS} == known["features"]
    for name, levels in KNOWN["features"].items():
        for level, dependencies in levels.items():
            assert dependencies.keys() <= {METADATA_VERSION}
            if level != "0":
                needed = FEATURE_LEVELS[name][int(level) - 1].metadata_version_min
                assert dependencies.get(METADATA_VERSION, min(LEVEL_NAMES)) == needed, (name, level)
