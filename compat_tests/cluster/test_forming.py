"""Three property files and one variable are a cluster: in any order of starts, with roles apart, after any end."""

from __future__ import annotations

from functools import partial

import pytest

from compat_tests.cluster.conftest import NewCluster
from compat_tests.cluster.looking import (
    brokers_seen,
    controller_of,
    create_topic,
    partitions_of,
    until_in_sync,
)
from compat_tests.cluster.node_process import NodeProcess
from compat_tests.cluster.processes import ClusterProcesses
from compat_tests.cluster.sending import read_all, send_all
from compat_tests.deadlines import eventually


def _knows(bootstrap: str, node_ids: set[int]) -> bool:
    return brokers_seen(bootstrap) == node_ids


def test_two_of_three_are_a_quorum_in_whatever_order_they_start(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    last, first, late = cluster.nodes[3], cluster.nodes[1], cluster.nodes[2]
    for node in (last, first):
        node.start(wait=False)
    for node in (last, first):
        node.wait_until_ready()
    assert brokers_seen(first.bootstrap) == {1, 3}
    late.start()
    for node in cluster.brokers:
        eventually(partial(_knows, node.bootstrap, {1, 2, 3}), f"node {node.node_id} knows all three")
    create_topic(late.bootstrap, "orders", 3)
    assert {view.leader for view in partitions_of(first.bootstrap, "orders").values()} == {1, 2, 3}


def test_brokers_and_controllers_apart(new_cluster: NewCluster) -> None:
    """Brokers that start first wait for their controllers."""
    cluster = new_cluster(2, controllers=1, offsets_topic_replication_factor="2")
    for node_id in (1, 2, 3):
        cluster.nodes[node_id].start(wait=False)
    for node in cluster.nodes.values():
        node.wait_until_ready()
    assert controller_of(cluster.bootstrap) == 3
    assert brokers_seen(cluster.bootstrap) == {1, 2}
    create_topic(cluster.bootstrap, "orders", 2, replicas=2)
    send_all(cluster.bootstrap, "orders", [f"{n}" for n in range(20)], partitions=2)
    cluster.nodes[3].kill()
    cluster.nodes[3].start()
    assert sorted(read_all(cluster.bootstrap, "orders", 2)) == sorted(f"{n}" for n in range(20))
    create_topic(cluster.bootstrap, "payments", 2, replicas=2)


def test_a_node_that_waits_for_a_quorum_obeys_sigterm(new_cluster: NewCluster, request: pytest.FixtureRequest) -> None:
    node = new_cluster().nodes[1]
    node.start(wait=False)
    if request.config.getoption("--broker") == "kafkapy":
        eventually(lambda: "waiting for a leader of the quorum among voters 2" in node.output(), "it says so")
        assert node.stop() == 0
    else:
        eventually(lambda: "RaftManager" in node.output(), "its part of the quorum runs")
        node.stop()


@pytest.mark.parametrize("which", ["controller", "other"])
def test_a_node_with_an_empty_disk_gets_all_back(cluster: ClusterProcesses, which: str) -> None:
    topic = f"kept-{which}"
    create_topic(cluster.bootstrap, topic, 3)
    values = [f"{n}" for n in range(60)]
    send_all(cluster.bootstrap, topic, values, partitions=3)
    controller = controller_of(cluster.bootstrap)
    node = cluster.nodes[controller if which == "controller" else controller % 3 + 1]
    node.kill()
    node.empty_disk()
    node.start()
    until_in_sync(cluster.bootstrap, topic)
    assert sorted(read_all(cluster.bootstrap, topic, 3)) == sorted(values)
    copies = [_logs(each, topic) for each in cluster.brokers]
    assert copies[0] == copies[1] == copies[2]


def _logs(node: NodeProcess, topic: str) -> dict[str, bytes]:
    """What the topic's files on this node hold."""
    return {path.parent.name: path.read_bytes() for path in node.log_dir.glob(f"{topic}-*/*.log")}


def test_a_paused_controller_is_replaced_and_follows_afterwards(cluster: ClusterProcesses) -> None:
    before = controller_of(cluster.bootstrap)
    others = [node for node in cluster.brokers if node.node_id != before]
    cluster.nodes[before].pause()
    try:
        eventually(lambda: controller_of(others[0].bootstrap) not in (0, before), "another controller is active")
        create_topic(others[0].bootstrap, "while-paused", 2, replicas=2)
    finally:
        cluster.nodes[before].resume()
    eventually(lambda: len(partitions_of(cluster.nodes[before].bootstrap, "while-paused")) == 2, "it knows the topic")
    until_in_sync(cluster.bootstrap, "while-paused", 2)
