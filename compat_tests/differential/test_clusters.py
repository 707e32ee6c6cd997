"""Three nodes of kafkapy and three of Apache Kafka 4.4.0 get the same requests: what clients see is the same.

pytest compat_tests/differential/test_clusters.py -k moves
pytest compat_tests/differential/test_clusters.py --broker=apache     Apache Kafka against itself
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.differential import cluster_scenarios
from compat_tests.differential.cluster_peer import ClusterPeer
from compat_tests.differential.cluster_settings import cluster_of
from compat_tests.differential.judging import judge
from compat_tests.differential.registry import CLUSTER_SCENARIOS
from compat_tests.tools import need

cluster_scenarios.load()


class Clusters(NamedTuple):
    tested: ClusterProcesses
    real: ClusterProcesses
    beside: ThreadPoolExecutor
    """One thread, for the real one: nodes die with the thread that has started them."""


@pytest.fixture(scope="module")
def clusters(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    need(jar_directory)
    tested_is_real = request.config.getoption("--broker") == "apache"
    with (
        cluster_of(tmp_path_factory.mktemp("tested") / "nodes", apache=tested_is_real) as tested,
        cluster_of(tmp_path_factory.mktemp("real") / "nodes", apache=True) as real,
        ThreadPoolExecutor(1) as beside,
    ):
        started = beside.submit(real.start)
        tested.start()
        started.result()
        yield Clusters(tested, real, beside)


@pytest.mark.parametrize("name", CLUSTER_SCENARIOS)
def test_both_clusters_answer_the_same(name: str, clusters: Clusters, request: pytest.FixtureRequest) -> None:
    with ClusterPeer("kafkapy", clusters.tested) as ours, ClusterPeer("apache", clusters.real) as theirs:
        told_by_apache = clusters.beside.submit(_play, name, theirs)
        try:
            _play(name, ours)
        finally:
            told_by_apache.result()
    if bugs := clusters.tested.bugs():
        pytest.fail(f"a bug in a node:\n{bugs}", pytrace=False)
    judge(name, ours.transcript, theirs.transcript, request.config)


def _play(name: str, cluster: ClusterPeer) -> None:
    try:
        CLUSTER_SCENARIOS[name](cluster)
    finally:
        cluster.restore()
