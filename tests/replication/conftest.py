from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replication.replication_lab import ReplicationLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ReplicationLab]:
    """Three brokers with a replica each of one partition, which broker 1 leads; all of them are in sync."""
    lab = ReplicationLab(tmp_path)
    lab.run()
    yield lab
    lab.close()
