"""The topology of a streams group: what its members have told, and what becomes of it with the topics that exist."""

from kafkapy.coordinators.group.streams.topology.configure import configure
from kafkapy.coordinators.group.streams.topology.configured import (
    ConfiguredInternalTopic,
    ConfiguredSubtopology,
    ConfiguredTopology,
    StreamsStatus,
    TopologyProblem,
)
from kafkapy.coordinators.group.streams.topology.stored import StoredTopology

__all__ = [
    "ConfiguredInternalTopic",
    "ConfiguredSubtopology",
    "ConfiguredTopology",
    "StoredTopology",
    "StreamsStatus",
    "TopologyProblem",
    "configure",
]
