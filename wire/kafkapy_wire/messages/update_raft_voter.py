"""UpdateRaftVoter (API key 82): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class Listener(Struct):
    """A struct of UpdateRaftVoterRequest."""

    name: str = field("string", "0+", default="", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)


class KRaftVersionFeature(Struct):
    """A struct of UpdateRaftVoterRequest."""

    min_supported_version: int = field("int16", "0+", default=0)
    max_supported_version: int = field("int16", "0+", default=0)


class UpdateRaftVoterRequest(Message, api_key=82, kind="request", versions="0", flexible="0+", listeners="controller"):
    """Version 0; 0+ flexible."""

    cluster_id: str | None = field("string", "0+", default="", nullable="0+")
    current_leader_epoch: int = field("int32", "0+", default=0)
    voter_id: int = field("int32", "0+", default=0)
    voter_directory_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    listeners: list[Listener] = field([Listener], "0+", factory=list)
    k_raft_version_feature: KRaftVersionFeature = field(KRaftVersionFeature, "0+", factory=KRaftVersionFeature)


class CurrentLeader(Struct):
    """A struct of UpdateRaftVoterResponse."""

    leader_id: int = field("int32", "0+", default=-1, entity="brokerId")
    leader_epoch: int = field("int32", "0+", default=-1)
    host: str = field("string", "0+", default="")
    port: int = field("int32", "0+", default=0)


class UpdateRaftVoterResponse(Message, api_key=82, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    current_leader: CurrentLeader = field(CurrentLeader, "0+", factory=CurrentLeader, tag=0, tagged="0+")
