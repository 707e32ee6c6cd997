"""A Kafka inside your tests: it starts in some milliseconds, does what it is told, and shows what happened.

    from kafkapy.testing import Kafka

    with Kafka(topics={"orders": 3}) as kafka:
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        ...
        kafka.wait_for_records("orders", 1)
        assert kafka.records("orders")[0].value == b"..."

`AsyncKafka` has the same names, awaited, under trio and asyncio. pytest's fixtures are in `plugin`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkapy.control.arguments import InvalidArgument
    from kafkapy.control.values import (
        ClientMetric,
        ClientMetricsPush,
        Connection,
        FaultState,
        Group,
        Member,
        NewRecord,
        NodeState,
        PartitionState,
        Record,
        SeedCounts,
        Stored,
        Time,
        Topic,
        Transaction,
    )
    from kafkapy.faults import InvalidRule
    from kafkapy.recording import Exchange, InvalidFilter, NotRecorded, Recorded
    from kafkapy.seeds import InvalidSeed
    from kafkapy.testing.async_kafka import AsyncFault, AsyncKafka
    from kafkapy.testing.errors import (
        FaultsNotFired,
        HangingKafka,
        HangingTeardown,
        KafkaNotStarted,
        KafkaStopped,
        NotYet,
    )
    from kafkapy.testing.identity_provider import IdentityProvider
    from kafkapy.testing.kafka import Fault, Kafka

__all__ = [
    "AsyncFault",
    "AsyncKafka",
    "ClientMetric",
    "ClientMetricsPush",
    "Connection",
    "Exchange",
    "Fault",
    "FaultState",
    "FaultsNotFired",
    "Group",
    "HangingKafka",
    "HangingTeardown",
    "IdentityProvider",
    "InvalidArgument",
    "InvalidFilter",
    "InvalidRule",
    "InvalidSeed",
    "Kafka",
    "KafkaNotStarted",
    "KafkaStopped",
    "Member",
    "NewRecord",
    "NodeState",
    "NotRecorded",
    "NotYet",
    "PartitionState",
    "Record",
    "Recorded",
    "SeedCounts",
    "Stored",
    "Time",
    "Topic",
    "Transaction",
]

_MODULES = {
    **dict.fromkeys(("AsyncFault", "AsyncKafka"), "kafkapy.testing.async_kafka"),
    **dict.fromkeys(("Fault", "Kafka"), "kafkapy.testing.kafka"),
    **dict.fromkeys(("Exchange", "InvalidFilter", "NotRecorded", "Recorded"), "kafkapy.recording"),
    "IdentityProvider": "kafkapy.testing.identity_provider",
    "InvalidArgument": "kafkapy.control.arguments",
    "InvalidRule": "kafkapy.faults",
    "InvalidSeed": "kafkapy.seeds",
    **dict.fromkeys(
        ("FaultsNotFired", "HangingKafka", "HangingTeardown", "KafkaNotStarted", "KafkaStopped", "NotYet"),
        "kafkapy.testing.errors",
    ),
}


def __getattr__(name: str) -> Any:
    """Modules are imported when they are first used: pytest imports this package in every project."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "kafkapy.control.values")), name)
