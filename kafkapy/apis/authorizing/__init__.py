"""What each API asks the authorizer, and what becomes of a request that may not do all of it. Used where there is one.

A rule stands before the handler of its API: `rule(served, request, context)`. It raises KafkaError if the client may do
nothing of the request; else it has the handler do what is allowed, and adds errors for the rest to the answer. The
resources and operations are those that Apache Kafka 4.4.0 checks, in its order.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final

from kafkapy_wire.api_keys import ApiKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkapy.apis.served import Api

__all__ = ["OWN", "RULES", "authorize"]

RULES: Final[Mapping[ApiKey, str]] = {
    ApiKey.PRODUCE: "topics.produce",
    ApiKey.LIST_OFFSETS: "topics.list_offsets",
    ApiKey.METADATA: "metadata.metadata",
    ApiKey.OFFSET_COMMIT: "groups.offset_commit",
    ApiKey.OFFSET_FETCH: "offset_fetch.offset_fetch",
    ApiKey.FIND_COORDINATOR: "groups.find_coordinator",
    ApiKey.JOIN_GROUP: "groups.join_group",
    ApiKey.HEARTBEAT: "groups.of_a_member",
    ApiKey.LEAVE_GROUP: "groups.of_a_member",
    ApiKey.SYNC_GROUP: "groups.sync_group",
    ApiKey.DESCRIBE_GROUPS: "groups.describe_groups",
    ApiKey.LIST_GROUPS: "groups.list_groups",
    ApiKey.CREATE_TOPICS: "topics.create_topics",
    ApiKey.DELETE_TOPICS: "topics.delete_topics",
    ApiKey.DELETE_RECORDS: "topics.delete_records",
    ApiKey.INIT_PRODUCER_ID: "transactions.init_producer_id",
    ApiKey.OFFSET_FOR_LEADER_EPOCH: "topics.offset_for_leader_epoch",
    ApiKey.ADD_PARTITIONS_TO_TXN: "transactions.add_partitions_to_txn",
    ApiKey.ADD_OFFSETS_TO_TXN: "transactions.add_offsets_to_txn",
    ApiKey.END_TXN: "transactions.end_txn",
    ApiKey.WRITE_TXN_MARKERS: "transactions.write_txn_markers",
    ApiKey.TXN_OFFSET_COMMIT: "transactions.txn_offset_commit",
    ApiKey.DESCRIBE_CONFIGS: "configs.describe_configs",
    ApiKey.ALTER_CONFIGS: "configs.alter_configs",
    ApiKey.ALTER_REPLICA_LOG_DIRS: "cluster.alter",
    ApiKey.DESCRIBE_LOG_DIRS: "cluster.describe_log_dirs",
    ApiKey.CREATE_PARTITIONS: "topics.create_partitions",
    ApiKey.DELETE_GROUPS: "groups.delete_groups",
    ApiKey.ELECT_LEADERS: "cluster.elect_leaders",
    ApiKey.INCREMENTAL_ALTER_CONFIGS: "configs.alter_configs_incrementally",
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: "cluster.alter",
    ApiKey.LIST_PARTITION_REASSIGNMENTS: "cluster.describe",
    ApiKey.OFFSET_DELETE: "groups.offset_delete",
    ApiKey.DESCRIBE_CLIENT_QUOTAS: "cluster.describe_quotas",
    ApiKey.ALTER_CLIENT_QUOTAS: "cluster.alter_configs",
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: "cluster.describe_users",
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: "cluster.alter",
    ApiKey.DESCRIBE_QUORUM: "cluster.describe_quorum",
    ApiKey.UPDATE_FEATURES: "cluster.alter",
    ApiKey.DESCRIBE_CLUSTER: "cluster.describe_cluster",
    ApiKey.DESCRIBE_PRODUCERS: "topics.describe_producers",
    ApiKey.UNREGISTER_BROKER: "cluster.alter",
    ApiKey.DESCRIBE_TRANSACTIONS: "transactions.describe_transactions",
    ApiKey.LIST_TRANSACTIONS: "transactions.list_transactions",
    ApiKey.CONSUMER_GROUP_HEARTBEAT: "groups.of_a_subscriber",
    ApiKey.CONSUMER_GROUP_DESCRIBE: "groups.describe_subscribers",
    ApiKey.LIST_CONFIG_RESOURCES: "cluster.describe_configs",
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: "metadata.describe_topic_partitions",
    ApiKey.SHARE_GROUP_HEARTBEAT: "groups.of_a_subscriber",
    ApiKey.SHARE_GROUP_DESCRIBE: "groups.describe_subscribers",
    ApiKey.SHARE_FETCH: "groups.of_a_member",
    ApiKey.SHARE_ACKNOWLEDGE: "groups.of_a_member",
    ApiKey.STREAMS_GROUP_HEARTBEAT: "streams.heartbeat",
    ApiKey.STREAMS_GROUP_DESCRIBE: "streams.describe",
    ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE: "groups.of_a_member",
    ApiKey.ADD_RAFT_VOTER: "cluster.alter_voters",
    ApiKey.REMOVE_RAFT_VOTER: "cluster.alter_voters",
    ApiKey.INITIALIZE_SHARE_GROUP_STATE: "cluster.action",
    ApiKey.READ_SHARE_GROUP_STATE: "cluster.action",
    ApiKey.WRITE_SHARE_GROUP_STATE: "cluster.action",
    ApiKey.DELETE_SHARE_GROUP_STATE: "cluster.action",
    ApiKey.READ_SHARE_GROUP_STATE_SUMMARY: "cluster.action",
    ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS: "share_offsets.describe",
    ApiKey.ALTER_SHARE_GROUP_OFFSETS: "share_offsets.alter",
    ApiKey.DELETE_SHARE_GROUP_OFFSETS: "share_offsets.delete",
    ApiKey.UNREGISTER_CONTROLLER: "cluster.alter",
    # Between nodes.
    ApiKey.VOTE: "cluster.action",
    ApiKey.BEGIN_QUORUM_EPOCH: "cluster.action",
    ApiKey.END_QUORUM_EPOCH: "cluster.action",
    ApiKey.FETCH_SNAPSHOT: "cluster.action",
    ApiKey.UPDATE_RAFT_VOTER: "cluster.action",
    ApiKey.ENVELOPE: "cluster.action",
    ApiKey.ALTER_PARTITION: "cluster.action",
    ApiKey.BROKER_REGISTRATION: "cluster.action",
    ApiKey.BROKER_HEARTBEAT: "cluster.action",
    ApiKey.ALLOCATE_PRODUCER_IDS: "cluster.action",
    ApiKey.CONTROLLER_REGISTRATION: "cluster.register_controller",
    ApiKey.ASSIGN_REPLICAS_TO_DIRS: "cluster.action",
}
"""`<module>.<function>` of this package."""

AT_CONTROLLERS: Final[Mapping[ApiKey, str]] = {ApiKey.FETCH: "cluster.action"}
"""Another rule at the listeners of controllers: their Fetch is one of the quorum's."""

OWN: Final = frozenset(
    {
        ApiKey.FETCH,
        ApiKey.API_VERSIONS,
        ApiKey.SASL_HANDSHAKE,
        ApiKey.SASL_AUTHENTICATE,
        ApiKey.GET_TELEMETRY_SUBSCRIPTIONS,
        ApiKey.PUSH_TELEMETRY,
        ApiKey.DESCRIBE_ACLS,
        ApiKey.CREATE_ACLS,
        ApiKey.DELETE_ACLS,
        ApiKey.CREATE_DELEGATION_TOKEN,
        ApiKey.RENEW_DELEGATION_TOKEN,
        ApiKey.EXPIRE_DELEGATION_TOKEN,
        ApiKey.DESCRIBE_DELEGATION_TOKEN,
    }
)
"""APIs without a rule here: their handlers ask, or nobody has to. A Fetch is about all partitions of its session, and
the request names only some of those.
"""


def authorize(api: Api, *, at_controller: bool) -> None:
    """Put its rule before the handler of the API. `at_controller`: as it is served at a controller's listener."""
    name = (AT_CONTROLLERS if at_controller else {}).get(api.key) or RULES.get(api.key)
    if name is None:
        assert api.key in OWN, f"{api.key.name} has no rule"
        return
    module_name, _, function = name.partition(".")
    module = import_module(f"kafkapy.apis.authorizing.{module_name}")
    served = import_module("kafkapy.apis.authorizing.rule").Served(api.handle, api.error_response)
    api.handle = partial(getattr(module, function), served)
