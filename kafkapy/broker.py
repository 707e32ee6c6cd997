"""What a request handler may use: the parts of a running node, and those of its broker.

`node.py` builds them once all parts exist, so no handler ever sees a partly built broker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kafkapy.loggers import Loggers

if TYPE_CHECKING:
    from kafkapy.clock import Clock
    from kafkapy.coordinators.group import GroupCoordinator
    from kafkapy.coordinators.share import ShareCoordinator
    from kafkapy.coordinators.transaction import MarkerWriter, PartitionEnlister, TransactionCoordinator
    from kafkapy.fetching.sessions import FetchSessionCache
    from kafkapy.metadata.metadata_log import MetadataLog
    from kafkapy.metadata.new_topics import NewTopics
    from kafkapy.metadata.ports import Controller
    from kafkapy.metadata.producer_ids import ProducerIds
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.metadata.refused_topics import RefusedTopics
    from kafkapy.partitions.checkpoints import Checkpoints
    from kafkapy.partitions.disk_watch import DiskWatch
    from kafkapy.partitions.flushing import Flusher
    from kafkapy.partitions.manager import PartitionManager
    from kafkapy.peers.channel import ControllerChannel
    from kafkapy.quotas.client_quotas import ClientQuotas
    from kafkapy.releases import ApiLimits
    from kafkapy.replication import Replication
    from kafkapy.security.authorizer import StandardAuthorizer
    from kafkapy.security.delegation_tokens import DelegationTokens
    from kafkapy.settings.current import CurrentSettings
    from kafkapy.sharing.sharing import Sharing
    from kafkapy.strictness import Strictness
    from kafkapy.telemetry.client_metrics import ClientMetrics
    from kafkapy.told_clients import ToldClients
    from kafkapy_log import LogDirectories


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """References to the parts of every node, whatever its roles. Each part owns its state."""

    node_id: int
    cluster_id: str
    clock: Clock
    settings: CurrentSettings
    metadata: MetadataPublisher
    controller: Controller
    """Active while this node leads the quorum; otherwise it refuses everything with NOT_CONTROLLER."""
    quorum: MetadataLog
    loggers: Loggers = field(default_factory=Loggers)
    quotas: ClientQuotas
    api_limits: ApiLimits | None = None
    """What clients may use at a broker's listeners, if that is less than it serves."""
    strictness: Strictness | None = None
    """Where the broker is no kinder than Apache Kafka; None: nowhere."""
    authorizer: StandardAuthorizer | None = None
    """None: every client may do everything."""
    tokens: DelegationTokens | None = None
    """None: there are no delegation tokens, as there is no secret key for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker(NodeParts):
    """References to the parts of one broker."""

    to_controller: ControllerChannel
    partitions: PartitionManager
    directories: LogDirectories
    checkpoints: Checkpoints
    flusher: Flusher
    disk: DiskWatch
    client_metrics: ClientMetrics
    fetch_sessions: FetchSessionCache
    replication: Replication
    groups: GroupCoordinator
    transactions: TransactionCoordinator
    share_coordinator: ShareCoordinator
    sharing: Sharing
    enlister: PartitionEnlister
    markers: MarkerWriter
    producer_ids: ProducerIds
    new_topics: NewTopics | None = None
    """Topics that clients are not told of yet, if there are any such."""
    told_clients: ToldClients
    """Who may not reach the address that this broker advertises."""
    refused_topics: RefusedTopics
