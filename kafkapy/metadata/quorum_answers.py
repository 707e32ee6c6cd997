"""Answers of the quorum, with the bytes that they are about: records of the metadata log, or a part of a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from kafkapy.pending import Pending
from kafkapy_log import StorageError
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.metadata.snapshots import SnapshotFiles
    from kafkapy_controller.raft.core import Answer
    from kafkapy_controller.raft.messages import Result
    from kafkapy_log import PartitionLog

ANSWER_BYTES_MAX: Final = 1 << 20
"""Of the records in one answer to a Fetch of the metadata."""


class QuorumAnswers:
    """Gives the answers of one node."""

    def __init__(self, log: PartitionLog, snapshots: SnapshotFiles, tell_disk: Callable[[StorageError], None]) -> None:
        self._log = log
        self._snapshots = snapshots
        self._tell_disk = tell_disk

    def give(self, answer: Answer, nursery: trio.Nursery | None) -> None:
        """`nursery` is there while others ask. Raises StorageError."""
        pending, result = answer.reply_to, answer.result
        assert isinstance(pending, Pending)
        if answer.part_of is not None:
            assert nursery is not None, "others ask while the log runs"
            nursery.start_soon(self._give_part, pending, answer)
            return
        if answer.records_from is not None:
            piece = self._log.read(answer.records_from, ANSWER_BYTES_MAX)
            result = result._replace(records=piece.read())  # type: ignore[call-arg]  # it is a FetchResult
            piece.release()
        pending.answer(result)

    async def _give_part(self, pending: Pending[Result], answer: Answer) -> None:
        from kafkapy_controller.raft.messages import FetchSnapshotResult

        request, result = answer.part_of, answer.result
        assert request is not None
        assert isinstance(result, FetchSnapshotResult)
        try:
            pending.answer(await trio.to_thread.run_sync(self._snapshots.part_for, request, result))
        except StorageError as error:
            self._tell_disk(error)
            pending.refuse(KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, str(error)))
