"""The cluster's metadata at one offset of `__cluster_metadata-0`: immutable, and all that a handler reads.

An image is made by replaying metadata records (`kafkapy_controller.delta`); two replicas that replayed the same records
have equal images. After each wait, code must get the newest image again.

The parts are named tuples and not dataclasses: a cluster has partitions by the thousand, a tuple is built three times
as fast, and the classes cost a fifth at import.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from kafkapy_controller.metadata_version import METADATA_VERSION
from kafkapy_controller.topic_names import INTERNAL_TOPICS
from kafkapy_wire.uuid import ZERO_UUID, Uuid

if TYPE_CHECKING:
    from kafkapy_controller.acl import Acl
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_wire.record_formats.metadata import DelegationTokenRecord, UserScramCredentialRecord

NO_LEADER = -1

# KIP-858: reserved values of a replica's directory id.
MIGRATING_DIRECTORY = ZERO_UUID
"""Not known: the replica was placed before directories had ids."""
UNASSIGNED_DIRECTORY = Uuid(bytes(15) + b"\x01")
"""The broker has yet to choose one."""
LOST_DIRECTORY = Uuid(bytes(15) + b"\x02")
"""The directory has failed."""


class ConfigResourceType(IntEnum):
    """The resource types of settings, as ConfigRecord and the config APIs number them."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class LeaderRecoveryState(IntEnum):
    """Whether a partition's leader has yet to recover from an unclean election (KIP-704)."""

    RECOVERED = 0
    RECOVERING = 1


class PartitionImage(NamedTuple):
    """One partition. Its index is its place in `TopicImage.partitions`."""

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int = NO_LEADER
    leader_epoch: int = 0
    partition_epoch: int = 0
    directories: tuple[Uuid, ...] = ()
    """The log directory of each replica, in the order of `replicas` (KIP-858)."""
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    leader_recovery_state: int = LeaderRecoveryState.RECOVERED
    eligible_leader_replicas: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()


class TopicImage(NamedTuple):
    name: str
    topic_id: Uuid
    partitions: tuple[PartitionImage, ...]

    @property
    def is_internal(self) -> bool:
        return self.name in INTERNAL_TOPICS


class Endpoint(NamedTuple):
    """The advertised host and port of one listener of a node, from its registration."""

    name: str
    host: str
    port: int
    security_protocol: int
    """0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL."""


class BrokerImage(NamedTuple):
    """One registration of a broker. A broker that restarts registers again with a higher `epoch`."""

    broker_id: int
    epoch: int
    incarnation_id: Uuid
    endpoints: Mapping[str, Endpoint]
    """By listener name."""
    features: Mapping[str, tuple[int, int]]
    """Feature name to (lowest, highest) supported level."""
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    log_dirs: tuple[Uuid, ...] = ()
    cordoned_log_dirs: tuple[Uuid, ...] | None = None

    @property
    def is_active(self) -> bool:
        """Whether it may lead partitions and be in sync: it is unfenced and does not stop."""
        return not (self.fenced or self.in_controlled_shutdown)

    @property
    def has_room(self) -> bool:
        """Whether a log directory of it is not cordoned (KIP-1066), so that it takes new replicas."""
        return not self.log_dirs or not set(self.log_dirs) <= set(self.cordoned_log_dirs or ())

    def has_online(self, directory: Uuid) -> bool:
        """Whether a replica in that log directory can serve."""
        if directory == LOST_DIRECTORY:
            return False
        # Only a directory that is named can be missing; the reserved ids below 100 (KIP-858) name none.
        return not self.log_dirs or directory[:15] == bytes(15) or directory in self.log_dirs


class ControllerImage(NamedTuple):
    controller_id: int
    incarnation_id: Uuid
    endpoints: Mapping[str, Endpoint]
    features: Mapping[str, tuple[int, int]]
    zk_migration_ready: bool = False


ConfigResource = tuple[int, str]
"""(ConfigResourceType, name); the name of the cluster's default broker settings is empty."""

_NO_CONFIGS: Mapping[str, str] = {}

QuotaEntity = tuple[tuple[str, str | None], ...]
"""Sorted ("user" | "client-id" | "ip", name) pairs; None is the default entity."""


class MetadataImage(NamedTuple):
    offset: int = -1
    """Of the last record replayed; -1 when there is none."""
    epoch: int = 0
    """The quorum's epoch of that record."""
    topics: Mapping[str, TopicImage] = {}
    topics_by_id: Mapping[Uuid, TopicImage] = {}
    names_by_metric_name: Mapping[str, tuple[str, ...]] = {}
    """The names of topics that metrics write alike; see `topic_names.metric_name`."""
    brokers: Mapping[int, BrokerImage] = {}
    controllers: Mapping[int, ControllerImage] = {}
    configs: Mapping[ConfigResource, Mapping[str, str]] = {}
    features: Mapping[str, int] = {}
    """Finalized levels, metadata.version among them. A feature at level 0 is absent."""
    kraft_version: int = 0
    """The quorum's feature level, which control records say: from 1 on the log says who votes (KIP-853)."""
    next_producer_id: int = 0
    """First id of the next block of producer ids."""
    client_quotas: Mapping[QuotaEntity, Mapping[str, float]] = {}
    scram_credentials: Mapping[tuple[str, int], UserScramCredentialRecord] = {}
    """By (user, mechanism)."""
    acls: Mapping[Uuid, Acl] = {}
    delegation_tokens: Mapping[str, DelegationTokenRecord] = {}
    zk_migration_state: int = 0
    open_transaction: tuple[MetadataRecord, ...] | None = None
    """Records since a BeginTransactionRecord (KIP-868); they count when its EndTransactionRecord comes."""

    @property
    def metadata_version(self) -> int:
        """The finalized level of metadata.version (33 is 4.4-IV2), 0 before the first record says it."""
        return self.features.get(METADATA_VERSION, 0)

    def resource_configs(self, resource_type: int, name: str) -> Mapping[str, str]:
        """The settings of one resource; empty if it has none."""
        return self.configs.get((resource_type, name), _NO_CONFIGS)

    def unfenced_brokers(self) -> list[BrokerImage]:
        """The brokers in answers to clients, ordered by id."""
        return [broker for _, broker in sorted(self.brokers.items()) if not broker.fenced]

    def is_online(self, broker_id: int, directory: Uuid = MIGRATING_DIRECTORY) -> bool:
        """Whether the broker is unfenced and the directory online, so that the replica can serve."""
        broker = self.brokers.get(broker_id)
        return broker is not None and not broker.fenced and broker.has_online(directory)


EMPTY_IMAGE = MetadataImage()
