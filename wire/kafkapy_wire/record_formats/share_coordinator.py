"""Keys and values in `__share_group_state`; `api_key` is the record type.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class ShareSnapshotKey(Message, api_key=0, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    topic_id: Uuid = field("uuid", "0", default=ZERO_UUID)
    partition: int = field("int32", "0", default=0)


class ShareSnapshotValueStateBatch(Struct):
    """A struct of ShareSnapshotValue."""

    first_offset: int = field("int64", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    delivery_state: int = field("int8", "0+", default=0)
    delivery_count: int = field("int16", "0+", default=0)


class ShareSnapshotValue(Message, api_key=0, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    snapshot_epoch: int = field("int32", "0+", default=0)
    state_epoch: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)
    start_offset: int = field("int64", "0+", default=0)
    delivery_complete_count: int = field("int32", "0+", default=-1, tag=0, tagged="0+")
    create_timestamp: int = field("int64", "0+", default=0)
    write_timestamp: int = field("int64", "0+", default=0)
    state_batches: list[ShareSnapshotValueStateBatch] = field([ShareSnapshotValueStateBatch], "0+", factory=list)


class ShareUpdateKey(Message, api_key=1, kind="coordinator-key", versions="0", flexible="none"):
    """Version 0; none flexible."""

    group_id: str = field("string", "0", default="")
    topic_id: Uuid = field("uuid", "0", default=ZERO_UUID)
    partition: int = field("int32", "0", default=0)


class ShareUpdateValueStateBatch(Struct):
    """A struct of ShareUpdateValue."""

    first_offset: int = field("int64", "0+", default=0)
    last_offset: int = field("int64", "0+", default=0)
    delivery_state: int = field("int8", "0+", default=0)
    delivery_count: int = field("int16", "0+", default=0)


class ShareUpdateValue(Message, api_key=1, kind="coordinator-value", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    snapshot_epoch: int = field("int32", "0+", default=0)
    leader_epoch: int = field("int32", "0+", default=0)
    start_offset: int = field("int64", "0+", default=0)
    delivery_complete_count: int = field("int32", "0+", default=-1, tag=0, tagged="0+")
    state_batches: list[ShareUpdateValueStateBatch] = field([ShareUpdateValueStateBatch], "0+", factory=list)
