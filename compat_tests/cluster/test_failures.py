"""Brokers fail and restart while clients work: no client sees an error that it does not retry, and nothing is lost.

franz-go and aiokafka produce with idempotence, librdkafka and franz-go read as a group. Every scenario ends with all
nodes up, all records there once and in order, and all of them read by the group.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from compat_tests.client_program import ClientProgram
from compat_tests.cluster.load import Load, under_load
from compat_tests.cluster.looking import (
    controller_of,
    create_topic,
    elect_preferred,
    group_on,
    partitions_of,
    until_in_sync,
)
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.deadlines import eventually

pytest.importorskip("aiokafka")

PARTITIONS = 6
AIOKAFKA = Path(__file__).parents[1] / "aiokafka_program.py"
StartLoad = Callable[..., AbstractContextManager[Load]]


@pytest.fixture
def load(
    cluster: ClusterProcesses, go_program: Path, tmp_path: Path, new_name: Callable[..., str]
) -> AbstractContextManager[Load]:
    """Of a group that node 3 coordinates, on a topic that all three lead."""
    topic = new_name()
    create_topic(cluster.bootstrap, topic, PARTITIONS)
    elect_preferred(cluster.bootstrap)  # after the test before, node 3 may coordinate nothing
    group = group_on(cluster.bootstrap, 3, new_name("group"))
    producers = [
        ClientProgram([str(go_program), "franz"], tmp_path),
        ClientProgram([sys.executable, str(AIOKAFKA)], tmp_path / "aiokafka"),
    ]
    (tmp_path / "aiokafka").mkdir()
    return under_load(cluster.bootstrap, topic, PARTITIONS, group, producers, tmp_path)


def lose(cluster: ClusterProcesses, working: Load, node_id: int, *, in_order: bool = False) -> None:
    """Take the node away; the others lead all partitions, and clients go on. Then bring it back."""
    node = cluster.nodes[node_id]
    if in_order:
        assert node.stop() in (0, 143)  # Java's exit code after SIGTERM
    else:
        node.kill()
    others = ",".join(each.bootstrap for each in cluster.brokers if each is not node)
    eventually(
        lambda: {view.leader for view in partitions_of(others, working.topic).values()} == {1, 2, 3} - {node_id},
        "the others lead",
    )
    working.goes_on()
    node.start()
    until_in_sync(cluster.bootstrap, working.topic)


def test_a_leader_that_is_also_the_coordinator_is_killed(
    cluster: ClusterProcesses, load: AbstractContextManager[Load]
) -> None:
    with load as working:
        lose(cluster, working, 3)


def test_the_active_controller_is_killed(cluster: ClusterProcesses, load: AbstractContextManager[Load]) -> None:
    before = controller_of(cluster.bootstrap)
    with load as working:
        lose(cluster, working, before)
    assert controller_of(cluster.bootstrap) != before


def test_each_node_is_restarted_in_turn(cluster: ClusterProcesses, load: AbstractContextManager[Load]) -> None:
    with load as working:
        for node_id in (1, 2, 3):
            lose(cluster, working, node_id, in_order=True)


def test_a_leader_is_killed_and_its_disk_replaced(
    cluster: ClusterProcesses, load: AbstractContextManager[Load]
) -> None:
    with load as working:
        node = cluster.nodes[2]
        node.kill()
        node.empty_disk()
        node.start()
        until_in_sync(cluster.bootstrap, working.topic)
        working.goes_on()
