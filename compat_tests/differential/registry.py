"""The scenarios: small functions that ask a broker, or a cluster, and let the peer write down what it answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from compat_tests.differential.cluster_peer import ClusterPeer
from compat_tests.differential.peer import Peer

Scenario = Callable[[Peer], None]
ClusterScenario = Callable[[ClusterPeer], None]
S = TypeVar("S", Scenario, ClusterScenario)

SCENARIOS: dict[str, Scenario] = {}
CLUSTER_SCENARIOS: dict[str, ClusterScenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Register a scenario under `<module>.<function>`, the name it has in the table of accepted differences."""
    return _registered(function, SCENARIOS)


def cluster_scenario(function: ClusterScenario) -> ClusterScenario:
    """The same of one that three brokers are asked."""
    return _registered(function, CLUSTER_SCENARIOS)


def _registered(function: S, scenarios: dict[str, S]) -> S:
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    assert name not in {**SCENARIOS, **CLUSTER_SCENARIOS}, name
    scenarios[name] = function
    return function
