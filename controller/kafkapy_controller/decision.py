"""A decision of the controller: records for the metadata log, and the answer after they are applied."""

from collections.abc import Generator
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_wire.errors import ErrorCode, KafkaError

R = TypeVar("R")
T = TypeVar("T")

RECORDS_PER_DECISION_MAX = 10_000
"""Apache Kafka refuses an operation that needs more: one batch must stay far below what a follower can fetch."""

Steps: TypeAlias = Generator[None, None, T]
"""Work that can be long: other work may go on at each of its steps."""


class Decision(NamedTuple, Generic[R]):
    """`records` change nothing until they are appended and replayed; `response` must not leave before that.

    Records of one decision are applied together or not at all: the shell appends them as one batch.
    """

    records: list[MetadataRecord]
    response: R


def at_once(steps: Steps[T]) -> T:
    """What the steps lead to, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def check_record_count(count: int) -> None:
    """Raises KafkaError POLICY_VIOLATION: too many records for one decision."""
    if count > RECORDS_PER_DECISION_MAX:
        raise KafkaError(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
