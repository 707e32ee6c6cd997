"""Metadata records as the values of `__cluster_metadata-0`'s records, and which version of each is written.

A value is a frame: unsigned varint frame version (1), unsigned varint record type, unsigned varint record version, then
the record. Keys are null. Which versions may be written depends on the finalized level of metadata.version, since every
node of the cluster must be able to read them.
"""

from functools import cache
from typing import get_args

from kafkapy_wire.codec import decode, encoder
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.record_formats import metadata as m

MetadataRecord = (
    m.AbortTransactionRecord
    | m.AccessControlEntryRecord
    | m.BeginTransactionRecord
    | m.BrokerRegistrationChangeRecord
    | m.ClearElrRecord
    | m.ClientQuotaRecord
    | m.ConfigRecord
    | m.DelegationTokenRecord
    | m.EndTransactionRecord
    | m.FeatureLevelRecord
    | m.FenceBrokerRecord
    | m.NoOpRecord
    | m.PartitionChangeRecord
    | m.PartitionRecord
    | m.ProducerIdsRecord
    | m.RegisterBrokerRecord
    | m.RegisterControllerRecord
    | m.RemoveAccessControlEntryRecord
    | m.RemoveDelegationTokenRecord
    | m.RemoveTopicRecord
    | m.RemoveUserScramCredentialRecord
    | m.TopicRecord
    | m.UnfenceBrokerRecord
    | m.UnregisterBrokerRecord
    | m.UserScramCredentialRecord
    | m.ZkMigrationStateRecord
)

FRAME_VERSION = 1

RECORD_CLASSES: dict[int, type[MetadataRecord]] = {
    record_class.__schema__.api_key: record_class for record_class in get_args(MetadataRecord)
}

# Levels of metadata.version from which on a record version may be written.
LEVEL_3_4_IV0 = 8
LEVEL_3_7_IV2 = 17
LEVEL_4_0_IV1 = 23
LEVEL_4_3_IV0 = 30

# (level, version), highest first. All other records have version 0 only.
_VERSIONS_BY_LEVEL: dict[type[MetadataRecord], tuple[tuple[int, int], ...]] = {
    m.RegisterBrokerRecord: ((LEVEL_4_3_IV0, 4), (LEVEL_3_7_IV2, 3), (LEVEL_3_4_IV0, 2), (0, 1)),
    m.PartitionRecord: ((LEVEL_4_0_IV1, 2), (LEVEL_3_7_IV2, 1)),
    m.PartitionChangeRecord: ((LEVEL_4_0_IV1, 2), (LEVEL_3_7_IV2, 1)),
}


def record_version(record: MetadataRecord, metadata_version: int) -> int:
    """The version in which Apache Kafka writes `record` when metadata.version is at that level."""
    record_class = type(record)
    if record_class is m.BrokerRegistrationChangeRecord:
        assert isinstance(record, m.BrokerRegistrationChangeRecord)
        # The lowest that carries what the record says: fencing alone has always been written as version 0.
        if record.cordoned_log_dirs is not None:
            return 3
        return 2 if record.log_dirs else 1 if record.in_controlled_shutdown else 0
    return _version_at(record_class, metadata_version)


@cache
def _version_at(record_class: type[MetadataRecord], metadata_version: int) -> int:
    for level, version in _VERSIONS_BY_LEVEL.get(record_class, ()):
        if metadata_version >= level:
            return version
    return 0


def encode_metadata_record(record: MetadataRecord, metadata_version: int) -> bytes:
    record_class = type(record)
    version = record_version(record, metadata_version)
    out = bytearray(_frame(record_class, version))
    encoder(record_class, version)(record, out, None)
    return bytes(out)


@cache
def _frame(record_class: type[MetadataRecord], version: int) -> bytes:
    # Type and version stay below 128, so that each varint of the frame is one byte.
    return bytes((FRAME_VERSION, record_class.__schema__.api_key, version))


def decode_metadata_record(value: bytes) -> MetadataRecord:
    """The record in one frame. Raises MalformedMessage: not a frame, or a record type or version Kafka 4.3 lacks."""
    if len(value) < 3 or max(value[:3]) > 127:
        raise MalformedMessage(f"a metadata record of {len(value)} bytes has no frame header: {value[:3].hex()}")
    frame_version, record_type, version = value[:3]
    if frame_version != FRAME_VERSION:
        raise MalformedMessage(f"metadata record frame version {frame_version} is not {FRAME_VERSION}")
    record_class = RECORD_CLASSES.get(record_type)
    if record_class is None or version not in record_class.__schema__.valid_versions:
        raise MalformedMessage(f"metadata record type {record_type} version {version} is unknown")
    return decode(record_class, memoryview(value)[3:], version)
