"""LeaderChangeMessage: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class Voter(Struct):
    """A struct of LeaderChangeMessage."""

    voter_id: int = field("int32", "0+", default=0)
    voter_directory_id: Uuid = field("uuid", "1+", default=ZERO_UUID)


class LeaderChangeMessage(Message, kind="data", versions="0-1", flexible="0+"):
    """Versions 0-1; 0+ flexible."""

    version: int = field("int16", "0+", default=0)
    leader_id: int = field("int32", "0+", default=0, entity="brokerId")
    voters: list[Voter] = field([Voter], "0+", factory=list)
    granting_voters: list[Voter] = field([Voter], "0+", factory=list)
