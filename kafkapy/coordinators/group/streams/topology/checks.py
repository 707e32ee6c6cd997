"""Topologies that are refused when a member tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy_wire.record_formats.group_coordinator import StreamsGroupTopologyValue


def check_topology(value: StreamsGroupTopologyValue) -> None:
    raise NotImplementedError
