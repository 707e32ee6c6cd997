"""Clients on three nodes that live in the tests' own process."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")
pytest.importorskip("kafka")

from compat_tests.cluster.looking import create_topic, partitions_of, until_in_sync
from compat_tests.cluster.sending import read_all, send_all
from compat_tests.deadlines import eventually
from tests.cluster.cluster_in_thread import ClusterInThread


def test_nodes_are_killed_and_stopped_and_nothing_is_lost(tmp_path: Path) -> None:
    with ClusterInThread(tmp_path) as cluster:
        create_topic(cluster.bootstrap, "orders", 6)
        sent: list[str] = []

        def send(when: str) -> None:
            values = [f"{when} {n}" for n in range(60)]
            send_all(cluster.bootstrap, "orders", values, 6)
            sent.extend(values)

        send("all run")
        for node_id, end in ((1, cluster.kill), (2, cluster.stop), (3, cluster.kill)):
            end(node_id)
            send(f"without {node_id}")
            eventually(partial(_others_lead, cluster.bootstrap, node_id), "the others lead")
            cluster.start(node_id)
            until_in_sync(cluster.bootstrap, "orders")
        assert sorted(read_all(cluster.bootstrap, "orders", 6)) == sorted(sent)


def _others_lead(bootstrap: str, node_id: int) -> bool:
    return {each.leader for each in partitions_of(bootstrap, "orders").values()} == {1, 2, 3} - {node_id}
