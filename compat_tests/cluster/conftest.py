"""Fixtures: clusters of processes.

pytest compat_tests/cluster                    nodes of kafkapy
pytest compat_tests/cluster --broker=apache    nodes of Apache Kafka 4.4.0: does the test itself tell the truth?
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from compat_tests.apache_kafka import jar_directory
from compat_tests.cluster.looking import until_coordinators_loaded
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.tools import need


class NewCluster(Protocol):
    """A cluster for one test, which is not started yet. Settings by Kafka's names, dots as underscores."""

    def __call__(
        self, nodes: int = 3, controllers: int | None = None, voters_in_log: bool = False, **settings: str
    ) -> ClusterProcesses: ...


@pytest.fixture
def new_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewCluster]:
    """Its nodes are killed after the test, which fails when one of them printed a traceback."""
    clusters: list[ClusterProcesses] = []
    with ExitStack() as closing:

        def make(
            nodes: int = 3, controllers: int | None = None, voters_in_log: bool = False, **settings: str
        ) -> ClusterProcesses:
            cluster = ClusterProcesses(
                tmp_path / f"cluster-{len(clusters)}",
                nodes,
                controllers=controllers,
                apache=apache_ids(request.config, nodes + (controllers or 0)),
                settings={name.replace("_", "."): value for name, value in settings.items()},
                voters_in_log=voters_in_log,
            )
            closing.callback(cluster.close)
            clusters.append(cluster)
            return cluster

        yield make
        for cluster in clusters:
            print(cluster.output())  # shown when the test failed
        if bugs := [text for cluster in clusters if (text := cluster.bugs())]:
            pytest.fail("a bug in a node:\n" + "\n".join(bugs), pytrace=False)


@pytest.fixture(scope="module")
def _module_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterProcesses]:
    directory = tmp_path_factory.mktemp("cluster")
    with ClusterProcesses(directory / "nodes", apache=apache_ids(request.config, 3)) as cluster:
        until_coordinators_loaded(cluster.bootstrap)  # KafkaJS takes COORDINATOR_LOAD_IN_PROGRESS for a crash
        yield cluster


@pytest.fixture
def cluster(_module_cluster: ClusterProcesses) -> Iterator[ClusterProcesses]:
    """Three nodes that all tests of a module share; who stops one starts it again."""
    before = {node.node_id: len(node.output()) for node in _module_cluster.nodes.values()}
    yield _module_cluster
    for node in _module_cluster.nodes.values():
        print(f"node {node.node_id} printed meanwhile:\n{node.output()[before[node.node_id] :]}")
        if not node.runs:
            node.start()  # for the tests to come, when this one has failed
    if bugs := _module_cluster.bugs():
        pytest.fail(f"a bug in a node:\n{bugs}", pytrace=False)


def apache_ids(config: pytest.Config, nodes: int) -> range:
    """The ids of the nodes that are Apache Kafka's, after `--broker`."""
    if config.getoption("--broker") != "apache":
        return range(0)
    need(jar_directory)
    return range(1, nodes + 1)
