"""The quorum state file of KRaft.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class Voter(Struct):
    """A struct of QuorumStateData."""

    voter_id: int = field("int32", "0", default=0)


class QuorumStateData(Message, kind="data", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    cluster_id: str = field("string", "0", default="")
    leader_id: int = field("int32", "0+", default=-1)
    leader_epoch: int = field("int32", "0+", default=-1)
    voted_id: int = field("int32", "0+", default=-1)
    voted_directory_id: Uuid = field("uuid", "1+", default=ZERO_UUID)
    applied_offset: int = field("int64", "0", default=0)
    current_voters: list[Voter] | None = field([Voter], "0", factory=list, nullable="0")
