"""What a node does beside answering: checkpoints, removing what was deleted, forgetting idle producers, ending
transactions that take too long.

Each chore has Kafka's setting for how often it comes. What touches the disk runs in a worker thread, on values that
were taken on the event loop; nothing else touches those files meanwhile.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.controller_driver import METADATA_TOPIC
from kafkapy.flushing import CHECK_INTERVAL_MS
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from kafkapy.node import Node

logger = logging.getLogger("kafkapy.housekeeping")

SEGMENT_DELETION_INTERVAL_MS_MAX = 1_000  # a topic's file.delete.delay.ms holds to within this
INTERVAL_MS_MIN = 100  # a setting may say 0, and a loop without a pause would leave nothing for the clients


async def keep_house(node: Node) -> None:
    """Do every chore at its interval until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_every, node, checkpoint_interval_ms, write_checkpoints)
        nursery.start_soon(keep_recovery_points, node)
        nursery.start_soon(_every, node, settling_interval_ms, settle_logs)
        nursery.start_soon(_every, node, deletion_interval_ms, remove_deleted)
        nursery.start_soon(_every, node, segment_deletion_interval_ms, remove_deleted_segments)
        nursery.start_soon(_every, node, producer_expiration_interval_ms, expire_producers)
        nursery.start_soon(_every, node, flush_interval_ms, flush_what_is_due)
        nursery.start_soon(_every, node, transaction_timeout_interval_ms, abort_timed_out_transactions)
        nursery.start_soon(_every, node, transactional_id_expiration_interval_ms, expire_transactional_ids)


def checkpoint_interval_ms(node: Node) -> int:
    return node.settings.replication.replica_high_watermark_checkpoint_interval_ms


def settling_interval_ms(node: Node) -> int:
    return node.settings.log.log_flush_offset_checkpoint_interval_ms


def deletion_interval_ms(node: Node) -> int:
    return node.settings.topic_defaults.file_delete_delay_ms


def segment_deletion_interval_ms(node: Node) -> int:
    return min(node.settings.topic_defaults.file_delete_delay_ms, SEGMENT_DELETION_INTERVAL_MS_MAX)


def flush_interval_ms(node: Node) -> int:
    return min(node.settings.log.log_flush_scheduler_interval_ms, CHECK_INTERVAL_MS)


def producer_expiration_interval_ms(node: Node) -> int:
    return node.settings.transactions.producer_id_expiration_check_interval_ms


def transaction_timeout_interval_ms(node: Node) -> int:
    return node.settings.transactions.transaction_abort_timed_out_transaction_cleanup_interval_ms


def transactional_id_expiration_interval_ms(node: Node) -> int:
    return node.settings.transactions.transaction_remove_expired_transaction_cleanup_interval_ms


async def _every(node: Node, interval_ms: Callable[[Node], int], chore: Callable[[Node], Awaitable[None]]) -> None:
    never = trio.Event()
    while True:
        await node.clock.wait(never, max(interval_ms(node), INTERVAL_MS_MIN))
        await _do(node, chore)


async def _do(node: Node, chore: Callable[[Node], Awaitable[None]]) -> None:
    try:
        await chore(node)
    except (OSError, KafkaError) as error:
        node.disk.put_off(chore.__name__, error)
    except Exception:
        # A bug in a chore must not end the node that clients work with; the log tells where it is.
        logger.exception("internal error in %s", chore.__name__)


async def keep_recovery_points(node: Node) -> None:
    """Settle what recovery had to read, then note each recovery point soon after it moved, until cancelled.

    A node that is killed again and again within seconds must not read the same bytes again and again.
    """
    if not node.durable:
        return
    never = trio.Event()
    if not node.store.had_clean_shutdown:
        await _do(node, settle_logs)
    while True:
        await node.flusher.recovery_points_moved.wait()
        node.flusher.recovery_points_moved = trio.Event()
        await _do(node, write_checkpoints)
        await node.clock.wait(never, CHECK_INTERVAL_MS)


async def write_checkpoints(node: Node) -> None:
    """Note offsets, so that a crash costs little, and no log starts again where it started before. Raises OSError."""
    async with node.checkpoint_lock:
        files = node.store.checkpoints(node.partitions.high_watermarks())
        await trio.to_thread.run_sync(node.store.replace_checkpoints, files)


async def settle_logs(node: Node) -> None:
    """Let recovery begin at the end of the logs that it would have to read most of. The metadata log syncs itself."""
    if node.durable:
        await node.flusher.settle(
            log for topic_partition, log in node.store.opened() if topic_partition.topic != METADATA_TOPIC
        )


async def flush_what_is_due(node: Node) -> None:
    """By flush.ms, and segments that were rolled: Apache Kafka syncs those in the background at once."""
    if node.durable:
        node.flusher.check(node.partitions.opened())


async def remove_deleted(node: Node) -> None:
    """Take deleted partitions off the disk; log.segment.delete.delay.ms is how often, as their topics are gone."""
    directories = node.store.take_deleted()
    if directories:
        await trio.to_thread.run_sync(_remove, directories, [])


async def remove_deleted_segments(node: Node) -> None:
    """Take segments off the disk that retention and compaction have dropped, once their topic's file.delete.delay.ms is
    over.
    """
    now_ms = node.clock.now_ms()
    segments = [path for partition in node.partitions.opened() for path in partition.log.take_deleted_files(now_ms)]
    if segments:
        await trio.to_thread.run_sync(_remove, [], segments)


def _remove(directories: list[Path], files: list[Path]) -> None:
    from kafkapy_log.log_store import remove_directories

    remove_directories(directories)
    for file in files:
        file.unlink(missing_ok=True)


async def expire_producers(node: Node) -> None:
    """Forget producers that wrote nothing for producer.id.expiration.ms."""
    now_ms = node.clock.now_ms()
    for partition in node.partitions.opened():
        partition.log.remove_expired_producers(now_ms)


async def abort_timed_out_transactions(node: Node) -> None:
    """End what producers have left open for longer than their transaction.timeout.ms."""
    await node.transactions.abort_timed_out()


async def expire_transactional_ids(node: Node) -> None:
    """Forget transactional ids that nobody has used for transactional.id.expiration.ms."""
    node.transactions.remove_expired()
