"""Requests at a controller's own listener, which a client reaches that is no node: see `test_authorization.py`."""

from __future__ import annotations

from typing import Any

from compat_tests.differential.acl_numbers import AclOperation as Op
from compat_tests.differential.authorization import Allowed, cluster, topic
from compat_tests.differential.authorization_requests import ALL_CLUSTER, GROUP, MISSING, UNKNOWN_ID, A, Case, made
from kafkapy_wire.message import Message
from kafkapy_wire.messages import add_raft_voter as w_add_voter
from kafkapy_wire.messages import allocate_producer_ids as w_ids
from kafkapy_wire.messages import alter_client_quotas as w_quotas
from kafkapy_wire.messages import alter_configs as w_configs
from kafkapy_wire.messages import alter_partition as w_partition
from kafkapy_wire.messages import alter_partition_reassignments as w_reassign
from kafkapy_wire.messages import alter_user_scram_credentials as w_scram
from kafkapy_wire.messages import assign_replicas_to_dirs as w_dirs
from kafkapy_wire.messages import begin_quorum_epoch as w_begin
from kafkapy_wire.messages import broker_heartbeat as w_heartbeat
from kafkapy_wire.messages import broker_registration as w_registration
from kafkapy_wire.messages import controller_registration as w_controller
from kafkapy_wire.messages import create_acls as w_acls
from kafkapy_wire.messages import create_partitions as w_partitions
from kafkapy_wire.messages import create_topics as w_create
from kafkapy_wire.messages import delete_acls as w_delete_acls
from kafkapy_wire.messages import delete_topics as w_delete
from kafkapy_wire.messages import describe_acls as w_describe_acls
from kafkapy_wire.messages import describe_cluster as w_cluster
from kafkapy_wire.messages import describe_configs as w_describe_configs
from kafkapy_wire.messages import describe_quorum as w_quorum
from kafkapy_wire.messages import elect_leaders as w_elect
from kafkapy_wire.messages import end_quorum_epoch as w_end
from kafkapy_wire.messages import envelope as w_envelope
from kafkapy_wire.messages import fetch as w_fetch
from kafkapy_wire.messages import fetch_snapshot as w_snapshot
from kafkapy_wire.messages import incremental_alter_configs as w_incremental
from kafkapy_wire.messages import list_partition_reassignments as w_reassignments
from kafkapy_wire.messages import remove_raft_voter as w_remove_voter
from kafkapy_wire.messages import unregister_broker as w_unregister
from kafkapy_wire.messages import unregister_controller as w_unregister_controller
from kafkapy_wire.messages import update_features as w_features
from kafkapy_wire.messages import update_raft_voter as w_update_voter
from kafkapy_wire.messages import vote as w_vote

NOBODY = 99
ELSEWHERE = "another-cluster"


def _case(name: str, request: type[Message], *needs: Allowed, **fields: Any) -> Case:
    return Case(
        f"controller, {name}", request, lambda _version, _peer: made(request, **fields), needs, at_controller=True
    )


ACTION = cluster(Op.CLUSTER_ACTION)
ALTER = cluster(Op.ALTER)

CONTROLLER_CASES: tuple[Case, ...] = (
    _case("vote", w_vote.VoteRequest, ACTION, cluster_id=ELSEWHERE),
    _case("begin quorum epoch", w_begin.BeginQuorumEpochRequest, ACTION, cluster_id=ELSEWHERE),
    _case("end quorum epoch", w_end.EndQuorumEpochRequest, ACTION, cluster_id=ELSEWHERE),
    Case(
        "controller, fetch",
        w_fetch.FetchRequest,
        lambda version, _p: w_fetch.FetchRequest(
            cluster_id=ELSEWHERE if version >= 12 else None, max_wait_ms=0, session_epoch=-1
        ),
        (ACTION,),
        (17, 18),
        at_controller=True,
    ),
    _case("fetch a snapshot", w_snapshot.FetchSnapshotRequest, ACTION, cluster_id=ELSEWHERE),
    # Never with what it needs: Apache Kafka tells a node of another cluster who leads.
    _case("update a voter", w_update_voter.UpdateRaftVoterRequest, cluster_id=ELSEWHERE),
    _case("envelope", w_envelope.EnvelopeRequest, ACTION, request_data=b"\0" * 12, client_host_address=b"\x7f\0\0\x02"),
    _case("alter partition", w_partition.AlterPartitionRequest, ACTION, broker_id=NOBODY),
    _case("register a broker", w_registration.BrokerRegistrationRequest, ACTION, broker_id=NOBODY, cluster_id="x"),
    _case("broker heartbeat", w_heartbeat.BrokerHeartbeatRequest, ACTION, broker_id=NOBODY),
    _case("allocate producer ids", w_ids.AllocateProducerIdsRequest, ACTION, broker_id=NOBODY),
    _case("register a controller", w_controller.ControllerRegistrationRequest, ACTION, controller_id=NOBODY),
    _case("assign replicas", w_dirs.AssignReplicasToDirsRequest, ACTION, broker_id=NOBODY),
    _case("add a voter", w_add_voter.AddRaftVoterRequest, ALTER, cluster_id=ELSEWHERE, voter_id=NOBODY),
    _case("remove a voter", w_remove_voter.RemoveRaftVoterRequest, ALTER, cluster_id=ELSEWHERE, voter_id=NOBODY),
    _case("unregister a broker", w_unregister.UnregisterBrokerRequest, ALTER, broker_id=NOBODY),
    _case("unregister a controller", w_unregister_controller.UnregisterControllerRequest, ALTER, controller_id=NOBODY),
    Case(
        "controller, update features",
        w_features.UpdateFeaturesRequest,
        lambda version, _p: w_features.UpdateFeaturesRequest(
            validate_only=version >= 1,
            feature_updates=[w_features.FeatureUpdateKey(feature="no.such", max_version_level=1)],
        ),
        (ALTER,),
        at_controller=True,
    ),
    Case(
        "controller, describe the cluster",
        w_cluster.DescribeClusterRequest,
        lambda _v, _p: w_cluster.DescribeClusterRequest(include_cluster_authorized_operations=True, endpoint_type=2),
        tuple(cluster(operation) for operation in ALL_CLUSTER),
        (1, 2),
        at_controller=True,
    ),
    _case("describe brokers", w_cluster.DescribeClusterRequest, ALTER),
    _case("describe the quorum", w_quorum.DescribeQuorumRequest, cluster(Op.DESCRIBE)),
    _case(
        "describe configs",
        w_describe_configs.DescribeConfigsRequest,
        cluster(Op.DESCRIBE_CONFIGS),
        topic(Op.DESCRIBE_CONFIGS, MISSING),
        resources=[
            w_describe_configs.DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=[])
            for kind, name in ((2, MISSING), (4, "1"), (32, GROUP))
        ],
    ),
    _case(
        "alter configs",
        w_configs.AlterConfigsRequest,
        cluster(Op.ALTER_CONFIGS),
        topic(Op.ALTER_CONFIGS, MISSING),
        validate_only=True,
        resources=[
            w_configs.AlterConfigsResource(resource_type=kind, resource_name=name, configs=[])
            for kind, name in ((2, A), *[(2, MISSING)] * 3, (4, "1"), (8, "1"), (32, GROUP), (99, "x"))
        ],
    ),
    _case(
        "alter configs incrementally",
        w_incremental.IncrementalAlterConfigsRequest,
        cluster(Op.ALTER_CONFIGS),
        cluster(Op.CLUSTER_ACTION),
        topic(Op.ALTER_CONFIGS, MISSING),
        validate_only=True,
        resources=[
            w_incremental.AlterConfigsResource(resource_type=kind, resource_name=name, configs=[])
            for kind, name in (
                (2, A),
                (2, MISSING),
                (2, MISSING),
                (4, "1"),
                (8, "1"),
                (16, "x"),
                (32, GROUP),
                (99, "x"),
            )
        ],
    ),
    _case(
        "alter quotas",
        w_quotas.AlterClientQuotasRequest,
        cluster(Op.ALTER_CONFIGS),
        validate_only=True,
        entries=[
            w_quotas.AlterClientQuotasRequestEntryData(
                entity=[w_quotas.AlterClientQuotasRequestEntityData(entity_type="user", entity_name="a")],
                ops=[w_quotas.OpData(key="producer_byte_rate", value=1.0)],
            )
        ],
    ),
    _case(
        "alter users",
        w_scram.AlterUserScramCredentialsRequest,
        ALTER,
        deletions=[w_scram.ScramCredentialDeletion(name="auth-user", mechanism=1)],
    ),
    _case(
        "create acls",
        w_acls.CreateAclsRequest,
        ALTER,
        creations=[
            w_acls.AclCreation(
                resource_type=3, resource_name="x", principal="nobody", host="*", operation=3, permission_type=3
            )
        ],
    ),
    _case(
        "delete acls",
        w_delete_acls.DeleteAclsRequest,
        ALTER,
        filters=[
            w_delete_acls.DeleteAclsFilter(
                resource_type_filter=7, resource_name_filter="nobody", operation=1, permission_type=1
            )
        ],
    ),
    _case(
        "describe acls",
        w_describe_acls.DescribeAclsRequest,
        cluster(Op.DESCRIBE),
        resource_type_filter=7,
        resource_name_filter="nobody",
        operation=1,
        permission_type=1,
    ),
    _case(
        "create topics",
        w_create.CreateTopicsRequest,
        cluster(Op.CREATE),
        topic(Op.CREATE, "auth-new-1"),
        topic(Op.DESCRIBE_CONFIGS, "auth-new-1"),
        topics=[
            w_create.CreatableTopic(name=name, num_partitions=1, replication_factor=1)
            for name in ("auth-new-1", "auth-new-2", "auth-new-2", "__cluster_metadata", "not valid")
        ],
        timeout_ms=5_000,
        validate_only=True,
    ),
    Case(
        "controller, delete topics",
        w_delete.DeleteTopicsRequest,
        lambda version, _p: w_delete.DeleteTopicsRequest(
            timeout_ms=5_000,
            topic_names=[] if version >= 6 else [MISSING, "auth-not"],
            topics=[
                w_delete.DeleteTopicState(name=MISSING),
                w_delete.DeleteTopicState(name=None, topic_id=UNKNOWN_ID),
                w_delete.DeleteTopicState(name=None, topic_id=UNKNOWN_ID),
            ]
            if version >= 6
            else [],
        ),
        (cluster(Op.DELETE), topic(Op.DESCRIBE, MISSING), topic(Op.DELETE, MISSING)),
        (1, 5, 6),
        at_controller=True,
    ),
    _case(
        "create partitions",
        w_partitions.CreatePartitionsRequest,
        topic(Op.ALTER, MISSING),
        validate_only=True,
        timeout_ms=5_000,
        topics=[
            w_partitions.CreatePartitionsTopic(name=name, count=5, assignments=None) for name in (A, MISSING, "x", "x")
        ],
    ),
    _case(
        "elect leaders",
        w_elect.ElectLeadersRequest,
        ALTER,
        topic_partitions=[w_elect.TopicPartitions(topic=MISSING, partitions=[0])],
        timeout_ms=5_000,
    ),
    _case(
        "reassign partitions",
        w_reassign.AlterPartitionReassignmentsRequest,
        ALTER,
        timeout_ms=5_000,
        topics=[
            w_reassign.ReassignableTopic(
                name=MISSING, partitions=[w_reassign.ReassignablePartition(partition_index=0, replicas=[1])]
            )
        ],
    ),
    _case(
        "list reassignments",
        w_reassignments.ListPartitionReassignmentsRequest,
        cluster(Op.DESCRIBE),
        timeout_ms=5_000,
    ),
)
