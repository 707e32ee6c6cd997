"""What tests of crashes leave open is closed after each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafkapy_log.file_pool import FilePool


@pytest.fixture(autouse=True)
def _descriptors_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store that crashes is not closed, so that its descriptors would stay for as long as the test process lives."""
    pools: list[FilePool] = []
    make = FilePool.__init__

    def make_and_note(pool: FilePool, open_files_max: int | None = None) -> None:
        make(pool, open_files_max)
        pools.append(pool)

    monkeypatch.setattr(FilePool, "__init__", make_and_note)
    yield
    for pool in pools:
        for file in list(pool._open):
            pool.close(file)
