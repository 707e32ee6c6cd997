"""DescribeLogDirs (API key 35), versions 1-5: what each log directory holds (KIP-113).

v2 flexible    v3 top-level error    v4 total and usable bytes (KIP-827)    v5 cordoned directories (KIP-1066)

`topics` null asks for every partition of the directories. A partition whose log cannot be opened is left out.

Errors of each directory:
        KAFKA_STORAGE_ERROR   it is offline
        UNKNOWN_SERVER_ERROR  its file system cannot be asked for its size
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kafkapy.turns import Turn
from kafkapy_controller.metadata_version import CORDONED_LOG_DIRS
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

if TYPE_CHECKING:
    from kafkapy.context import RequestContext
    from kafkapy_log import LogStore

logger = logging.getLogger("kafkapy.apis.describe_log_dirs")

NO_LAG: Final = -1


Wanted = frozenset[tuple[str, int]]


async def handle(request: DescribeLogDirsRequest, context: RequestContext) -> DescribeLogDirsResponse:
    turn = Turn()
    wanted = None if request.topics is None else await _wanted(request, turn)
    found: dict[LogStore, _Topics] = {store: _Topics() for store in context.broker.directories.stores}
    await _add_replicas(found, wanted, context, turn)
    await _add_copies(found, wanted, context, turn)
    directories = context.broker.directories
    results = []
    for path in directories.paths:
        log_dir = str(path.absolute())
        store = directories.at(log_dir)
        results.append(_result(log_dir, None if store is None else found.get(store), context))
    return DescribeLogDirsResponse(results=results)


async def _wanted(request: DescribeLogDirsRequest, turn: Turn) -> Wanted:
    wanted = set()
    for asked in request.topics or ():
        for index in asked.partitions:
            wanted.add((asked.topic, index))
            await turn.share()
        await turn.share()
    return frozenset(wanted)


class _Topics:
    """What is found in one directory."""

    def __init__(self) -> None:
        self.by_name: dict[str, DescribeLogDirsTopic] = {}

    def add(self, topic: str, partition: DescribeLogDirsPartition) -> None:
        found = self.by_name.get(topic)
        if found is None:
            found = self.by_name[topic] = DescribeLogDirsTopic(name=topic)
        found.partitions.append(partition)


async def _add_replicas(
    found: dict[LogStore, _Topics], wanted: Wanted | None, context: RequestContext, turn: Turn
) -> None:
    directories, partitions = context.broker.directories, context.broker.partitions
    for name, index in partitions.names():
        await turn.share()
        if wanted is not None and (name, index) not in wanted:
            continue
        store = directories.store_of(name, index)
        if store is None or store not in found:
            continue
        try:
            partition = partitions.stored(name, index)
        except KafkaError as error:
            logger.error("cannot tell the size of %s-%d: %s", name, index, error)
            continue
        size = partition.log.size_bytes if partition else 0
        found[store].add(name, DescribeLogDirsPartition(partition_index=index, partition_size=size))


async def _add_copies(
    found: dict[LogStore, _Topics], wanted: Wanted | None, context: RequestContext, turn: Turn
) -> None:
    """Replicas that are being copied to another directory."""
    partitions, now_ms = context.broker.partitions, context.broker.clock.now_ms()
    for store, (name, index) in context.broker.directories.futures():
        await turn.share()
        if store not in found or (wanted is not None and (name, index) not in wanted):
            continue
        try:
            log, partition = store.get(name, index, now_ms=now_ms), partitions.stored(name, index)
        except KafkaError as error:
            logger.error("cannot tell the size of the copy of %s-%d: %s", name, index, error)
            continue
        if log is not None:
            described = DescribeLogDirsPartition(
                partition_index=index,
                partition_size=log.size_bytes,
                offset_lag=NO_LAG if partition is None else partition.log.log_end_offset - log.log_end_offset,
                is_future_key=True,
            )
            found[store].add(name, described)


def _result(log_dir: str, topics: _Topics | None, context: RequestContext) -> DescribeLogDirsResult:
    if topics is None:
        return DescribeLogDirsResult(log_dir=log_dir, error_code=ErrorCode.KAFKA_STORAGE_ERROR)
    try:
        space = os.statvfs(log_dir)
    except OSError as error:
        logger.error("cannot tell how much room %s has: %s", log_dir, error)
        return DescribeLogDirsResult(log_dir=log_dir, error_code=ErrorCode.UNKNOWN_SERVER_ERROR)
    knows_cordons = context.broker.metadata.image.metadata_version >= CORDONED_LOG_DIRS
    return DescribeLogDirsResult(
        log_dir=log_dir,
        topics=list(topics.by_name.values()),
        total_bytes=space.f_frsize * space.f_blocks,
        usable_bytes=space.f_frsize * space.f_bavail,
        is_cordoned=knows_cordons and Path(log_dir) in context.broker.directories.cordoned,
    )


def error_response(_request: DescribeLogDirsRequest, error: KafkaError) -> DescribeLogDirsResponse:
    """The error of the whole request; before version 3, which has no field for it, of the directory."""
    return DescribeLogDirsResponse(error_code=error.code, results=[DescribeLogDirsResult(error_code=error.code)])
