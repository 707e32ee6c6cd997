"""What only a node of a cluster needs is not imported by one that is alone: its start is short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path

import trio

from kafkapy.node import Node
from kafkapy.settings import Settings


async def main():
    settings = Settings({"listeners": "PLAINTEXT://127.0.0.1:0"})
    async with Node(settings, Path(sys.argv[1]), durable=False).started():
        print(*sorted(sys.modules))


trio.run(main)
"""
OF_A_CLUSTER = {
    "kafkapy.peers.peer",
    "kafkapy.peers.peer_socket",
    "kafkapy.metadata.quorum_network",
    "kafkapy.replication.fetcher",
    "kafkapy.replication.fetchers",
    "kafkapy.fetching.replica_reading",
}


def test_a_node_that_is_alone_imports_nothing_of_a_cluster(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert "kafkapy.node.node" in imported
    assert not imported & OF_A_CLUSTER
