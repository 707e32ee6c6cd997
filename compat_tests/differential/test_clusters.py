"""Three nodes of kafkapy and three of Apache Kafka 4.4.0 get the same requests: what clients see is the same.

pytest compat_tests/differential/test_clusters.py -k moves
pytest compat_tests/differential/test_clusters.py --broker=apache     Apache Kafka against itself

A strict kafkapy is compared, too, where kafkapy is kinder; with --all-strict in all scenarios.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import pytest

from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.differential import cluster_scenarios
from compat_tests.differential.accepted_differences import ACCEPTED
from compat_tests.differential.cluster_peer import ClusterPeer
from compat_tests.differential.cluster_settings import cluster_of
from compat_tests.differential.judging import judge
from compat_tests.differential.peer import Answer
from compat_tests.differential.registry import CLUSTER_SCENARIOS
from compat_tests.tools import need

cluster_scenarios.load()


KINDER = {each.scenario for each in ACCEPTED if each.switch is not None}
"""Scenarios in which kafkapy is kinder, unless it is strict."""
LONG = {"cluster_failures.one_broker_is_killed_and_another_stopped", "cluster_moves.a_follower_is_moved_away"}
"""Not played in every run: tests/shell/test_strict.py has the kindness of the first, and another scenario the other."""


class Clusters(NamedTuple):
    tested: ClusterProcesses
    real: ClusterProcesses
    beside: ThreadPoolExecutor
    """One thread, for the real one: nodes die with the thread that has started them."""
    told_by_real: dict[str, Sequence[Answer]]
    """By scenario: each is played once on the real one, and compared with two clusters of kafkapy's."""

    def play_on_real(self, name: str) -> Future[Sequence[Answer]]:
        return self.beside.submit(self._played_on_real, name)

    def _played_on_real(self, name: str) -> Sequence[Answer]:
        if name not in self.told_by_real:
            with ClusterPeer("apache", self.real) as theirs:
                _play(name, theirs)
            self.told_by_real[name] = theirs.transcript
        return self.told_by_real[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "strict_name" in metafunc.fixturenames:
        is_for_all = metafunc.config.getoption("--all-strict")
        names = [name for name in CLUSTER_SCENARIOS if is_for_all or name in KINDER - LONG]
        metafunc.parametrize("strict_name", names)


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
        yield Clusters(tested, real, beside, {})


@pytest.fixture(scope="module")
def strict_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterProcesses]:
    if request.config.getoption("--broker") == "apache":
        pytest.skip("Apache Kafka is always strict")
    with cluster_of(tmp_path_factory.mktemp("strict") / "nodes", apache=False, strict=True) as cluster:
        cluster.start()
        yield cluster


@pytest.mark.parametrize("name", CLUSTER_SCENARIOS)
def test_both_clusters_answer_the_same(name: str, clusters: Clusters, request: pytest.FixtureRequest) -> None:
    _compare(name, clusters.tested, clusters, request, is_strict=False)


def test_a_strict_cluster_answers_the_same(
    strict_name: str, strict_cluster: ClusterProcesses, clusters: Clusters, request: pytest.FixtureRequest
) -> None:
    _compare(strict_name, strict_cluster, clusters, request, is_strict=True)


def _compare(
    name: str, kafkapys: ClusterProcesses, clusters: Clusters, request: pytest.FixtureRequest, *, is_strict: bool
) -> None:
    with ClusterPeer("kafkapy", kafkapys) as ours:
        told_by_apache = clusters.play_on_real(name)
        try:
            _play(name, ours)
        finally:
            wait([told_by_apache])
    if bugs := kafkapys.bugs():
        pytest.fail(f"a bug in a node:\n{bugs}", pytrace=False)
    judge(name, ours.transcript, told_by_apache.result(), request.config, is_strict=is_strict)


def _play(name: str, cluster: ClusterPeer) -> None:
    try:
        CLUSTER_SCENARIOS[name](cluster)
    finally:
        cluster.restore()
