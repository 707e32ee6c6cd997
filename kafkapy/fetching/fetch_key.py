"""How a fetch names a partition."""

from __future__ import annotations

from typing import NewType

from kafkapy_wire.uuid import Uuid

FetchKey = NewType("FetchKey", tuple[str | Uuid, int])  # (topic name below version 13, topic id from it on; partition)
