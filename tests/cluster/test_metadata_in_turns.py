"""A node that catches up with a long metadata log leaves turns to others, and loses nothing by it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kafkapy.metadata import loader, metadata_log
from kafkapy.metadata.metadata_log import MetadataLog
from tests.cluster.bounds import cluster_test
from tests.cluster.test_cluster import FAST, cluster, create, partition, produce, until, until_active


class EndedTurn:
    """As if every piece of work took longer than a turn."""

    is_over = True

    async def share(self) -> None:
        await trio.lowlevel.checkpoint()


@cluster_test
async def test_nodes_whose_turns_are_all_over_catch_up_lead_and_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_log, "Turn", EndedTurn)
    monkeypatch.setattr(loader, "RECORDS_PER_STEP", 1)
    loaded = []
    load = MetadataLog._load_the_rest

    async def count(log: MetadataLog, *step: object) -> None:
        loaded.append(log.node_id)
        await load(log, *step)  # type: ignore[arg-type]

    monkeypatch.setattr(MetadataLog, "_load_the_rest", count)
    async with cluster(tmp_path, settings=FAST, durable=True) as made:
        leader = await until_active(made)
        away = next(node_id for node_id in made.nodes if node_id != leader)
        await made.stop(away)
        for count_ in range(12):
            await create(made, leader, f"t{count_}")
        await made.start(away)
        assert away in loaded
        await made.kill(leader)
        await until_active(made)
        await create(made, away, "after")
        await made.start(leader)
        await until(lambda: len({frozenset(node.parts.metadata.image.topics) for node in made.nodes.values()}) == 1)
        assert sorted(partition(made, leader, "after").replicas) == [1, 2, 3]
        assert await produce(made, "after", b"first") == 0
