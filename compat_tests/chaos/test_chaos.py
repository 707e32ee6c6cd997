"""The short form of the chaos test; `python -m compat_tests.chaos` is the long one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")
pytest.importorskip("aiokafka")

from compat_tests.chaos.run import Chaos

SECONDS_MAX = 60.0
KINDS = ("kill", "add a broker", "cut from peers", "pause", "remove a broker", "stop")


@pytest.mark.usefixtures("java", "go_program", "kcat")
def test_nothing_is_lost_while_nodes_have_troubles(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Another seed a day would find more, and would fail the change of somebody who has nothing to do with it.

    Every listener has SASL_SSL: that is all that PLAINTEXT is, and logins, certificates and ACLs besides.
    """
    seed = int(os.environ.get("KAFKAPY_CHAOS_SEED", "1"))
    apache = request.config.getoption("--broker") == "apache"
    protocol = os.environ.get("KAFKAPY_CHAOS_SECURITY", "sasl_ssl")
    chaos = Chaos(
        tmp_path, nodes=3, seed=seed, seconds=SECONDS_MAX, tell=print, apache=apache, kinds=KINDS, protocol=protocol
    )
    outcome = chaos.run()
    print(chaos.summary)
    assert outcome.problems == [], f"seed {seed}"
    assert chaos.met.total() >= 1  # how many depends on how busy the machine is
    assert outcome.acknowledged > 500
    assert outcome.transactions > 20
    assert set(chaos.groups) == {"readers", "readers-848", "transformers", "java"}
    assert all(reading.rebalanced for reading in chaos.groups.values())
    assert all(count > 0 for count in chaos.admin_requests.values())
