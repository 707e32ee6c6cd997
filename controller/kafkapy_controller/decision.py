"""A decision of the controller: records for the metadata log, and the answer after they are applied."""

from typing import Generic, NamedTuple, TypeVar

from kafkapy_controller.metadata_records import MetadataRecord

R = TypeVar("R")

RECORDS_PER_DECISION_MAX = 10_000
"""Apache Kafka refuses an operation that needs more: one batch must stay far below what a follower can fetch."""


class Decision(NamedTuple, Generic[R]):
    """`records` change nothing until they are appended and replayed; `response` must not leave before that.

    Records of one decision are applied together or not at all: the shell appends them as one batch.
    """

    records: list[MetadataRecord]
    response: R
