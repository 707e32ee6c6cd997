"""For each API of producers, administrators and share groups: requests, and the operations that their client needs."""

from __future__ import annotations

from compat_tests.differential.acl_numbers import AclOperation as Op
from compat_tests.differential.authorization import cluster, group, topic, transactional_id
from compat_tests.differential.authorization_requests import (
    ALL_CLUSTER,
    BOTH_TOPICS_DESCRIBE,
    BOTH_TOPICS_READ,
    BOTH_TOPICS_WRITE,
    EMPTY_GROUP,
    GROUP,
    MISSING,
    PRODUCER,
    SHARE_GROUP,
    A,
    B,
    Case,
    add_partitions,
    configs,
    plain,
    share_acknowledge,
    share_fetch,
    txn_offset_commit,
)
from kafkapy_wire.messages import add_offsets_to_txn as w_add_offsets
from kafkapy_wire.messages import add_partitions_to_txn as w_add_partitions
from kafkapy_wire.messages import alter_client_quotas as w_alter_quotas
from kafkapy_wire.messages import alter_configs as w_alter_configs
from kafkapy_wire.messages import alter_partition_reassignments as w_reassign
from kafkapy_wire.messages import alter_replica_log_dirs as w_log_dirs
from kafkapy_wire.messages import alter_share_group_offsets as w_alter_share
from kafkapy_wire.messages import alter_user_scram_credentials as w_scram
from kafkapy_wire.messages import consumer_group_describe as w_consumer_describe
from kafkapy_wire.messages import consumer_group_heartbeat as w_consumer_heartbeat
from kafkapy_wire.messages import create_acls as w_create_acls
from kafkapy_wire.messages import create_partitions as w_partitions
from kafkapy_wire.messages import delete_acls as w_delete_acls
from kafkapy_wire.messages import delete_groups as w_delete_groups
from kafkapy_wire.messages import delete_share_group_offsets as w_delete_share
from kafkapy_wire.messages import describe_acls as w_describe_acls
from kafkapy_wire.messages import describe_client_quotas as w_quotas
from kafkapy_wire.messages import describe_cluster as w_cluster
from kafkapy_wire.messages import describe_configs as w_configs
from kafkapy_wire.messages import describe_log_dirs as w_describe_log_dirs
from kafkapy_wire.messages import describe_producers as w_producers
from kafkapy_wire.messages import describe_quorum as w_quorum
from kafkapy_wire.messages import describe_share_group_offsets as w_describe_share
from kafkapy_wire.messages import describe_topic_partitions as w_topic_partitions
from kafkapy_wire.messages import describe_transactions as w_transactions
from kafkapy_wire.messages import describe_user_scram_credentials as w_describe_scram
from kafkapy_wire.messages import elect_leaders as w_elect
from kafkapy_wire.messages import end_txn as w_end
from kafkapy_wire.messages import incremental_alter_configs as w_incremental
from kafkapy_wire.messages import init_producer_id as w_init
from kafkapy_wire.messages import list_config_resources as w_resources
from kafkapy_wire.messages import list_partition_reassignments as w_reassignments
from kafkapy_wire.messages import list_transactions as w_list_transactions
from kafkapy_wire.messages import offset_delete as w_offset_delete
from kafkapy_wire.messages import offset_for_leader_epoch as w_epochs
from kafkapy_wire.messages import read_share_group_state as w_share_state
from kafkapy_wire.messages import share_acknowledge as w_acknowledge
from kafkapy_wire.messages import share_fetch as w_share_fetch
from kafkapy_wire.messages import share_group_describe as w_share_describe
from kafkapy_wire.messages import share_group_heartbeat as w_share_heartbeat
from kafkapy_wire.messages import streams_group_describe as w_streams_describe
from kafkapy_wire.messages import streams_group_heartbeat as w_streams
from kafkapy_wire.messages import streams_group_topology_description_update as w_topology
from kafkapy_wire.messages import txn_offset_commit as w_txn_commit
from kafkapy_wire.messages import unregister_broker as w_unregister
from kafkapy_wire.messages import update_features as w_features
from kafkapy_wire.messages import write_txn_markers as w_markers

MORE_CASES: tuple[Case, ...] = (
    plain(
        "init producer id",
        w_init.InitProducerIdRequest,
        cluster(Op.IDEMPOTENT_WRITE),
        topic(Op.WRITE, "auth-any"),
        topic(Op.READ, A),
        transactional_id=None,
        transaction_timeout_ms=1_000,
        producer_id=-1,
        producer_epoch=-1,
    ),
    plain(
        "init producer id of a transaction",
        w_init.InitProducerIdRequest,
        transactional_id(Op.WRITE, "auth-init"),
        cluster(Op.IDEMPOTENT_WRITE),
        transactional_id="auth-init",
        transaction_timeout_ms=1_000_000_000,
        producer_id=-1,
        producer_epoch=-1,
    ),
    Case(
        "offset for leader epoch",
        w_epochs.OffsetForLeaderEpochRequest,
        lambda version, _p: w_epochs.OffsetForLeaderEpochRequest(
            replica_id=-1 if version >= 3 else -2,
            topics=[
                w_epochs.OffsetForLeaderTopic(
                    topic=name, partitions=[w_epochs.OffsetForLeaderPartition(partition=0, leader_epoch=0)]
                )
                for name in (A, B, MISSING)
            ],
        ),
        (cluster(Op.CLUSTER_ACTION), topic(Op.DESCRIBE, A)),
    ),
    Case(
        "add partitions to a transaction",
        w_add_partitions.AddPartitionsToTxnRequest,
        add_partitions,
        (transactional_id(Op.WRITE, PRODUCER), *BOTH_TOPICS_WRITE),
        (0, 3),
    ),
    Case(
        "verify partitions in a transaction",
        w_add_partitions.AddPartitionsToTxnRequest,
        add_partitions,
        (cluster(Op.CLUSTER_ACTION),),
        (4, 5),
    ),
    plain(
        "add offsets to a transaction",
        w_add_offsets.AddOffsetsToTxnRequest,
        transactional_id(Op.WRITE, PRODUCER),
        group(Op.READ, GROUP),
        transactional_id=PRODUCER,
        producer_id=1_000_000,
        group_id=GROUP,
    ),
    plain(
        "end txn", w_end.EndTxnRequest, transactional_id(Op.WRITE, PRODUCER), transactional_id=PRODUCER, producer_id=9
    ),
    Case(
        "commit offsets in a transaction",
        w_txn_commit.TxnOffsetCommitRequest,
        txn_offset_commit,
        (transactional_id(Op.WRITE, PRODUCER), group(Op.READ, EMPTY_GROUP), *BOTH_TOPICS_READ),
    ),
    plain(
        "write txn markers",
        w_markers.WriteTxnMarkersRequest,
        cluster(Op.ALTER),
        cluster(Op.CLUSTER_ACTION),
        markers=[
            w_markers.WritableTxnMarker(
                producer_id=1,
                topics=[w_markers.WritableTxnMarkerTopic(name=MISSING, partition_indexes=[0])],
            )
        ],
    ),
    Case(
        "describe configs",
        w_configs.DescribeConfigsRequest,
        configs,
        (
            cluster(Op.DESCRIBE_CONFIGS),
            topic(Op.DESCRIBE_CONFIGS, A),
            topic(Op.ALTER_CONFIGS, B),
            group(Op.DESCRIBE_CONFIGS, GROUP),
        ),
    ),
    Case(
        "alter configs",
        w_alter_configs.AlterConfigsRequest,
        lambda _v, _p: w_alter_configs.AlterConfigsRequest(
            validate_only=True,
            resources=[
                w_alter_configs.AlterConfigsResource(resource_type=kind, resource_name=name, configs=[])
                for kind, name in ((2, A), (2, MISSING), (4, "1"), (8, "1"), (16, "metrics"), (32, GROUP), (99, "x"))
            ],
        ),
        (
            cluster(Op.ALTER_CONFIGS),
            topic(Op.ALTER_CONFIGS, A),
            topic(Op.ALTER_CONFIGS, MISSING),
            group(Op.ALTER_CONFIGS, GROUP),
        ),
    ),
    Case(
        "alter configs incrementally",
        w_incremental.IncrementalAlterConfigsRequest,
        lambda _v, _p: w_incremental.IncrementalAlterConfigsRequest(
            validate_only=True,
            resources=[
                w_incremental.AlterConfigsResource(resource_type=kind, resource_name=name, configs=[])
                for kind, name in ((2, A), (2, MISSING), (4, "1"), (8, "1"), (16, "metrics"), (32, GROUP))
            ],
        ),
        (
            cluster(Op.ALTER_CONFIGS),
            topic(Op.ALTER_CONFIGS, A),
            topic(Op.ALTER_CONFIGS, MISSING),
            group(Op.ALTER_CONFIGS, GROUP),
        ),
    ),
    plain(
        "alter replica log dirs",
        w_log_dirs.AlterReplicaLogDirsRequest,
        cluster(Op.ALTER),
        dirs=[
            w_log_dirs.AlterReplicaLogDir(
                path="/nowhere", topics=[w_log_dirs.AlterReplicaLogDirTopic(name=MISSING, partitions=[0])]
            )
        ],
    ),
    plain(
        "describe log dirs",
        w_describe_log_dirs.DescribeLogDirsRequest,
        cluster(Op.DESCRIBE),
        topics=[],
    ),
    plain(
        "create partitions",
        w_partitions.CreatePartitionsRequest,
        topic(Op.ALTER, A),
        topic(Op.ALTER, MISSING),
        validate_only=True,
        timeout_ms=5_000,
        topics=[w_partitions.CreatePartitionsTopic(name=name, count=5, assignments=None) for name in (A, B, MISSING)],
    ),
    plain(
        "delete groups",
        w_delete_groups.DeleteGroupsRequest,
        group(Op.DELETE, "auth-x"),
        group(Op.DELETE, "auth-y"),
        groups_names=["auth-x", "auth-y"],
    ),
    Case(
        "elect leaders",
        w_elect.ElectLeadersRequest,
        lambda _v, _p: w_elect.ElectLeadersRequest(
            topic_partitions=[w_elect.TopicPartitions(topic=A, partitions=[0])], timeout_ms=5_000
        ),
        (cluster(Op.ALTER),),
    ),
    plain(
        "reassign partitions",
        w_reassign.AlterPartitionReassignmentsRequest,
        cluster(Op.ALTER),
        timeout_ms=5_000,
        topics=[
            w_reassign.ReassignableTopic(
                name=MISSING, partitions=[w_reassign.ReassignablePartition(partition_index=0, replicas=[1])]
            )
        ],
    ),
    plain(
        "list reassignments", w_reassignments.ListPartitionReassignmentsRequest, cluster(Op.DESCRIBE), timeout_ms=5_000
    ),
    plain(
        "delete offsets",
        w_offset_delete.OffsetDeleteRequest,
        group(Op.DELETE, GROUP),
        *BOTH_TOPICS_READ,
        group_id=GROUP,
        topics=[
            w_offset_delete.OffsetDeleteRequestTopic(
                name=name, partitions=[w_offset_delete.OffsetDeleteRequestPartition(partition_index=9)]
            )
            for name in (A, B)
        ],
    ),
    plain("describe quotas", w_quotas.DescribeClientQuotasRequest, cluster(Op.DESCRIBE_CONFIGS)),
    plain(
        "alter quotas",
        w_alter_quotas.AlterClientQuotasRequest,
        cluster(Op.ALTER_CONFIGS),
        validate_only=True,
        entries=[
            w_alter_quotas.AlterClientQuotasRequestEntryData(
                entity=[w_alter_quotas.AlterClientQuotasRequestEntityData(entity_type="user", entity_name="a")],
                ops=[w_alter_quotas.OpData(key="producer_byte_rate", value=1.0)],
            )
        ],
    ),
    plain(
        "describe users",
        w_describe_scram.DescribeUserScramCredentialsRequest,
        cluster(Op.DESCRIBE),
        users=[w_describe_scram.UserName(name="auth-user")],
    ),
    plain(
        "alter users",
        w_scram.AlterUserScramCredentialsRequest,
        cluster(Op.ALTER),
        deletions=[w_scram.ScramCredentialDeletion(name="auth-user", mechanism=1)],
    ),
    plain(
        "describe acls",
        w_describe_acls.DescribeAclsRequest,
        cluster(Op.DESCRIBE),
        resource_type_filter=7,
        resource_name_filter="nobody",
        pattern_type_filter=1,
        principal_filter=None,
        host_filter=None,
        operation=1,
        permission_type=1,
    ),
    plain(
        "create acls",
        w_create_acls.CreateAclsRequest,
        cluster(Op.ALTER),
        creations=[
            w_create_acls.AclCreation(
                resource_type=3, resource_name="x", principal="nobody", host="*", operation=3, permission_type=3
            )
        ],
    ),
    plain(
        "delete acls",
        w_delete_acls.DeleteAclsRequest,
        cluster(Op.ALTER),
        filters=[
            w_delete_acls.DeleteAclsFilter(
                resource_type_filter=7,
                resource_name_filter="nobody",
                principal_filter=None,
                host_filter=None,
                operation=1,
                permission_type=1,
            )
        ],
    ),
    plain(
        "describe the quorum",
        w_quorum.DescribeQuorumRequest,
        cluster(Op.DESCRIBE),
        topics=[
            w_quorum.DescribeQuorumRequestTopicData(
                topic_name=A, partitions=[w_quorum.DescribeQuorumRequestPartitionData(partition_index=0)]
            )
        ],
    ),
    Case(
        "update features",
        w_features.UpdateFeaturesRequest,
        lambda version, _p: w_features.UpdateFeaturesRequest(
            validate_only=version >= 1,
            feature_updates=[w_features.FeatureUpdateKey(feature="no.such", max_version_level=1)],
        ),
        (cluster(Op.ALTER),),
    ),
    plain(
        "describe the cluster",
        w_cluster.DescribeClusterRequest,
        *(cluster(operation) for operation in ALL_CLUSTER),
        include_cluster_authorized_operations=True,
    ),
    plain(
        "describe producers",
        w_producers.DescribeProducersRequest,
        *BOTH_TOPICS_READ,
        topics=[w_producers.TopicRequest(name=name, partition_indexes=[0]) for name in (A, B, MISSING)],
    ),
    plain("unregister a broker", w_unregister.UnregisterBrokerRequest, cluster(Op.ALTER), broker_id=99),
    plain(
        "describe transactions",
        w_transactions.DescribeTransactionsRequest,
        transactional_id(Op.DESCRIBE, PRODUCER),
        topic(Op.DESCRIBE, A),
        transactional_ids=[PRODUCER, "auth-nobody"],
    ),
    plain("list transactions", w_list_transactions.ListTransactionsRequest, transactional_id(Op.DESCRIBE, PRODUCER)),
    plain(
        "consumer group heartbeat",
        w_consumer_heartbeat.ConsumerGroupHeartbeatRequest,
        group(Op.READ, "auth-new-group"),
        *BOTH_TOPICS_DESCRIBE,
        group_id="auth-new-group",
        member_id="stranger",
        member_epoch=5,
        subscribed_topic_names=[A, B],
    ),
    plain(
        "consumer group describe",
        w_consumer_describe.ConsumerGroupDescribeRequest,
        group(Op.DESCRIBE, "auth-new-group"),
        group(Op.DESCRIBE, GROUP),
        group_ids=["auth-new-group", GROUP],
        include_authorized_operations=True,
    ),
    plain("list config resources", w_resources.ListConfigResourcesRequest, cluster(Op.DESCRIBE_CONFIGS)),
    plain(
        "describe topic partitions",
        w_topic_partitions.DescribeTopicPartitionsRequest,
        *BOTH_TOPICS_DESCRIBE,
        topic(Op.READ, A),
        topic(Op.DESCRIBE, MISSING),
        topics=[w_topic_partitions.TopicRequest(name=name) for name in (A, B, MISSING)],
    ),
    plain(
        "describe partitions of all topics",
        w_topic_partitions.DescribeTopicPartitionsRequest,
        *BOTH_TOPICS_DESCRIBE,
        topics=[],
    ),
    plain(
        "share group heartbeat",
        w_share_heartbeat.ShareGroupHeartbeatRequest,
        group(Op.READ, SHARE_GROUP),
        *BOTH_TOPICS_DESCRIBE,
        group_id=SHARE_GROUP,
        member_id="stranger",
        member_epoch=5,
        subscribed_topic_names=[A, B],
    ),
    plain(
        "share group describe",
        w_share_describe.ShareGroupDescribeRequest,
        group(Op.DESCRIBE, SHARE_GROUP),
        group_ids=[SHARE_GROUP],
    ),
    Case(
        "share fetch",
        w_share_fetch.ShareFetchRequest,
        share_fetch,
        (group(Op.READ, SHARE_GROUP), *BOTH_TOPICS_READ),
        (2,),
    ),
    Case(
        "share acknowledge",
        w_acknowledge.ShareAcknowledgeRequest,
        share_acknowledge,
        (group(Op.READ, SHARE_GROUP), *BOTH_TOPICS_READ),
        (2,),
    ),
    plain(
        "read the state of share groups",
        w_share_state.ReadShareGroupStateRequest,
        cluster(Op.CLUSTER_ACTION),
        group_id="",
    ),
    plain(
        "describe share group offsets",
        w_describe_share.DescribeShareGroupOffsetsRequest,
        group(Op.DESCRIBE, SHARE_GROUP),
        *BOTH_TOPICS_DESCRIBE,
        groups=[
            w_describe_share.DescribeShareGroupOffsetsRequestGroup(
                group_id=SHARE_GROUP,
                topics=[
                    w_describe_share.DescribeShareGroupOffsetsRequestTopic(topic_name=name, partitions=[0])
                    for name in (A, B)
                ],
            )
        ],
    ),
    plain(
        "alter share group offsets",
        w_alter_share.AlterShareGroupOffsetsRequest,
        group(Op.READ, SHARE_GROUP),
        topic(Op.READ, MISSING),
        group_id=SHARE_GROUP,
        topics=[
            w_alter_share.AlterShareGroupOffsetsRequestTopic(
                topic_name=name,
                partitions=[w_alter_share.AlterShareGroupOffsetsRequestPartition(partition_index=0, start_offset=0)],
            )
            for name in (A, MISSING)
        ],
    ),
    plain(
        "delete share group offsets",
        w_delete_share.DeleteShareGroupOffsetsRequest,
        group(Op.DELETE, SHARE_GROUP),
        topic(Op.READ, MISSING),
        group_id=SHARE_GROUP,
        topics=[w_delete_share.DeleteShareGroupOffsetsRequestTopic(topic_name=name) for name in (A, MISSING)],
    ),
    Case(
        "streams group heartbeat",
        w_streams.StreamsGroupHeartbeatRequest,
        lambda _v, _p: w_streams.StreamsGroupHeartbeatRequest(
            group_id="auth-streams",
            member_id="stranger",
            member_epoch=0,
            rebalance_timeout_ms=10_000,
            process_id="process",
            topology=w_streams.Topology(
                epoch=1,
                subtopologies=[
                    w_streams.Subtopology(
                        subtopology_id="0",
                        source_topics=[A],
                        state_changelog_topics=[w_streams.TopicInfo(name="auth-streams-changelog")],
                    )
                ],
            ),
            active_tasks=[],
            standby_tasks=[],
            warmup_tasks=[],
        ),
        (
            group(Op.READ, "auth-streams"),
            topic(Op.DESCRIBE, A),
            topic(Op.DESCRIBE, "auth-streams-changelog"),
        ),
    ),
    plain(
        "streams group describe",
        w_streams_describe.StreamsGroupDescribeRequest,
        group(Op.DESCRIBE, "auth-streams"),
        topic(Op.DESCRIBE, "auth-streams-changelog"),
        topic(Op.DESCRIBE, A),
        group_ids=["auth-streams", GROUP],
        include_authorized_operations=True,
    ),
    plain(
        "describe the topology of a streams group",
        w_topology.StreamsGroupTopologyDescriptionUpdateRequest,
        group(Op.READ, "auth-streams"),
        group_id="auth-streams",
        member_id="nobody",
    ),
)
