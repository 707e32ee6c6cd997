"""What tests of crashes leave open is closed after each of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kafkapy_log import LogStore
from kafkapy_log.file_pool import FilePool


@pytest.fixture(autouse=True)
def _descriptors_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store that crashes is not closed, so that its descriptors would stay for as long as the test process lives."""
    pools: list[FilePool] = []
    stores: list[LogStore] = []
    make_pool, make_store, close_store = FilePool.__init__, LogStore.__init__, LogStore.close

    def note_pool(pool: FilePool, *arguments: Any, **named: Any) -> None:
        make_pool(pool, *arguments, **named)
        pools.append(pool)

    def note_store(store: LogStore, *arguments: Any, **named: Any) -> None:
        make_store(store, *arguments, **named)
        stores.append(store)

    def note_close(store: LogStore, *arguments: Any, **named: Any) -> None:
        stores.remove(store)
        close_store(store, *arguments, **named)

    monkeypatch.setattr(FilePool, "__init__", note_pool)
    monkeypatch.setattr(LogStore, "__init__", note_store)
    monkeypatch.setattr(LogStore, "close", note_close)
    yield
    monkeypatch.undo()
    for pool in pools:
        for file in list(pool._open):
            pool.close(file)
    for descriptor in {store._lock_fd for store in stores}:
        link = Path(f"/proc/self/fd/{descriptor}")
        if link.is_symlink() and ".lock" in link.readlink().name:  # a store that could not be opened has closed it
            os.close(descriptor)
