"""The formats of Kafka's small text files in a data directory and in a partition's directory.

```
*-checkpoint             version 0 | number of entries | one entry a line: `topic partition offset` or `epoch offset`
partition.metadata       version: 0 | topic_id: its text, without a newline at the end
meta.properties          Java properties: version=1, cluster.id, node.id, directory.id
.kafka_cleanshutdown     {"version":0,"brokerEpoch":11}
```
Whatever a crash or an editor has done to a file, parsing it raises CorruptFileError and nothing else.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from kafkapy_wire.uuid import Uuid, parse_uuid, uuid_text

LEADER_EPOCH_CHECKPOINT: Final = "leader-epoch-checkpoint"
PARTITION_METADATA: Final = "partition.metadata"
META_PROPERTIES: Final = "meta.properties"
CLEAN_SHUTDOWN: Final = ".kafka_cleanshutdown"
RECOVERY_POINT_CHECKPOINT: Final = "recovery-point-offset-checkpoint"
LOG_START_OFFSET_CHECKPOINT: Final = "log-start-offset-checkpoint"
REPLICATION_CHECKPOINT: Final = "replication-offset-checkpoint"
CLEANER_CHECKPOINT: Final = "cleaner-offset-checkpoint"

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1

_CHECKPOINT_VERSION: Final = 0
_DIGITS_MAX: Final = 19


class CorruptFileError(Exception):
    """A file's content is not what its format says."""


class TopicPartition(NamedTuple):
    """A partition by name, as in checkpoint files and directory names."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


def offset_checkpoint(offsets: Mapping[TopicPartition, int]) -> bytes:
    """The content of an `*-offset-checkpoint` file."""
    return _checkpoint(f"{topic} {partition} {offset}" for (topic, partition), offset in offsets.items())


def parse_offset_checkpoint(data: bytes) -> dict[TopicPartition, int]:
    """Raises CorruptFileError. An empty file, as Kafka creates it, has no entries."""
    offsets = {}
    for entry in _checkpoint_entries(data):
        try:
            topic, partition, offset = entry.split(" ")
            offsets[TopicPartition(topic, _number(partition))] = _number(offset)
        except ValueError:
            raise CorruptFileError(f"offset checkpoint has the line {entry[:80]!r}") from None
    return offsets


def leader_epoch_checkpoint(entries: Iterable[tuple[int, int]]) -> bytes:
    """The content of `leader-epoch-checkpoint` for (epoch, start offset) pairs."""
    return _checkpoint(f"{epoch} {start_offset}" for epoch, start_offset in entries)


def parse_leader_epoch_checkpoint(data: bytes) -> list[tuple[int, int]]:
    """(epoch, start offset) pairs, both ascending. Raises CorruptFileError."""
    entries: list[tuple[int, int]] = []
    for line in _checkpoint_entries(data):
        try:
            epoch, start_offset = map(_number, line.split(" "))
        except ValueError:
            raise CorruptFileError(f"leader epoch checkpoint has the line {line[:80]!r}") from None
        if epoch > INT32_MAX or (entries and (epoch <= entries[-1][0] or start_offset <= entries[-1][1])):
            raise CorruptFileError(f"leader epoch checkpoint is out of order at {line!r}")
        entries.append((epoch, start_offset))
    return entries


def partition_metadata(topic_id: Uuid) -> bytes:
    """The content of `partition.metadata`."""
    return f"version: 0\ntopic_id: {uuid_text(topic_id)}".encode()


def parse_partition_metadata(data: bytes) -> Uuid:
    """The topic id. Raises CorruptFileError."""
    try:
        fields = dict(line.split(": ", 1) for line in data.decode().splitlines() if line.strip())
        if fields["version"].strip() != "0":
            raise CorruptFileError(f"partition.metadata has version {fields['version'][:80]}")
        return parse_uuid(fields["topic_id"].strip())
    except (ValueError, KeyError):
        raise CorruptFileError(f"partition.metadata has the content {data[:80]!r}") from None


def properties(values: Mapping[str, str]) -> bytes:
    """Java properties; keys and values are plain words here, so nothing is escaped."""
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()


def parse_properties(data: bytes) -> dict[str, str]:
    """The part of Java's properties format that meta.properties uses. Raises CorruptFileError."""
    values = {}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise CorruptFileError("properties are not UTF-8 text") from None
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#!":
            continue
        key, equals, value = stripped.partition("=")
        if not equals:
            raise CorruptFileError(f"properties have the line {line[:80]!r}")
        values[key.strip()] = value.strip().replace("\\:", ":").replace("\\=", "=")
    return values


def clean_shutdown_marker(broker_epoch: int) -> bytes:
    """The content of `.kafka_cleanshutdown` (KIP-966: a broker proves with its epoch that it lost nothing)."""
    return f'{{"version":0,"brokerEpoch":{broker_epoch}}}'.encode()


def parse_clean_shutdown_marker(data: bytes) -> int:
    """The broker epoch, -1 if the content cannot be read: the presence of the file means a clean stop."""
    import json  # only with a marker of a former run: keeps the first start short

    try:
        content = json.loads(data)
        broker_epoch = int(content["brokerEpoch"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return -1
    return broker_epoch if 0 <= broker_epoch <= INT64_MAX else -1


def _checkpoint(entries: Iterable[str]) -> bytes:
    lines = list(entries)
    return "\n".join([str(_CHECKPOINT_VERSION), str(len(lines)), *lines, ""]).encode()


def _checkpoint_entries(data: bytes) -> list[str]:
    if not data:
        return []
    try:
        version, count, *entries = data.decode().splitlines()
        if _number(version) != _CHECKPOINT_VERSION or _number(count) != len(entries):
            raise CorruptFileError(f"checkpoint of version {version} has {len(entries)} of {count} entries")
    except ValueError:
        raise CorruptFileError(f"checkpoint begins with {data[:20]!r}") from None
    return entries


def _number(text: str) -> int:
    """Raises ValueError: not the digits of a number from 0 to 2^63-1."""
    if len(text) > _DIGITS_MAX or not (text.isascii() and text.isdecimal()) or (number := int(text)) > INT64_MAX:
        raise ValueError(f"not a number: {text[:40]!r}")
    return number
