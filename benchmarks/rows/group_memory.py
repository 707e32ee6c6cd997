"""Memory of groups: 1,000 of each protocol, with 10 members each that are stable and then only live."""

from __future__ import annotations

import time
from typing import Final

from benchmarks.group_client import SETTINGS, ready_group_topic
from benchmarks.measurement import Figures, LifecycleRow, Metric, Scale
from benchmarks.peers import Peer
from benchmarks.raw_client import Connection
from benchmarks.rows.groups import PROTOCOLS

GROUP_COUNT: Final = 1_000
MEMBER_COUNT: Final = 10
PARTITION_COUNT: Final = 10
LONG_SESSIONS: Final = {
    "group.consumer.session.timeout.ms": "300000",
    "group.consumer.max.session.timeout.ms": "300000",
    "group.share.session.timeout.ms": "300000",
    "group.share.max.session.timeout.ms": "300000",
}

MEMORY = {
    protocol: Metric(f"group_memory_{protocol}_mb", f"Memory of {GROUP_COUNT:,} {protocol} groups of 10", "MB")
    for protocol in PROTOCOLS
}


def measure(peer: Peer, scale: Scale) -> Figures:
    """What each protocol's groups add to the resident memory of a broker of their own."""
    figures = {}
    for protocol, make in PROTOCOLS.items():
        with peer.running(SETTINGS | LONG_SESSIONS) as broker:
            with Connection(broker.address) as connection:
                topic_id = ready_group_topic(connection, "topic", PARTITION_COUNT)

            def form(name: str) -> None:
                members = make(broker, name, "topic", topic_id, PARTITION_COUNT)  # noqa: B023 - called within
                members.add(MEMBER_COUNT)
                members.join()
                members.close()

            form("the first, for which all code is loaded")
            time.sleep(scale.rest_seconds)
            before_mb = broker.resident_mb()
            for number in range(GROUP_COUNT):
                form(f"group-{number}")
            time.sleep(scale.rest_seconds)
            figures[MEMORY[protocol].key] = broker.resident_mb() - before_mb
    return figures


GROUP_MEMORY = LifecycleRow(
    name="group_memory",
    metrics=tuple(MEMORY.values()),
    measure=measure,
    time_limit_seconds=300.0,
    rounds_max=1,
)
