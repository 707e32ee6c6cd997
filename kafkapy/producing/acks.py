"""Waiting for acks: a produce is answered when the records of each partition are stored or committed, as acks asks.

acks=1     the leader has stored them: at once, or after the fsync that flush.messages asks for
acks=all   the high watermark has passed them: the whole ISR has them

An answer with an error still says where the records were appended, as in Apache Kafka: they are in the leader's log.
Only if the disk has failed, it does not.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from kafkapy.pending import Pending
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkapy.clock import Clock, Timer
    from kafkapy.partitions.partition import Partition
    from kafkapy_wire.messages.produce import PartitionProduceResponse, ProduceResponse

ALL: Final = -1


class AckWait:
    """The pending answer to one produce whose records are appended, but not yet stored or committed as acks asks."""

    def __init__(
        self, response: ProduceResponse, acks: int, on_lost_lead: Callable[[ProduceResponse], None] | None = None
    ) -> None:
        """`on_lost_lead` is called with the response before it is sent, if another broker leads a partition now."""
        self._on_lost_lead = on_lost_lead
        self._lost_lead = False
        self.pending: Pending[ProduceResponse | None] = Pending()
        self._response = response
        self._acks = acks
        self._waiting: dict[int, PartitionProduceResponse] = {}
        self._added = 0
        self._begun = False
        self._timer: Timer | None = None

    def add(self, partition: Partition, answer: PartitionProduceResponse, end_offset: int) -> None:
        """`answer` says that records of `partition` were appended, up to `end_offset`."""
        mark = partition.committed if self._acks == ALL else partition.stored
        self._added += 1
        self._waiting[self._added] = answer
        mark.release_at(end_offset, partial(self._released, self._added, partition))

    def begin(self, timeout_ms: int, clock: Clock) -> Pending[ProduceResponse | None]:
        """Begin to wait: all is added. Partitions that wait longer than `timeout_ms` get REQUEST_TIMED_OUT; their
        records stay in the log."""
        self._begun = True
        if self._waiting:
            self._timer = clock.call_later(timeout_ms, self._time_is_up)
        else:  # a request of many partitions is appended in turns, and all came between two of them
            self._finish()
        return self.pending

    def _released(self, key: int, partition: Partition, error: KafkaError | None) -> None:
        answer = self._waiting.pop(key, None)
        if answer is None:
            return  # its timeout was over before
        if error is not None:
            answer.error_code = error.code
            if error.code is ErrorCode.KAFKA_STORAGE_ERROR:  # the fsync belongs to the append
                answer.base_offset = answer.log_start_offset = answer.log_append_time_ms = -1
            self._lost_lead = self._lost_lead or error.code is ErrorCode.NOT_LEADER_OR_FOLLOWER
        elif self._acks == ALL and partition.had_too_few_acks:
            answer.error_code = ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
        if self._begun and not self._waiting:
            self._finish()

    def _time_is_up(self) -> None:
        for answer in self._waiting.values():
            answer.error_code = ErrorCode.REQUEST_TIMED_OUT
        self._waiting.clear()
        self._finish()

    def _finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._lost_lead and self._on_lost_lead is not None:
            self._on_lost_lead(self._response)
        if not self.pending.settled:
            self.pending.answer(self._response)
