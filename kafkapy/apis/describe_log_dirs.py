"""DescribeLogDirs (API key 35), versions 1-5: what each log directory holds (KIP-113).

v2 flexible    v3 top-level error    v4 total and usable bytes (KIP-827)    v5 cordoned directories (KIP-1066)

`topics` null asks for every partition of the directory. A partition whose log cannot be opened is left out.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from kafkapy.turns import Turn
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext

logger = logging.getLogger("kafkapy.apis.describe_log_dirs")


async def handle(request: DescribeLogDirsRequest, context: RequestContext) -> DescribeLogDirsResponse:
    directory = context.broker.partitions.directory
    turn = Turn()
    wanted = None
    if request.topics is not None:
        wanted = set()
        for asked in request.topics:
            for index in asked.partitions:
                wanted.add((asked.topic, index))
                await turn.share()
            await turn.share()
    topics: dict[str, DescribeLogDirsTopic] = {}
    for name, index in context.broker.partitions.names():
        await turn.share()
        if wanted is not None and (name, index) not in wanted:
            continue
        topic = topics.get(name)
        if topic is None:
            topic = topics[name] = DescribeLogDirsTopic(name=name)
        try:
            partition = context.broker.partitions.stored(name, index)
        except KafkaError as error:
            logger.error("cannot tell the size of %s-%d: %s", name, index, error)
            continue
        size = partition.log.size_bytes if partition else 0
        topic.partitions.append(DescribeLogDirsPartition(partition_index=index, partition_size=size))
    space = os.statvfs(directory)
    return DescribeLogDirsResponse(
        results=[
            DescribeLogDirsResult(
                log_dir=str(directory.absolute()),
                topics=list(topics.values()),
                total_bytes=space.f_frsize * space.f_blocks,
                usable_bytes=space.f_frsize * space.f_bavail,
            )
        ]
    )


def error_response(_request: DescribeLogDirsRequest, error: KafkaError) -> DescribeLogDirsResponse:
    """The error of the whole request; before version 3, which has no field for it, of the directory."""
    return DescribeLogDirsResponse(error_code=error.code, results=[DescribeLogDirsResult(error_code=error.code)])
