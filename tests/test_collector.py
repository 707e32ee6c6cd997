"""Full collections of garbage are put off while a request of very many entries is worked on, but not for ever."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from kafkapy import collector
from kafkapy.collector import PutOff
from kafkapy_wire.api_keys import ApiKey
from tests.apis.long_arrays import request_with
from tests.shell.running_node import connect, running_node, trio_test

FULL = 2


def test_they_are_as_before_after_the_last_user() -> None:
    before = gc.get_threshold()
    put_off = PutOff()
    put_off.begin()
    put_off.begin()
    put_off.end()
    assert gc.get_threshold()[2] > before[2]
    put_off.end()
    assert gc.get_threshold() == before


def test_one_user_after_the_other_does_not_put_them_off_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "PUT_OFF_SECONDS_MAX", -1.0)
    put_off = PutOff()
    put_off.begin()
    collected = gc.get_stats()[FULL]["collections"]
    put_off.begin()
    assert gc.get_stats()[FULL]["collections"] == collected + 1
    put_off.end()
    put_off.end()


def test_a_request_of_very_many_entries_brings_on_no_full_collection(tmp_path: Path) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path) as node, connect(node) as client:
            await client.create_topic("orders", 3)
            frame = client.frame(request_with(ApiKey.INCREMENTAL_ALTER_CONFIGS, ("resources",), 90_000, "orders"), 1)
            gc.collect()
            gc.freeze()  # as a node that has started: then little garbage is needed for a full collection
            try:
                gc.collect()
                before, begun = gc.get_threshold(), gc.get_stats()[FULL]["collections"]
                await client.stream.send_all(frame)
                await client.stream.receive_some(1)
                assert gc.get_stats()[FULL]["collections"] <= begun + 1
            finally:
                gc.unfreeze()
        assert gc.get_threshold() == before

    run()
