"""DescribeCluster (API key 60): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DescribeClusterRequest(
    Message, api_key=60, kind="request", versions="0-2", flexible="0+", listeners="broker controller"
):
    """Versions 0-2; 0+ flexible."""

    include_cluster_authorized_operations: bool = field("bool", "0+", default=False)
    endpoint_type: int = field("int8", "1+", default=1)
    include_fenced_brokers: bool = field("bool", "2+", default=False)


class DescribeClusterBroker(Struct):
    """A struct of DescribeClusterResponse."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("int32", "0+", default=0)
    rack: str | None = field("string", "0+", default=None, nullable="0+")
    is_fenced: bool = field("bool", "2+", default=False)


class DescribeClusterResponse(Message, api_key=60, kind="response", versions="0-2", flexible="0+"):
    """Versions 0-2; 0+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "0+", default=0)
    error_message: str | None = field("string", "0+", default=None, nullable="0+")
    endpoint_type: int = field("int8", "1+", default=1)
    cluster_id: str = field("string", "0+", default="")
    controller_id: int = field("int32", "0+", default=-1, entity="brokerId")
    brokers: list[DescribeClusterBroker] = field([DescribeClusterBroker], "0+", factory=list)
    cluster_authorized_operations: int = field("int32", "0+", default=-2147483648)
