"""The levels of metadata.version: their names, and the level that has introduced each kind of metadata (KIP-778).

The finalized level of a cluster decides which records, and which versions of them, its metadata log may have: every
node of the cluster must be able to read them, also one of an older release. This is Apache Kafka 4.4.0's table.
"""

from __future__ import annotations

from collections.abc import Mapping

METADATA_VERSION = "metadata.version"

LEVEL_NAMES: Mapping[int, str] = {
    7: "3.3-IV3",
    8: "3.4-IV0",
    9: "3.5-IV0",
    10: "3.5-IV1",
    11: "3.5-IV2",
    12: "3.6-IV0",
    13: "3.6-IV1",
    14: "3.6-IV2",
    15: "3.7-IV0",
    16: "3.7-IV1",
    17: "3.7-IV2",
    18: "3.7-IV3",
    19: "3.7-IV4",
    20: "3.8-IV0",
    21: "3.9-IV0",
    22: "4.0-IV0",
    23: "4.0-IV1",
    24: "4.0-IV2",
    25: "4.0-IV3",
    26: "4.1-IV0",
    27: "4.1-IV1",
    28: "4.2-IV0",
    29: "4.2-IV1",
    30: "4.3-IV0",
    31: "4.4-IV0",
    32: "4.4-IV1",
    33: "4.4-IV2",
}
"""Every level that a cluster may be at."""

UNSTABLE_LEVEL_NAMES: Mapping[int, str] = {34: "4.5-IV0"}
"""Apache Kafka knows these, and lets no cluster have them."""

OLDEST_METADATA_VERSION = min(LEVEL_NAMES)
LATEST_METADATA_VERSION = max(LEVEL_NAMES)

# The level that has introduced it.
BROKER_REGISTRATION_OF_MIGRATION = 8
"""RegisterBrokerRecord 2: whether the broker is on its way from ZooKeeper (KIP-866)."""
SCRAM = 11
NO_EPOCH_FOR_A_SMALLER_ISR = 12
"""Below it, the leader epoch also rises when a replica leaves the ISR (KAFKA-15021)."""
METADATA_TRANSACTIONS = 13
"""Records between BeginTransactionRecord and EndTransactionRecord count together (KIP-868)."""
DELEGATION_TOKENS = 14
CONTROLLER_REGISTRATION = 15
"""RegisterControllerRecord (KIP-919)."""
DIRECTORY_ASSIGNMENT = 17
"""In which log directory a replica is (KIP-858)."""
ELIGIBLE_LEADER_REPLICAS = 23
"""KIP-966."""
CORDONED_LOG_DIRS = 30
"""KIP-1066."""
CIDR_HOSTS = 32
"""Blocks of addresses as hosts of ACLs."""
CONTROLLER_UNREGISTRATION = 33
"""UnregisterControllerRecord (KIP-1312)."""


def level_name(level: int) -> str:
    """Such as `4.4-IV2`; the number itself when this release does not know it."""
    return LEVEL_NAMES.get(level, str(level))


def parse_release_version(text: str) -> int:
    """The level that `--release-version` names: `4.4-IV2`, or `4.4` and `4.4.0` for the last level of that release.

    Raises ValueError with Kafka's words: there is no such level.
    """
    key = ".".join(text.split(".")[:2]) if text.count(".") >= 2 else text
    levels = [level for level, name in LEVEL_NAMES.items() if key in (name, name.partition("-")[0])]
    if not levels:
        known = ", ".join(LEVEL_NAMES.values())
        raise ValueError(f"Unknown metadata.version '{text}'. Supported metadata.version are: {known}")
    return levels[-1]
