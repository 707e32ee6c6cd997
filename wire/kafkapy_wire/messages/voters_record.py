"""VotersRecord: a message without an API key.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class Endpoint(Struct):
    """A struct of VotersRecord."""

    name: str = field("string", "0+", default="", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)


class KRaftVersionFeature(Struct):
    """A struct of VotersRecord."""

    min_supported_version: int = field("int16", "0+", default=0)
    max_supported_version: int = field("int16", "0+", default=0)


class Voter(Struct):
    """A struct of VotersRecord."""

    voter_id: int = field("int32", "0+", default=0, entity="brokerId")
    voter_directory_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    endpoints: list[Endpoint] = field([Endpoint], "0+", factory=list)
    k_raft_version_feature: KRaftVersionFeature = field(KRaftVersionFeature, "0+", factory=KRaftVersionFeature)


class VotersRecord(Message, kind="data", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    version: int = field("int16", "0+", default=0)
    voters: list[Voter] = field([Voter], "0+", factory=list)
