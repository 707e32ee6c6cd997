"""StreamsGroupTopologyDescriptionUpdate (API key 93): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class TopologyDescriptionNode(Struct):
    """A struct of StreamsGroupTopologyDescriptionUpdateRequest."""

    name: str = field("string", "0+", default="")
    node_type: int = field("int8", "0+", default=0)
    source_topics: list[str] = field(["string"], "0+", factory=list, entity="topicName")
    sink_topic: str | None = field("string", "0+", default=None, nullable="0+", entity="topicName")
    stores: list[str] = field(["string"], "0+", factory=list)
    successors: list[str] = field(["string"], "0+", factory=list)


class TopologyDescriptionSubtopology(Struct):
    """A struct of StreamsGroupTopologyDescriptionUpdateRequest."""

    subtopology_id: str = field("string", "0+", default="")
    nodes: list[TopologyDescriptionNode] = field([TopologyDescriptionNode], "0+", factory=list)


class TopologyDescriptionGlobalStore(Struct):
    """A struct of StreamsGroupTopologyDescriptionUpdateRequest."""

    source: TopologyDescriptionNode = field(TopologyDescriptionNode, "0+", factory=TopologyDescriptionNode)
    processor: TopologyDescriptionNode = field(TopologyDescriptionNode, "0+", factory=TopologyDescriptionNode)


class TopologyDescription(Struct):
    """A struct of StreamsGroupTopologyDescriptionUpdateRequest."""

    subtopologies: list[TopologyDescriptionSubtopology] = field([TopologyDescriptionSubtopology], "0+", factory=list)
    global_stores: list[TopologyDescriptionGlobalStore] = field([TopologyDescriptionGlobalStore], "0+", factory=list)


class StreamsGroupTopologyDescriptionUpdateRequest(
    Message, api_key=93, kind="request", versions="0", flexible="0+", listeners="broker"
):
    """Version 0; 0+ flexible."""

    group_id: str = field("string", "0+", default="", entity="groupId")
    member_id: str = field("string", "0+", default="")
    topology_epoch: int = field("int32", "0+", default=0)
    topology_description: TopologyDescription = field(TopologyDescription, "0+", factory=TopologyDescription)


class StreamsGroupTopologyDescriptionUpdateResponse(Message, api_key=93, kind="response", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
