"""What two answers to one request differ in, but for what differs by nature."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafkapy.recording.learned_ids import ids_of
from kafkapy_wire.errors import ErrorCode, MalformedMessage
from kafkapy_wire.message import Struct
from kafkapy_wire.records import decode_records, split_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kafkapy.recording.learned_ids import LearnedIds
    from kafkapy_wire.message import Field

IGNORED: Final = frozenset(
    {
        # ids that a broker or a cluster gives out
        *("clusterId", "topicId", "memberId", "leader", "generationId", "memberEpoch", "producerId", "producerEpoch"),
        *("sessionId", "clientInstanceId", "groupEpoch", "assignmentEpoch", "ongoingTxnProducerId", "processId"),
        # who the brokers are, and where
        *("brokers", "nodeEndpoints", "nodeId", "brokerId", "controllerId", "host", "port", "rack", "clientHost"),
        *("leaderId", "leaderEpoch", "currentLeader", "replicaNodes", "isrNodes", "offlineReplicas", "replicas", "isr"),
        *("eligibleLeaderReplicas", "lastKnownElr", "preferredReadReplica", "partitionLeaderEpoch", "brokerEpoch"),
        # what a broker serves, and its features
        *("apiKeys", "supportedFeatures", "finalizedFeatures", "finalizedFeaturesEpoch", "zkMigrationReady"),
        # offsets in logs; those that a group has committed are its own
        *("baseOffset", "offset", "logStartOffset", "logEndOffset", "highWatermark", "lastStableOffset", "firstOffset"),
        *("lastOffset", "startOffset", "endOffset", "lowWatermark", "divergingEpoch", "currentTxnStartOffset"),
        *("abortedTransactions", "size", "offsetLag", "totalBytes", "usableBytes", "logDir"),
        # times
        *("throttleTimeMs", "logAppendTimeMs", "timestamp", "maxTimestamp", "lastTimestamp", "transactionStartTimeMs"),
        *("sessionLifetimeMs", "issueTimestampMs", "expiryTimestampMs", "maxTimestampMs"),
        *("lastFetchTimestamp", "lastCaughtUpTimestamp", "acquisitionLockTimeoutMs"),
        # the words of an error, whose code is compared
        "errorMessage",
    }
)
"""Kafka's names of fields that differ by nature. `Api.field` is the field of one API."""

IDENTIFYING: Final = frozenset(
    {
        *("name", "topic", "topic_name", "partition", "partition_index", "index", "group_id", "key", "api_key"),
        *("resource_type", "resource_name", "entity_type", "feature", "transactional_id", "principal", "user"),
    }
)
"""Fields by which elements of a list are found again, in whatever order they come."""


class FieldDifference(NamedTuple):
    path: str
    """`responses[0].partitionResponses[0].errorCode`."""
    recorded: object
    replayed: object


class Comparison:
    """Of the answers of one API; learns the ids of this run on the way."""

    def __init__(self, api: str, group: str, learned: LearnedIds, ignored: Collection[str]) -> None:
        """`group`: which the request names."""
        self._api = api
        self._group = group
        self._learned = learned
        self._ignored = ignored

    def first_difference(self, recorded: Struct, replayed: Struct) -> FieldDifference | None:
        self._learn(recorded, replayed)
        return self._struct(recorded, replayed, "")

    def _learn(self, recorded: Struct, replayed: Struct) -> None:
        """All ids, whether the answers differ or not: those of a struct first, as lists are paired by them."""
        self._learned.learn_from(recorded, replayed, self._group)
        for field in recorded.__fields__:
            ours, theirs = getattr(recorded, field.name), getattr(replayed, field.name)
            if isinstance(ours, Struct) and isinstance(theirs, Struct):
                self._learn(ours, theirs)
            elif isinstance(ours, list) and isinstance(theirs, list):
                for one, other in zip(*self._in_order(ours, theirs), strict=False):
                    if isinstance(one, Struct) and isinstance(other, Struct):
                        self._learn(one, other)

    def _is_ignored(self, field: Field) -> bool:
        name = field.json_name
        return name in self._ignored or f"{self._api}.{name}" in self._ignored

    def _struct(self, recorded: Struct, replayed: Struct, path: str) -> FieldDifference | None:
        for field in recorded.__fields__:
            if self._is_ignored(field):
                continue
            where = f"{path}.{field.json_name}" if path else field.json_name
            found = self._field(field, getattr(recorded, field.name), getattr(replayed, field.name), where)
            if found is not None:
                return found
        return None

    def _field(self, field: Field, recorded: Any, replayed: Any, path: str) -> FieldDifference | None:
        if isinstance(recorded, Struct) and isinstance(replayed, Struct):
            return self._struct(recorded, replayed, path)
        if isinstance(recorded, list) and isinstance(replayed, list):
            return self._list(field, recorded, replayed, path)
        if field.kind == "records":
            return _first_of_records(recorded, replayed, path)
        if isinstance(recorded, memoryview | bytearray):
            recorded = bytes(recorded)
        if recorded == replayed:
            return None
        if field.name.endswith("error_code"):
            return FieldDifference(path, _error_name(recorded), _error_name(replayed))
        return FieldDifference(path, recorded, replayed)

    def _list(self, field: Field, recorded: list[Any], replayed: list[Any], path: str) -> FieldDifference | None:
        ours, theirs = self._in_order(recorded, replayed)
        for number, (one, other) in enumerate(zip_longest(ours, theirs)):
            if one is None or other is None:
                return FieldDifference(f"the number of {path}", len(recorded), len(replayed))
            found = self._field(field, one, other, f"{path}[{number}]")
            if found is not None:
                return found
        return None

    def _in_order(self, recorded: list[Any], replayed: list[Any]) -> tuple[list[Any], list[Any]]:
        """Both in the order of their identifying fields, those of the recorded one as this run has them."""
        return (
            sorted(recorded, key=lambda one: _identity(one, self._learned)),
            sorted(replayed, key=lambda one: _identity(one, lambda _kind, value: value)),
        )


def _identity(element: object, translate: Callable[[str, object], object]) -> tuple[str, ...]:
    """Of an element of a list; of one that is no struct the same for all, so that they stay in their order."""
    if not isinstance(element, Struct):
        return ()
    ids = {field.name: translate(kind, value) for field, kind, value in ids_of(element) if kind in ("topic", "member")}
    return tuple(
        f"{ids.get(field.name, getattr(element, field.name))!r:>20}"
        for field in element.__fields__
        if field.name in IDENTIFYING or field.name in ids
    )


def _first_of_records(recorded: Any, replayed: Any, path: str) -> FieldDifference | None:
    """Keys, values and headers are compared, in whatever batches they come."""
    try:
        ours, theirs = _records(recorded), _records(replayed)
    except MalformedMessage:
        same = bytes(recorded or b"") == bytes(replayed or b"")
        return None if same else FieldDifference(path, "record batches", "record batches of which one is not valid")
    for number, (one, other) in enumerate(zip_longest(ours, theirs)):
        if one is None or other is None:
            return FieldDifference(f"the number of records in {path}", len(ours), len(theirs))
        if one != other:
            return FieldDifference(f"record {number} of {path}", one, other)
    return None


def _records(data: Any) -> list[tuple[bool, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]]:
    found = []
    for header, batch in split_batches(data or b""):
        for record in decode_records(batch):
            # The value of a control record has the epoch of a coordinator.
            value = None if header.is_control else record.value
            found.append((header.is_control, record.key, value, record.headers))
    return found


def _error_name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return str(code)
