"""The scenarios: small functions that ask a broker and let the peer write down what it answered."""

from __future__ import annotations

from collections.abc import Callable

from compat_tests.differential.peer import Peer

Scenario = Callable[[Peer], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Register a scenario under `<module>.<function>`, the name it has in the table of accepted differences."""
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    assert name not in SCENARIOS, name
    SCENARIOS[name] = function
    return function
