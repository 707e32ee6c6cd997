"""Metadata records as the values of `__cluster_metadata-0`'s records, and which version of each is written.

A value is a frame: unsigned varint frame version (1), unsigned varint record type, unsigned varint record version, then
the record. Keys are null. Which versions may be written depends on the finalized level of metadata.version, since every
node of the cluster must be able to read them.
"""

from collections.abc import Mapping
from functools import cache
from typing import get_args

from kafkapy_controller.metadata_version import (
    BROKER_REGISTRATION_OF_MIGRATION,
    CONTROLLER_REGISTRATION,
    CONTROLLER_UNREGISTRATION,
    CORDONED_LOG_DIRS,
    DELEGATION_TOKENS,
    DIRECTORY_ASSIGNMENT,
    ELIGIBLE_LEADER_REPLICAS,
    METADATA_TRANSACTIONS,
    OLDEST_METADATA_VERSION,
    SCRAM,
    level_name,
)
from kafkapy_wire.codec import decode, encoder
from kafkapy_wire.errors import MalformedMessage, UnsupportedVersion
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
    | m.UnregisterControllerRecord
    | m.UserScramCredentialRecord
    | m.ZkMigrationStateRecord
)

FRAME_VERSION = 1

ALWAYS = OLDEST_METADATA_VERSION

RECORD_CLASSES: dict[int, type[MetadataRecord]] = {
    record_class.__schema__.api_key: record_class for record_class in get_args(MetadataRecord)
}

RECORD_VERSIONS: Mapping[type[MetadataRecord], tuple[tuple[int, int], ...]] = {
    m.AbortTransactionRecord: ((METADATA_TRANSACTIONS, 0),),
    m.AccessControlEntryRecord: ((ALWAYS, 0),),
    m.BeginTransactionRecord: ((METADATA_TRANSACTIONS, 0),),
    m.BrokerRegistrationChangeRecord: ((ALWAYS, 1), (DIRECTORY_ASSIGNMENT, 2), (CORDONED_LOG_DIRS, 3)),
    m.ClearElrRecord: ((ELIGIBLE_LEADER_REPLICAS, 0),),
    m.ClientQuotaRecord: ((ALWAYS, 0),),
    m.ConfigRecord: ((ALWAYS, 0),),
    m.DelegationTokenRecord: ((DELEGATION_TOKENS, 0),),
    m.EndTransactionRecord: ((METADATA_TRANSACTIONS, 0),),
    m.FeatureLevelRecord: ((ALWAYS, 0),),
    m.FenceBrokerRecord: ((ALWAYS, 0),),
    m.NoOpRecord: ((ALWAYS, 0),),
    m.PartitionChangeRecord: ((ALWAYS, 0), (DIRECTORY_ASSIGNMENT, 1), (ELIGIBLE_LEADER_REPLICAS, 2)),
    m.PartitionRecord: ((ALWAYS, 0), (DIRECTORY_ASSIGNMENT, 1), (ELIGIBLE_LEADER_REPLICAS, 2)),
    m.ProducerIdsRecord: ((ALWAYS, 0),),
    m.RegisterBrokerRecord: (
        (ALWAYS, 1),
        (BROKER_REGISTRATION_OF_MIGRATION, 2),
        (DIRECTORY_ASSIGNMENT, 3),
        (CORDONED_LOG_DIRS, 4),
    ),
    m.RegisterControllerRecord: ((CONTROLLER_REGISTRATION, 0),),
    m.RemoveAccessControlEntryRecord: ((ALWAYS, 0),),
    m.RemoveDelegationTokenRecord: ((DELEGATION_TOKENS, 0),),
    m.RemoveTopicRecord: ((ALWAYS, 0),),
    m.RemoveUserScramCredentialRecord: ((SCRAM, 0),),
    m.TopicRecord: ((ALWAYS, 0),),
    m.UnfenceBrokerRecord: ((ALWAYS, 0),),
    m.UnregisterBrokerRecord: ((ALWAYS, 0),),
    m.UnregisterControllerRecord: ((CONTROLLER_UNREGISTRATION, 0),),
    m.UserScramCredentialRecord: ((SCRAM, 0),),
    m.ZkMigrationStateRecord: ((BROKER_REGISTRATION_OF_MIGRATION, 0),),
}
"""Of each record, ascending: (level of metadata.version, version that is written from there on).

Below the first level the record does not exist. Of a BrokerRegistrationChangeRecord it is the highest that may be
written, see `record_version`.
"""


def record_version(record: MetadataRecord, metadata_version: int) -> int:
    """The version in which Apache Kafka writes `record` when metadata.version is at that level.

    Raises UnsupportedVersion: the level has no such record. Decisions must check the level before.
    """
    version = _version_at(type(record), metadata_version)
    if isinstance(record, m.BrokerRegistrationChangeRecord):
        # The lowest version that has all fields that are set: fencing alone has always been written as version 0.
        if record.cordoned_log_dirs is not None:
            return min(version, 3)
        return min(version, 2 if record.log_dirs else 1 if record.in_controlled_shutdown else 0)
    return version


@cache
def _version_at(record_class: type[MetadataRecord], metadata_version: int) -> int:
    versions = [version for level, version in RECORD_VERSIONS[record_class] if metadata_version >= level]
    if not versions:
        raise UnsupportedVersion(
            f"metadata.version {level_name(metadata_version)} has no {record_class.__name__}, which comes with "
            f"{level_name(RECORD_VERSIONS[record_class][0][0])}"
        )
    return versions[-1]


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
    """The record in one frame. Raises MalformedMessage: not a frame, or a record type or version Kafka 4.4 lacks."""
    if len(value) < 3 or max(value[:3]) > 127:
        raise MalformedMessage(f"a metadata record of {len(value)} bytes has no frame header: {value[:3].hex()}")
    frame_version, record_type, version = value[:3]
    if frame_version != FRAME_VERSION:
        raise MalformedMessage(f"metadata record frame version {frame_version} is not {FRAME_VERSION}")
    record_class = RECORD_CLASSES.get(record_type)
    if record_class is None or version not in record_class.__schema__.valid_versions:
        raise MalformedMessage(f"metadata record type {record_type} version {version} is unknown")
    return decode(record_class, memoryview(value)[3:], version)
