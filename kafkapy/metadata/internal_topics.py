"""The topics of the coordinators: how many partitions and which settings each is made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy_wire.messages.create_topics import CreatableTopic, CreatableTopicConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.settings import Settings


def topic_to_create(name: str, settings: Settings) -> CreatableTopic:
    """What to ask of the controller for a topic that someone needs; -1 is the controller's default."""
    match name:
        case "__consumer_offsets":
            groups = settings.groups
            return _topic(
                name,
                groups.offsets_topic_num_partitions,
                groups.offsets_topic_replication_factor,
                {
                    "cleanup.policy": "compact",
                    "compression.type": "producer",
                    "segment.bytes": str(groups.offsets_topic_segment_bytes),
                },
            )
        case "__transaction_state":
            transactions = settings.transactions
            return _topic(
                name,
                transactions.transaction_state_log_num_partitions,
                transactions.transaction_state_log_replication_factor,
                {
                    "cleanup.policy": "compact",
                    "compression.type": "uncompressed",
                    "min.insync.replicas": str(transactions.transaction_state_log_min_isr),
                    "segment.bytes": str(transactions.transaction_state_log_segment_bytes),
                    "unclean.leader.election.enable": "false",
                },
            )
        case "__share_group_state":
            share = settings.share
            return _topic(
                name,
                share.share_coordinator_state_topic_num_partitions,
                share.share_coordinator_state_topic_replication_factor,
                {
                    "cleanup.policy": "delete",
                    "compression.type": "producer",
                    "min.insync.replicas": str(share.share_coordinator_state_topic_min_isr),
                    "retention.ms": "-1",
                    "segment.bytes": str(share.share_coordinator_state_topic_segment_bytes),
                },
            )
    return _topic(name, -1, -1, {})


def _topic(name: str, partition_count: int, replication_factor: int, configs: Mapping[str, str]) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partition_count,
        replication_factor=replication_factor,
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
    )
