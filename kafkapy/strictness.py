"""Where kafkapy is kinder to clients than Apache Kafka, and the switch that turns each kindness off (`--strict`).

A test of a client's retries needs the answers that ask for them. `SWITCHES` is the one table: what the command line,
the test kit and docs/strict.md have, they have from here. A node without `--strict` has no `Strictness`, and does not
import this module. What differs from Apache Kafka and has no switch is a fault of Apache Kafka's, or keeps a node safe
from hostile clients and failing disks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kafkapy.nearest import did_you_mean
from kafkapy.settings.errors import SettingsError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL: Final = "all"
"""What `--strict` without names means."""

ENDING_MS: Final = 150
"""How long a transaction is being completed. Longer than add.partitions.to.txn.retry.backoff.max.ms: for so long a
broker tries again by itself for a Produce from version 12 on, and the client would never hear of it."""


class Switch(NamedTuple):
    """One kindness: what kafkapy does, what Apache Kafka does, and strict kafkapy with it."""

    kafkapy: str
    strict: str
    settings: tuple[str, ...] = ()
    """Settings that then are as in Apache Kafka: their default, and whether they can be changed."""


class Strictness(NamedTuple):
    """Which kindnesses are turned off. The names of the fields are those of `SWITCHES`, with underscores."""

    advertised_listeners: bool = False
    auto_created_topics: bool = False
    created_topics: bool = False
    ending_transactions: bool = False
    fenced_fetches: bool = False
    follower_high_watermarks: bool = False
    group_min_isr: bool = False
    initial_rebalance_delay: bool = False
    new_coordinators: bool = False
    producer_id_blocks: bool = False
    released_share_records: bool = False
    settings_of_other_brokers: bool = False
    socket_buffers: bool = False

    @property
    def ending_ms(self) -> int:
        """How long a transaction is being completed."""
        return ENDING_MS if self.ending_transactions else 0


SWITCHES: Final[dict[str, Switch]] = {
    "auto-created-topics": Switch(
        "A topic that a Metadata request creates is in its answer already.",
        "The Metadata request that creates a topic has UNKNOWN_TOPIC_OR_PARTITION for it in its answer; the next one "
        "has the topic.",
    ),
    "created-topics": Switch(
        "A topic is known to the broker that has answered CreateTopics.",
        "The first Metadata request that has such a topic, by its name or among all, is answered as if it came before: "
        "UNKNOWN_TOPIC_OR_PARTITION. Apache Kafka does so if the request comes within some milliseconds.",
    ),
    "new-coordinators": Switch(
        "The first FindCoordinator creates the coordinator's topic, and waits until it exists and is loaded.",
        "The FindCoordinator that creates `__consumer_offsets` or `__transaction_state` is answered with "
        "COORDINATOR_NOT_AVAILABLE; the next one has the coordinator. None waits until a coordinator is loaded: its "
        "groups and transactional ids answer COORDINATOR_LOAD_IN_PROGRESS meanwhile.",
    ),
    "producer-id-blocks": Switch(
        "An InitProducerId waits until the controller has given the broker a block of producer ids.",
        "An InitProducerId for which the broker has no producer id left, such as its very first one, is answered with "
        "COORDINATOR_LOAD_IN_PROGRESS; when the controller has given the broker a block, the next one has an id.",
    ),
    "ending-transactions": Switch(
        "EndTxn is answered when the markers of the transaction are written.",
        f"EndTxn is answered when the decision is stored, and the markers are written {ENDING_MS} ms later by the "
        "broker's clock. Until then the transactional id answers CONCURRENT_TRANSACTIONS, consumers that read "
        "committed records wait, and a late Produce of the old epoch is stored. The same holds for a transaction that "
        "InitProducerId, or its time-out, aborts.",
    ),
    "initial-rebalance-delay": Switch(
        "The first member of a group is answered at once.",
        "The first rebalance of a group waits for more members, 3 seconds unless group.initial.rebalance.delay.ms says "
        "otherwise; that of a streams group, unless group.streams.initial.rebalance.delay.ms does.",
        ("group.initial.rebalance.delay.ms", "group.streams.initial.rebalance.delay.ms"),
    ),
    "group-min-isr": Switch(
        "If `__consumer_offsets` has fewer replicas in sync than min.insync.replicas, the group coordinator refuses "
        "what it would have to store with COORDINATOR_NOT_AVAILABLE at once, and nothing changes.",
        "It stores what a client asks for, and answers COORDINATOR_NOT_AVAILABLE after offsets.commit.timeout.ms; what "
        "was stored holds later, when there are enough replicas. Members may join: their SyncGroup is refused.",
    ),
    "fenced-fetches": Switch(
        "If a Fetch waits that names a leader epoch, and the broker leads in a newer epoch meanwhile, it is answered "
        "with FENCED_LEADER_EPOCH at once.",
        "It waits on for records, or for its max_wait_ms, and is answered with FENCED_LEADER_EPOCH then.",
    ),
    "released-share-records": Switch(
        "Records that a member of a share group releases, or has when its share session ends, are delivered at once to "
        "a member whose ShareFetch waits.",
        "The ShareFetch waits on for other news, or for its max_wait_ms, and has them then.",
    ),
    "follower-high-watermarks": Switch(
        "Where replica.selector.class sends consumers to followers, these hear of a risen high watermark at once.",
        "They hear of it with the next records, or after replica.fetch.wait.max.ms: their consumers see the records so "
        "much later.",
    ),
    "settings-of-other-brokers": Switch(
        "AlterConfigs and IncrementalAlterConfigs for a broker are taken by every broker of the cluster.",
        "A broker refuses settings of another one with INVALID_REQUEST.",
    ),
    "advertised-listeners": Switch(
        "A broker's `advertised.listeners` can be changed while it runs.",
        "It cannot: INVALID_REQUEST.",
        ("advertised.listeners",),
    ),
    "socket-buffers": Switch(
        "The buffers of sockets have 400 KiB.",
        "They have 100 KiB, unless socket.send.buffer.bytes and socket.receive.buffer.bytes say otherwise: a large "
        "batch comes in more and smaller pieces.",
        ("socket.receive.buffer.bytes", "socket.send.buffer.bytes"),
    ),
}


def strictness_of(names: Iterable[str]) -> Strictness:
    """The kindnesses of these names turned off; `all` means every one. Raises SettingsError: there is no such name."""
    wanted: set[str] = set()
    for name in names:
        if name != ALL and name not in SWITCHES:
            known = (*SWITCHES, ALL)
            raise SettingsError(
                f"there is no kindness {shortened(name)!r} to turn off (--strict){did_you_mean(name, known)}: "
                f"there are {', '.join(known)}"
            )
        wanted.update(SWITCHES if name == ALL else [name])
    return Strictness(**{name.replace("-", "_"): True for name in wanted})


def as_in_kafka(strictness: Strictness) -> frozenset[str]:
    """The settings that are as in Apache Kafka then."""
    return frozenset(
        setting
        for name, switch in SWITCHES.items()
        if getattr(strictness, name.replace("-", "_"))
        for setting in switch.settings
    )
