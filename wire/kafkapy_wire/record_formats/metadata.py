"""Records of the metadata log `__cluster_metadata` (KRaft); `api_key` is the record type.

Written by `python -m kafkapy_wire.generate`: change that.
"""

from __future__ import annotations

from kafkapy_wire.message import Message, Struct, field
from kafkapy_wire.uuid import ZERO_UUID, Uuid


class AbortTransactionRecord(Message, api_key=25, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    reason: str | None = field("string", "0+", default=None, nullable="0+", tag=0, tagged="0+")


class AccessControlEntryRecord(Message, api_key=18, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    resource_type: int = field("int8", "0+", default=0)
    resource_name: str = field("string", "0+", default="")
    pattern_type: int = field("int8", "0+", default=0)
    principal: str = field("string", "0+", default="")
    host: str = field("string", "0+", default="")
    operation: int = field("int8", "0+", default=0)
    permission_type: int = field("int8", "0+", default=0)


class BeginTransactionRecord(Message, api_key=23, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    name: str | None = field("string", "0+", default=None, nullable="0+", tag=0, tagged="0+")


class BrokerRegistrationChangeRecord(Message, api_key=17, kind="metadata", versions="0-3", flexible="0+"):
    """Versions 0-3; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    broker_epoch: int = field("int64", "0+", default=0)
    fenced: int = field("int8", "0+", default=0, tag=0, tagged="0+")
    in_controlled_shutdown: int = field("int8", "1+", default=0, tag=1, tagged="1+")
    log_dirs: list[Uuid] = field(["uuid"], "2+", factory=list, tag=2, tagged="2+")
    cordoned_log_dirs: list[Uuid] | None = field(["uuid"], "3+", default=None, nullable="3+", tag=3, tagged="3+")


class ClearElrRecord(Message, api_key=28, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    topic_name: str = field("string", "0+", default="", entity="topicName")


class EntityData(Struct):
    """A struct of ClientQuotaRecord."""

    entity_type: str = field("string", "0+", default="")
    entity_name: str | None = field("string", "0+", default="", nullable="0+")


class ClientQuotaRecord(Message, api_key=14, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    entity: list[EntityData] = field([EntityData], "0+", factory=list)
    key: str = field("string", "0+", default="")
    value: float = field("float64", "0+", default=0.0)
    remove: bool = field("bool", "0+", default=False)


class ConfigRecord(Message, api_key=4, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    resource_type: int = field("int8", "0+", default=0)
    resource_name: str = field("string", "0+", default="")
    name: str = field("string", "0+", default="")
    value: str | None = field("string", "0+", default="", nullable="0+")


class DelegationTokenRecord(Message, api_key=10, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    owner: str = field("string", "0+", default="")
    requester: str = field("string", "0+", default="")
    renewers: list[str] = field(["string"], "0+", factory=list)
    issue_timestamp: int = field("int64", "0+", default=0)
    max_timestamp: int = field("int64", "0+", default=0)
    expiration_timestamp: int = field("int64", "0+", default=0)
    token_id: str = field("string", "0+", default="")


class EndTransactionRecord(Message, api_key=24, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""


class FeatureLevelRecord(Message, api_key=12, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    name: str = field("string", "0+", default="")
    feature_level: int = field("int16", "0+", default=0)


class FenceBrokerRecord(Message, api_key=7, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    id: int = field("int32", "0+", default=0, entity="brokerId")
    epoch: int = field("int64", "0+", default=0)


class NoOpRecord(Message, api_key=20, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""


class PartitionChangeRecord(Message, api_key=5, kind="metadata", versions="0-2", flexible="0+"):
    """Versions 0-2; 0+ flexible."""

    partition_id: int = field("int32", "0+", default=-1)
    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    isr: list[int] | None = field(["int32"], "0+", default=None, nullable="0+", tag=0, tagged="0+", entity="brokerId")
    leader: int = field("int32", "0+", default=-2, tag=1, tagged="0+", entity="brokerId")
    replicas: list[int] | None = field(
        ["int32"], "0+", default=None, nullable="0+", tag=2, tagged="0+", entity="brokerId"
    )
    removing_replicas: list[int] | None = field(
        ["int32"], "0+", default=None, nullable="0+", tag=3, tagged="0+", entity="brokerId"
    )
    adding_replicas: list[int] | None = field(
        ["int32"], "0+", default=None, nullable="0+", tag=4, tagged="0+", entity="brokerId"
    )
    leader_recovery_state: int = field("int8", "0+", default=-1, tag=5, tagged="0+")
    directories: list[Uuid] | None = field(["uuid"], "1+", default=None, nullable="1+", tag=8, tagged="1+")
    eligible_leader_replicas: list[int] | None = field(
        ["int32"], "2+", default=None, nullable="2+", tag=6, tagged="2+", entity="brokerId"
    )
    last_known_elr: list[int] | None = field(
        ["int32"], "2+", default=None, nullable="2+", tag=7, tagged="2+", entity="brokerId"
    )


class PartitionRecord(Message, api_key=3, kind="metadata", versions="0-2", flexible="0+"):
    """Versions 0-2; 0+ flexible."""

    partition_id: int = field("int32", "0+", default=-1)
    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    replicas: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    isr: list[int] = field(["int32"], "0+", factory=list)
    removing_replicas: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    adding_replicas: list[int] = field(["int32"], "0+", factory=list, entity="brokerId")
    leader: int = field("int32", "0+", default=-1, entity="brokerId")
    leader_recovery_state: int = field("int8", "0+", default=0, tag=0, tagged="0+")
    leader_epoch: int = field("int32", "0+", default=-1)
    partition_epoch: int = field("int32", "0+", default=-1)
    directories: list[Uuid] = field(["uuid"], "1+", factory=list)
    eligible_leader_replicas: list[int] | None = field(
        ["int32"], "2+", default=None, nullable="2+", tag=1, tagged="2+", entity="brokerId"
    )
    last_known_elr: list[int] | None = field(
        ["int32"], "2+", default=None, nullable="2+", tag=2, tagged="2+", entity="brokerId"
    )


class ProducerIdsRecord(Message, api_key=15, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    broker_epoch: int = field("int64", "0+", default=-1)
    next_producer_id: int = field("int64", "0+", default=0)


class BrokerEndpoint(Struct):
    """A struct of RegisterBrokerRecord."""

    name: str = field("string", "0+", default="", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)
    security_protocol: int = field("int16", "0+", default=0)


class BrokerFeature(Struct):
    """A struct of RegisterBrokerRecord."""

    name: str = field("string", "0+", default="", map_key=True)
    min_supported_version: int = field("int16", "0+", default=0)
    max_supported_version: int = field("int16", "0+", default=0)


class RegisterBrokerRecord(Message, api_key=0, kind="metadata", versions="0-4", flexible="0+"):
    """Versions 0-4; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    is_migrating_zk_broker: bool = field("bool", "2+", default=False)
    incarnation_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    broker_epoch: int = field("int64", "0+", default=0)
    end_points: list[BrokerEndpoint] = field([BrokerEndpoint], "0+", factory=list)
    features: list[BrokerFeature] = field([BrokerFeature], "0+", factory=list)
    rack: str | None = field("string", "0+", default="", nullable="0+")
    fenced: bool = field("bool", "0+", default=True)
    in_controlled_shutdown: bool = field("bool", "1+", default=False)
    log_dirs: list[Uuid] = field(["uuid"], "3+", factory=list, tag=0, tagged="3+")
    cordoned_log_dirs: list[Uuid] | None = field(["uuid"], "4+", default=None, nullable="4+", tag=1, tagged="4+")


class ControllerEndpoint(Struct):
    """A struct of RegisterControllerRecord."""

    name: str = field("string", "0+", default="", map_key=True)
    host: str = field("string", "0+", default="")
    port: int = field("uint16", "0+", default=0)
    security_protocol: int = field("int16", "0+", default=0)


class ControllerFeature(Struct):
    """A struct of RegisterControllerRecord."""

    name: str = field("string", "0+", default="", map_key=True)
    min_supported_version: int = field("int16", "0+", default=0)
    max_supported_version: int = field("int16", "0+", default=0)


class RegisterControllerRecord(Message, api_key=27, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    controller_id: int = field("int32", "0+", default=0)
    incarnation_id: Uuid = field("uuid", "0+", default=ZERO_UUID)
    zk_migration_ready: bool = field("bool", "0+", default=False)
    end_points: list[ControllerEndpoint] = field([ControllerEndpoint], "0+", factory=list)
    features: list[ControllerFeature] = field([ControllerFeature], "0+", factory=list)


class RemoveAccessControlEntryRecord(Message, api_key=19, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    id: Uuid = field("uuid", "0+", default=ZERO_UUID)


class RemoveDelegationTokenRecord(Message, api_key=26, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    token_id: str = field("string", "0+", default="")


class RemoveTopicRecord(Message, api_key=9, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)


class RemoveUserScramCredentialRecord(Message, api_key=22, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    name: str = field("string", "0+", default="")
    mechanism: int = field("int8", "0+", default=0)


class TopicRecord(Message, api_key=2, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    name: str = field("string", "0+", default="", entity="topicName")
    topic_id: Uuid = field("uuid", "0+", default=ZERO_UUID)


class UnfenceBrokerRecord(Message, api_key=8, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    id: int = field("int32", "0+", default=0, entity="brokerId")
    epoch: int = field("int64", "0+", default=0)


class UnregisterBrokerRecord(Message, api_key=1, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    broker_id: int = field("int32", "0+", default=0, entity="brokerId")
    broker_epoch: int = field("int64", "0+", default=0)


class UnregisterControllerRecord(Message, api_key=29, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    controller_id: int = field("int32", "0+", default=0)


class UserScramCredentialRecord(Message, api_key=11, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    name: str = field("string", "0+", default="")
    mechanism: int = field("int8", "0+", default=0)
    salt: bytes = field("bytes", "0+", default=b"")
    stored_key: bytes = field("bytes", "0+", default=b"")
    server_key: bytes = field("bytes", "0+", default=b"")
    iterations: int = field("int32", "0+", default=0)


class ZkMigrationStateRecord(Message, api_key=21, kind="metadata", versions="0", flexible="0+"):
    """Version 0; 0+ flexible."""

    zk_migration_state: int = field("int8", "0+", default=0)
