"""DescribeLogDirs (API key 35): request and response.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field


class DescribableLogDirTopic(Struct):
    """A struct of DescribeLogDirsRequest."""

    topic: str = field("string", "0+", default="", entity="topicName", map_key=True)
    partitions: list[int] = field(["int32"], "0+", factory=list)


class DescribeLogDirsRequest(Message, api_key=35, kind="request", versions="1-5", flexible="2+", listeners="broker"):
    """Versions 1-5; 2+ flexible."""

    topics: list[DescribableLogDirTopic] | None = field([DescribableLogDirTopic], "0+", factory=list, nullable="0+")


class DescribeLogDirsPartition(Struct):
    """A struct of DescribeLogDirsResponse."""

    partition_index: int = field("int32", "0+", default=0)
    partition_size: int = field("int64", "0+", default=0)
    offset_lag: int = field("int64", "0+", default=0)
    is_future_key: bool = field("bool", "0+", default=False)


class DescribeLogDirsTopic(Struct):
    """A struct of DescribeLogDirsResponse."""

    name: str = field("string", "0+", default="", entity="topicName")
    partitions: list[DescribeLogDirsPartition] = field([DescribeLogDirsPartition], "0+", factory=list)


class DescribeLogDirsResult(Struct):
    """A struct of DescribeLogDirsResponse."""

    error_code: int = field("int16", "0+", default=0)
    log_dir: str = field("string", "0+", default="")
    topics: list[DescribeLogDirsTopic] = field([DescribeLogDirsTopic], "0+", factory=list)
    total_bytes: int = field("int64", "4+", default=-1, ignorable=True)
    usable_bytes: int = field("int64", "4+", default=-1, ignorable=True)
    is_cordoned: bool = field("bool", "5+", default=False, ignorable=True)


class DescribeLogDirsResponse(Message, api_key=35, kind="response", versions="1-5", flexible="2+"):
    """Versions 1-5; 2+ flexible."""

    throttle_time_ms: int = field("int32", "0+", default=0)
    error_code: int = field("int16", "3+", default=0, ignorable=True)
    results: list[DescribeLogDirsResult] = field([DescribeLogDirsResult], "0+", factory=list)
