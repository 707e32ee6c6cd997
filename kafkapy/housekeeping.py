"""What a node does beside answering: checkpoints, removing what was deleted, forgetting idle producers, ending
transactions that take too long.

Each chore has Kafka's setting for how often it comes. What touches the disk runs in a worker thread, on values that
were taken on the event loop; nothing else touches those files meanwhile.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from kafkapy.flushing import CHECK_INTERVAL_MS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from kafkapy.node import Node

logger = logging.getLogger("kafkapy.housekeeping")

INTERVAL_MS_MIN = 100  # a setting may say 0, and a loop without a pause would leave nothing for the clients


async def keep_house(node: Node) -> None:
    """Do every chore at its interval until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_every, node, checkpoint_interval_ms, write_checkpoints)
        nursery.start_soon(_every, node, deletion_interval_ms, remove_deleted)
        nursery.start_soon(_every, node, producer_expiration_interval_ms, expire_producers)
        nursery.start_soon(_every, node, flush_interval_ms, flush_what_is_due)
        nursery.start_soon(_every, node, transaction_timeout_interval_ms, abort_timed_out_transactions)
        nursery.start_soon(_every, node, transactional_id_expiration_interval_ms, expire_transactional_ids)


def checkpoint_interval_ms(node: Node) -> int:
    return node.settings.replication.replica_high_watermark_checkpoint_interval_ms


def deletion_interval_ms(node: Node) -> int:
    return node.settings.topic_defaults.file_delete_delay_ms


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
        try:
            await chore(node)
        except OSError as error:
            logger.error("%s failed and will be tried again: %s", chore.__name__, error)
        except Exception:
            # A bug in a chore must not end the node that clients work with; the log tells where it is.
            logger.exception("internal error in %s", chore.__name__)


async def write_checkpoints(node: Node) -> None:
    """Note offsets, so that a start after a crash recovers little."""
    files = node.store.checkpoints(node.partitions.high_watermarks())
    await trio.to_thread.run_sync(node.store.replace_checkpoints, files)


async def flush_what_is_due(node: Node) -> None:
    """By flush.ms, and segments that were rolled: Apache Kafka syncs those in the background at once."""
    if node.durable:
        node.flusher.check(node.partitions.opened())


async def remove_deleted(node: Node) -> None:
    """Take deleted partitions and segments off the disk once file.delete.delay.ms is over."""
    now_ms = node.clock.now_ms()
    directories = node.store.take_deleted()
    segments = [path for partition in node.partitions.opened() for path in partition.log.take_deleted_files(now_ms)]
    if directories or segments:
        await trio.to_thread.run_sync(_remove, directories, segments)


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
