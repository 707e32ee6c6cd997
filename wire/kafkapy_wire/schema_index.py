"""Where the class of each schema is, by the name of the schema's file.

Written by `python -m kafkapy_wire.generate`: change that.
"""

SCHEMA_CLASSES: dict[str, str] = {
    "messages/AbortedTxn": "messages.aborted_txn:AbortedTxn",
    "messages/AddOffsetsToTxnRequest": "messages.add_offsets_to_txn:AddOffsetsToTxnRequest",
    "messages/AddOffsetsToTxnResponse": "messages.add_offsets_to_txn:AddOffsetsToTxnResponse",
    "messages/AddPartitionsToTxnRequest": "messages.add_partitions_to_txn:AddPartitionsToTxnRequest",
    "messages/AddPartitionsToTxnResponse": "messages.add_partitions_to_txn:AddPartitionsToTxnResponse",
    "messages/AddRaftVoterRequest": "messages.add_raft_voter:AddRaftVoterRequest",
    "messages/AddRaftVoterResponse": "messages.add_raft_voter:AddRaftVoterResponse",
    "messages/AllocateProducerIdsRequest": "messages.allocate_producer_ids:AllocateProducerIdsRequest",
    "messages/AllocateProducerIdsResponse": "messages.allocate_producer_ids:AllocateProducerIdsResponse",
    "messages/AlterClientQuotasRequest": "messages.alter_client_quotas:AlterClientQuotasRequest",
    "messages/AlterClientQuotasResponse": "messages.alter_client_quotas:AlterClientQuotasResponse",
    "messages/AlterConfigsRequest": "messages.alter_configs:AlterConfigsRequest",
    "messages/AlterConfigsResponse": "messages.alter_configs:AlterConfigsResponse",
    "messages/AlterPartitionReassignmentsRequest": (
        "messages.alter_partition_reassignments:AlterPartitionReassignmentsRequest"
    ),
    "messages/AlterPartitionReassignmentsResponse": (
        "messages.alter_partition_reassignments:AlterPartitionReassignmentsResponse"
    ),
    "messages/AlterPartitionRequest": "messages.alter_partition:AlterPartitionRequest",
    "messages/AlterPartitionResponse": "messages.alter_partition:AlterPartitionResponse",
    "messages/AlterReplicaLogDirsRequest": "messages.alter_replica_log_dirs:AlterReplicaLogDirsRequest",
    "messages/AlterReplicaLogDirsResponse": "messages.alter_replica_log_dirs:AlterReplicaLogDirsResponse",
    "messages/AlterShareGroupOffsetsRequest": "messages.alter_share_group_offsets:AlterShareGroupOffsetsRequest",
    "messages/AlterShareGroupOffsetsResponse": "messages.alter_share_group_offsets:AlterShareGroupOffsetsResponse",
    "messages/AlterUserScramCredentialsRequest": (
        "messages.alter_user_scram_credentials:AlterUserScramCredentialsRequest"
    ),
    "messages/AlterUserScramCredentialsResponse": (
        "messages.alter_user_scram_credentials:AlterUserScramCredentialsResponse"
    ),
    "messages/ApiVersionsRequest": "messages.api_versions:ApiVersionsRequest",
    "messages/ApiVersionsResponse": "messages.api_versions:ApiVersionsResponse",
    "messages/AssignReplicasToDirsRequest": "messages.assign_replicas_to_dirs:AssignReplicasToDirsRequest",
    "messages/AssignReplicasToDirsResponse": "messages.assign_replicas_to_dirs:AssignReplicasToDirsResponse",
    "messages/BeginQuorumEpochRequest": "messages.begin_quorum_epoch:BeginQuorumEpochRequest",
    "messages/BeginQuorumEpochResponse": "messages.begin_quorum_epoch:BeginQuorumEpochResponse",
    "messages/BrokerHeartbeatRequest": "messages.broker_heartbeat:BrokerHeartbeatRequest",
    "messages/BrokerHeartbeatResponse": "messages.broker_heartbeat:BrokerHeartbeatResponse",
    "messages/BrokerRegistrationRequest": "messages.broker_registration:BrokerRegistrationRequest",
    "messages/BrokerRegistrationResponse": "messages.broker_registration:BrokerRegistrationResponse",
    "messages/ConsumerGroupDescribeRequest": "messages.consumer_group_describe:ConsumerGroupDescribeRequest",
    "messages/ConsumerGroupDescribeResponse": "messages.consumer_group_describe:ConsumerGroupDescribeResponse",
    "messages/ConsumerGroupHeartbeatRequest": "messages.consumer_group_heartbeat:ConsumerGroupHeartbeatRequest",
    "messages/ConsumerGroupHeartbeatResponse": "messages.consumer_group_heartbeat:ConsumerGroupHeartbeatResponse",
    "messages/ConsumerProtocolAssignment": "messages.consumer_protocol_assignment:ConsumerProtocolAssignment",
    "messages/ConsumerProtocolSubscription": "messages.consumer_protocol_subscription:ConsumerProtocolSubscription",
    "messages/ControlRecordTypeSchema": "messages.control_record_type_schema:ControlRecordTypeSchema",
    "messages/ControlledShutdownRequest": "messages.controlled_shutdown:ControlledShutdownRequest",
    "messages/ControlledShutdownResponse": "messages.controlled_shutdown:ControlledShutdownResponse",
    "messages/ControllerRegistrationRequest": "messages.controller_registration:ControllerRegistrationRequest",
    "messages/ControllerRegistrationResponse": "messages.controller_registration:ControllerRegistrationResponse",
    "messages/CreateAclsRequest": "messages.create_acls:CreateAclsRequest",
    "messages/CreateAclsResponse": "messages.create_acls:CreateAclsResponse",
    "messages/CreateDelegationTokenRequest": "messages.create_delegation_token:CreateDelegationTokenRequest",
    "messages/CreateDelegationTokenResponse": "messages.create_delegation_token:CreateDelegationTokenResponse",
    "messages/CreatePartitionsRequest": "messages.create_partitions:CreatePartitionsRequest",
    "messages/CreatePartitionsResponse": "messages.create_partitions:CreatePartitionsResponse",
    "messages/CreateTopicsRequest": "messages.create_topics:CreateTopicsRequest",
    "messages/CreateTopicsResponse": "messages.create_topics:CreateTopicsResponse",
    "messages/DefaultPrincipalData": "messages.default_principal_data:DefaultPrincipalData",
    "messages/DeleteAclsRequest": "messages.delete_acls:DeleteAclsRequest",
    "messages/DeleteAclsResponse": "messages.delete_acls:DeleteAclsResponse",
    "messages/DeleteGroupsRequest": "messages.delete_groups:DeleteGroupsRequest",
    "messages/DeleteGroupsResponse": "messages.delete_groups:DeleteGroupsResponse",
    "messages/DeleteRecordsRequest": "messages.delete_records:DeleteRecordsRequest",
    "messages/DeleteRecordsResponse": "messages.delete_records:DeleteRecordsResponse",
    "messages/DeleteShareGroupOffsetsRequest": "messages.delete_share_group_offsets:DeleteShareGroupOffsetsRequest",
    "messages/DeleteShareGroupOffsetsResponse": "messages.delete_share_group_offsets:DeleteShareGroupOffsetsResponse",
    "messages/DeleteShareGroupStateRequest": "messages.delete_share_group_state:DeleteShareGroupStateRequest",
    "messages/DeleteShareGroupStateResponse": "messages.delete_share_group_state:DeleteShareGroupStateResponse",
    "messages/DeleteTopicsRequest": "messages.delete_topics:DeleteTopicsRequest",
    "messages/DeleteTopicsResponse": "messages.delete_topics:DeleteTopicsResponse",
    "messages/DescribeAclsRequest": "messages.describe_acls:DescribeAclsRequest",
    "messages/DescribeAclsResponse": "messages.describe_acls:DescribeAclsResponse",
    "messages/DescribeClientQuotasRequest": "messages.describe_client_quotas:DescribeClientQuotasRequest",
    "messages/DescribeClientQuotasResponse": "messages.describe_client_quotas:DescribeClientQuotasResponse",
    "messages/DescribeClusterRequest": "messages.describe_cluster:DescribeClusterRequest",
    "messages/DescribeClusterResponse": "messages.describe_cluster:DescribeClusterResponse",
    "messages/DescribeConfigsRequest": "messages.describe_configs:DescribeConfigsRequest",
    "messages/DescribeConfigsResponse": "messages.describe_configs:DescribeConfigsResponse",
    "messages/DescribeDelegationTokenRequest": "messages.describe_delegation_token:DescribeDelegationTokenRequest",
    "messages/DescribeDelegationTokenResponse": "messages.describe_delegation_token:DescribeDelegationTokenResponse",
    "messages/DescribeGroupsRequest": "messages.describe_groups:DescribeGroupsRequest",
    "messages/DescribeGroupsResponse": "messages.describe_groups:DescribeGroupsResponse",
    "messages/DescribeLogDirsRequest": "messages.describe_log_dirs:DescribeLogDirsRequest",
    "messages/DescribeLogDirsResponse": "messages.describe_log_dirs:DescribeLogDirsResponse",
    "messages/DescribeProducersRequest": "messages.describe_producers:DescribeProducersRequest",
    "messages/DescribeProducersResponse": "messages.describe_producers:DescribeProducersResponse",
    "messages/DescribeQuorumRequest": "messages.describe_quorum:DescribeQuorumRequest",
    "messages/DescribeQuorumResponse": "messages.describe_quorum:DescribeQuorumResponse",
    "messages/DescribeShareGroupOffsetsRequest": (
        "messages.describe_share_group_offsets:DescribeShareGroupOffsetsRequest"
    ),
    "messages/DescribeShareGroupOffsetsResponse": (
        "messages.describe_share_group_offsets:DescribeShareGroupOffsetsResponse"
    ),
    "messages/DescribeTopicPartitionsRequest": "messages.describe_topic_partitions:DescribeTopicPartitionsRequest",
    "messages/DescribeTopicPartitionsResponse": "messages.describe_topic_partitions:DescribeTopicPartitionsResponse",
    "messages/DescribeTransactionsRequest": "messages.describe_transactions:DescribeTransactionsRequest",
    "messages/DescribeTransactionsResponse": "messages.describe_transactions:DescribeTransactionsResponse",
    "messages/DescribeUserScramCredentialsRequest": (
        "messages.describe_user_scram_credentials:DescribeUserScramCredentialsRequest"
    ),
    "messages/DescribeUserScramCredentialsResponse": (
        "messages.describe_user_scram_credentials:DescribeUserScramCredentialsResponse"
    ),
    "messages/ElectLeadersRequest": "messages.elect_leaders:ElectLeadersRequest",
    "messages/ElectLeadersResponse": "messages.elect_leaders:ElectLeadersResponse",
    "messages/EndQuorumEpochRequest": "messages.end_quorum_epoch:EndQuorumEpochRequest",
    "messages/EndQuorumEpochResponse": "messages.end_quorum_epoch:EndQuorumEpochResponse",
    "messages/EndTxnMarker": "messages.end_txn_marker:EndTxnMarker",
    "messages/EndTxnRequest": "messages.end_txn:EndTxnRequest",
    "messages/EndTxnResponse": "messages.end_txn:EndTxnResponse",
    "messages/EnvelopeRequest": "messages.envelope:EnvelopeRequest",
    "messages/EnvelopeResponse": "messages.envelope:EnvelopeResponse",
    "messages/ExpireDelegationTokenRequest": "messages.expire_delegation_token:ExpireDelegationTokenRequest",
    "messages/ExpireDelegationTokenResponse": "messages.expire_delegation_token:ExpireDelegationTokenResponse",
    "messages/FetchRequest": "messages.fetch:FetchRequest",
    "messages/FetchResponse": "messages.fetch:FetchResponse",
    "messages/FetchSnapshotRequest": "messages.fetch_snapshot:FetchSnapshotRequest",
    "messages/FetchSnapshotResponse": "messages.fetch_snapshot:FetchSnapshotResponse",
    "messages/FindCoordinatorRequest": "messages.find_coordinator:FindCoordinatorRequest",
    "messages/FindCoordinatorResponse": "messages.find_coordinator:FindCoordinatorResponse",
    "messages/GetTelemetrySubscriptionsRequest": (
        "messages.get_telemetry_subscriptions:GetTelemetrySubscriptionsRequest"
    ),
    "messages/GetTelemetrySubscriptionsResponse": (
        "messages.get_telemetry_subscriptions:GetTelemetrySubscriptionsResponse"
    ),
    "messages/HeartbeatRequest": "messages.heartbeat:HeartbeatRequest",
    "messages/HeartbeatResponse": "messages.heartbeat:HeartbeatResponse",
    "messages/IncrementalAlterConfigsRequest": "messages.incremental_alter_configs:IncrementalAlterConfigsRequest",
    "messages/IncrementalAlterConfigsResponse": "messages.incremental_alter_configs:IncrementalAlterConfigsResponse",
    "messages/InitProducerIdRequest": "messages.init_producer_id:InitProducerIdRequest",
    "messages/InitProducerIdResponse": "messages.init_producer_id:InitProducerIdResponse",
    "messages/InitializeShareGroupStateRequest": (
        "messages.initialize_share_group_state:InitializeShareGroupStateRequest"
    ),
    "messages/InitializeShareGroupStateResponse": (
        "messages.initialize_share_group_state:InitializeShareGroupStateResponse"
    ),
    "messages/JoinGroupRequest": "messages.join_group:JoinGroupRequest",
    "messages/JoinGroupResponse": "messages.join_group:JoinGroupResponse",
    "messages/KRaftVersionRecord": "messages.k_raft_version_record:KRaftVersionRecord",
    "messages/LeaderAndIsrRequest": "messages.leader_and_isr:LeaderAndIsrRequest",
    "messages/LeaderAndIsrResponse": "messages.leader_and_isr:LeaderAndIsrResponse",
    "messages/LeaderChangeMessage": "messages.leader_change_message:LeaderChangeMessage",
    "messages/LeaveGroupRequest": "messages.leave_group:LeaveGroupRequest",
    "messages/LeaveGroupResponse": "messages.leave_group:LeaveGroupResponse",
    "messages/ListConfigResourcesRequest": "messages.list_config_resources:ListConfigResourcesRequest",
    "messages/ListConfigResourcesResponse": "messages.list_config_resources:ListConfigResourcesResponse",
    "messages/ListGroupsRequest": "messages.list_groups:ListGroupsRequest",
    "messages/ListGroupsResponse": "messages.list_groups:ListGroupsResponse",
    "messages/ListOffsetsRequest": "messages.list_offsets:ListOffsetsRequest",
    "messages/ListOffsetsResponse": "messages.list_offsets:ListOffsetsResponse",
    "messages/ListPartitionReassignmentsRequest": (
        "messages.list_partition_reassignments:ListPartitionReassignmentsRequest"
    ),
    "messages/ListPartitionReassignmentsResponse": (
        "messages.list_partition_reassignments:ListPartitionReassignmentsResponse"
    ),
    "messages/ListTransactionsRequest": "messages.list_transactions:ListTransactionsRequest",
    "messages/ListTransactionsResponse": "messages.list_transactions:ListTransactionsResponse",
    "messages/MetadataRequest": "messages.metadata:MetadataRequest",
    "messages/MetadataResponse": "messages.metadata:MetadataResponse",
    "messages/OffsetCommitRequest": "messages.offset_commit:OffsetCommitRequest",
    "messages/OffsetCommitResponse": "messages.offset_commit:OffsetCommitResponse",
    "messages/OffsetDeleteRequest": "messages.offset_delete:OffsetDeleteRequest",
    "messages/OffsetDeleteResponse": "messages.offset_delete:OffsetDeleteResponse",
    "messages/OffsetFetchRequest": "messages.offset_fetch:OffsetFetchRequest",
    "messages/OffsetFetchResponse": "messages.offset_fetch:OffsetFetchResponse",
    "messages/OffsetForLeaderEpochRequest": "messages.offset_for_leader_epoch:OffsetForLeaderEpochRequest",
    "messages/OffsetForLeaderEpochResponse": "messages.offset_for_leader_epoch:OffsetForLeaderEpochResponse",
    "messages/ProduceRequest": "messages.produce:ProduceRequest",
    "messages/ProduceResponse": "messages.produce:ProduceResponse",
    "messages/PushTelemetryRequest": "messages.push_telemetry:PushTelemetryRequest",
    "messages/PushTelemetryResponse": "messages.push_telemetry:PushTelemetryResponse",
    "messages/ReadShareGroupStateRequest": "messages.read_share_group_state:ReadShareGroupStateRequest",
    "messages/ReadShareGroupStateResponse": "messages.read_share_group_state:ReadShareGroupStateResponse",
    "messages/ReadShareGroupStateSummaryRequest": (
        "messages.read_share_group_state_summary:ReadShareGroupStateSummaryRequest"
    ),
    "messages/ReadShareGroupStateSummaryResponse": (
        "messages.read_share_group_state_summary:ReadShareGroupStateSummaryResponse"
    ),
    "messages/RemoveRaftVoterRequest": "messages.remove_raft_voter:RemoveRaftVoterRequest",
    "messages/RemoveRaftVoterResponse": "messages.remove_raft_voter:RemoveRaftVoterResponse",
    "messages/RenewDelegationTokenRequest": "messages.renew_delegation_token:RenewDelegationTokenRequest",
    "messages/RenewDelegationTokenResponse": "messages.renew_delegation_token:RenewDelegationTokenResponse",
    "messages/RequestHeader": "messages.request_header:RequestHeader",
    "messages/ResponseHeader": "messages.response_header:ResponseHeader",
    "messages/SaslAuthenticateRequest": "messages.sasl_authenticate:SaslAuthenticateRequest",
    "messages/SaslAuthenticateResponse": "messages.sasl_authenticate:SaslAuthenticateResponse",
    "messages/SaslHandshakeRequest": "messages.sasl_handshake:SaslHandshakeRequest",
    "messages/SaslHandshakeResponse": "messages.sasl_handshake:SaslHandshakeResponse",
    "messages/ShareAcknowledgeRequest": "messages.share_acknowledge:ShareAcknowledgeRequest",
    "messages/ShareAcknowledgeResponse": "messages.share_acknowledge:ShareAcknowledgeResponse",
    "messages/ShareFetchRequest": "messages.share_fetch:ShareFetchRequest",
    "messages/ShareFetchResponse": "messages.share_fetch:ShareFetchResponse",
    "messages/ShareGroupDescribeRequest": "messages.share_group_describe:ShareGroupDescribeRequest",
    "messages/ShareGroupDescribeResponse": "messages.share_group_describe:ShareGroupDescribeResponse",
    "messages/ShareGroupHeartbeatRequest": "messages.share_group_heartbeat:ShareGroupHeartbeatRequest",
    "messages/ShareGroupHeartbeatResponse": "messages.share_group_heartbeat:ShareGroupHeartbeatResponse",
    "messages/SnapshotFooterRecord": "messages.snapshot_footer_record:SnapshotFooterRecord",
    "messages/SnapshotHeaderRecord": "messages.snapshot_header_record:SnapshotHeaderRecord",
    "messages/StopReplicaRequest": "messages.stop_replica:StopReplicaRequest",
    "messages/StopReplicaResponse": "messages.stop_replica:StopReplicaResponse",
    "messages/StreamsGroupDescribeRequest": "messages.streams_group_describe:StreamsGroupDescribeRequest",
    "messages/StreamsGroupDescribeResponse": "messages.streams_group_describe:StreamsGroupDescribeResponse",
    "messages/StreamsGroupHeartbeatRequest": "messages.streams_group_heartbeat:StreamsGroupHeartbeatRequest",
    "messages/StreamsGroupHeartbeatResponse": "messages.streams_group_heartbeat:StreamsGroupHeartbeatResponse",
    "messages/StreamsGroupTopologyDescriptionUpdateRequest": (
        "messages.streams_group_topology_description_update:StreamsGroupTopologyDescriptionUpdateRequest"
    ),
    "messages/StreamsGroupTopologyDescriptionUpdateResponse": (
        "messages.streams_group_topology_description_update:StreamsGroupTopologyDescriptionUpdateResponse"
    ),
    "messages/SyncGroupRequest": "messages.sync_group:SyncGroupRequest",
    "messages/SyncGroupResponse": "messages.sync_group:SyncGroupResponse",
    "messages/TxnOffsetCommitRequest": "messages.txn_offset_commit:TxnOffsetCommitRequest",
    "messages/TxnOffsetCommitResponse": "messages.txn_offset_commit:TxnOffsetCommitResponse",
    "messages/UnregisterBrokerRequest": "messages.unregister_broker:UnregisterBrokerRequest",
    "messages/UnregisterBrokerResponse": "messages.unregister_broker:UnregisterBrokerResponse",
    "messages/UnregisterControllerRequest": "messages.unregister_controller:UnregisterControllerRequest",
    "messages/UnregisterControllerResponse": "messages.unregister_controller:UnregisterControllerResponse",
    "messages/UpdateFeaturesRequest": "messages.update_features:UpdateFeaturesRequest",
    "messages/UpdateFeaturesResponse": "messages.update_features:UpdateFeaturesResponse",
    "messages/UpdateMetadataRequest": "messages.update_metadata:UpdateMetadataRequest",
    "messages/UpdateMetadataResponse": "messages.update_metadata:UpdateMetadataResponse",
    "messages/UpdateRaftVoterRequest": "messages.update_raft_voter:UpdateRaftVoterRequest",
    "messages/UpdateRaftVoterResponse": "messages.update_raft_voter:UpdateRaftVoterResponse",
    "messages/VoteRequest": "messages.vote:VoteRequest",
    "messages/VoteResponse": "messages.vote:VoteResponse",
    "messages/VotersRecord": "messages.voters_record:VotersRecord",
    "messages/WriteShareGroupStateRequest": "messages.write_share_group_state:WriteShareGroupStateRequest",
    "messages/WriteShareGroupStateResponse": "messages.write_share_group_state:WriteShareGroupStateResponse",
    "messages/WriteTxnMarkersRequest": "messages.write_txn_markers:WriteTxnMarkersRequest",
    "messages/WriteTxnMarkersResponse": "messages.write_txn_markers:WriteTxnMarkersResponse",
    "records/metadata/AbortTransactionRecord": "record_formats.metadata:AbortTransactionRecord",
    "records/metadata/AccessControlEntryRecord": "record_formats.metadata:AccessControlEntryRecord",
    "records/metadata/BeginTransactionRecord": "record_formats.metadata:BeginTransactionRecord",
    "records/metadata/BrokerRegistrationChangeRecord": "record_formats.metadata:BrokerRegistrationChangeRecord",
    "records/metadata/ClearElrRecord": "record_formats.metadata:ClearElrRecord",
    "records/metadata/ClientQuotaRecord": "record_formats.metadata:ClientQuotaRecord",
    "records/metadata/ConfigRecord": "record_formats.metadata:ConfigRecord",
    "records/metadata/DelegationTokenRecord": "record_formats.metadata:DelegationTokenRecord",
    "records/metadata/EndTransactionRecord": "record_formats.metadata:EndTransactionRecord",
    "records/metadata/FeatureLevelRecord": "record_formats.metadata:FeatureLevelRecord",
    "records/metadata/FenceBrokerRecord": "record_formats.metadata:FenceBrokerRecord",
    "records/metadata/NoOpRecord": "record_formats.metadata:NoOpRecord",
    "records/metadata/PartitionChangeRecord": "record_formats.metadata:PartitionChangeRecord",
    "records/metadata/PartitionRecord": "record_formats.metadata:PartitionRecord",
    "records/metadata/ProducerIdsRecord": "record_formats.metadata:ProducerIdsRecord",
    "records/metadata/RegisterBrokerRecord": "record_formats.metadata:RegisterBrokerRecord",
    "records/metadata/RegisterControllerRecord": "record_formats.metadata:RegisterControllerRecord",
    "records/metadata/RemoveAccessControlEntryRecord": "record_formats.metadata:RemoveAccessControlEntryRecord",
    "records/metadata/RemoveDelegationTokenRecord": "record_formats.metadata:RemoveDelegationTokenRecord",
    "records/metadata/RemoveTopicRecord": "record_formats.metadata:RemoveTopicRecord",
    "records/metadata/RemoveUserScramCredentialRecord": "record_formats.metadata:RemoveUserScramCredentialRecord",
    "records/metadata/TopicRecord": "record_formats.metadata:TopicRecord",
    "records/metadata/UnfenceBrokerRecord": "record_formats.metadata:UnfenceBrokerRecord",
    "records/metadata/UnregisterBrokerRecord": "record_formats.metadata:UnregisterBrokerRecord",
    "records/metadata/UnregisterControllerRecord": "record_formats.metadata:UnregisterControllerRecord",
    "records/metadata/UserScramCredentialRecord": "record_formats.metadata:UserScramCredentialRecord",
    "records/metadata/ZkMigrationRecord": "record_formats.metadata:ZkMigrationStateRecord",
    "records/group-coordinator/ConsumerGroupCurrentMemberAssignmentKey": (
        "record_formats.group_coordinator:ConsumerGroupCurrentMemberAssignmentKey"
    ),
    "records/group-coordinator/ConsumerGroupCurrentMemberAssignmentValue": (
        "record_formats.group_coordinator:ConsumerGroupCurrentMemberAssignmentValue"
    ),
    "records/group-coordinator/ConsumerGroupMemberMetadataKey": (
        "record_formats.group_coordinator:ConsumerGroupMemberMetadataKey"
    ),
    "records/group-coordinator/ConsumerGroupMemberMetadataValue": (
        "record_formats.group_coordinator:ConsumerGroupMemberMetadataValue"
    ),
    "records/group-coordinator/ConsumerGroupMetadataKey": "record_formats.group_coordinator:ConsumerGroupMetadataKey",
    "records/group-coordinator/ConsumerGroupMetadataValue": (
        "record_formats.group_coordinator:ConsumerGroupMetadataValue"
    ),
    "records/group-coordinator/ConsumerGroupPartitionMetadataKey": (
        "record_formats.group_coordinator:ConsumerGroupPartitionMetadataKey"
    ),
    "records/group-coordinator/ConsumerGroupPartitionMetadataValue": (
        "record_formats.group_coordinator:ConsumerGroupPartitionMetadataValue"
    ),
    "records/group-coordinator/ConsumerGroupRegularExpressionKey": (
        "record_formats.group_coordinator:ConsumerGroupRegularExpressionKey"
    ),
    "records/group-coordinator/ConsumerGroupRegularExpressionValue": (
        "record_formats.group_coordinator:ConsumerGroupRegularExpressionValue"
    ),
    "records/group-coordinator/ConsumerGroupTargetAssignmentMemberKey": (
        "record_formats.group_coordinator:ConsumerGroupTargetAssignmentMemberKey"
    ),
    "records/group-coordinator/ConsumerGroupTargetAssignmentMemberValue": (
        "record_formats.group_coordinator:ConsumerGroupTargetAssignmentMemberValue"
    ),
    "records/group-coordinator/ConsumerGroupTargetAssignmentMetadataKey": (
        "record_formats.group_coordinator:ConsumerGroupTargetAssignmentMetadataKey"
    ),
    "records/group-coordinator/ConsumerGroupTargetAssignmentMetadataValue": (
        "record_formats.group_coordinator:ConsumerGroupTargetAssignmentMetadataValue"
    ),
    "records/group-coordinator/GroupMetadataKey": "record_formats.group_coordinator:GroupMetadataKey",
    "records/group-coordinator/GroupMetadataValue": "record_formats.group_coordinator:GroupMetadataValue",
    "records/group-coordinator/LegacyOffsetCommitKey": "record_formats.group_coordinator:LegacyOffsetCommitKey",
    "records/group-coordinator/LegacyOffsetCommitValue": "record_formats.group_coordinator:LegacyOffsetCommitValue",
    "records/group-coordinator/OffsetCommitKey": "record_formats.group_coordinator:OffsetCommitKey",
    "records/group-coordinator/OffsetCommitValue": "record_formats.group_coordinator:OffsetCommitValue",
    "records/group-coordinator/ShareGroupCurrentMemberAssignmentKey": (
        "record_formats.group_coordinator:ShareGroupCurrentMemberAssignmentKey"
    ),
    "records/group-coordinator/ShareGroupCurrentMemberAssignmentValue": (
        "record_formats.group_coordinator:ShareGroupCurrentMemberAssignmentValue"
    ),
    "records/group-coordinator/ShareGroupMemberMetadataKey": (
        "record_formats.group_coordinator:ShareGroupMemberMetadataKey"
    ),
    "records/group-coordinator/ShareGroupMemberMetadataValue": (
        "record_formats.group_coordinator:ShareGroupMemberMetadataValue"
    ),
    "records/group-coordinator/ShareGroupMetadataKey": "record_formats.group_coordinator:ShareGroupMetadataKey",
    "records/group-coordinator/ShareGroupMetadataValue": "record_formats.group_coordinator:ShareGroupMetadataValue",
    "records/group-coordinator/ShareGroupStatePartitionMetadataKey": (
        "record_formats.group_coordinator:ShareGroupStatePartitionMetadataKey"
    ),
    "records/group-coordinator/ShareGroupStatePartitionMetadataValue": (
        "record_formats.group_coordinator:ShareGroupStatePartitionMetadataValue"
    ),
    "records/group-coordinator/ShareGroupTargetAssignmentMemberKey": (
        "record_formats.group_coordinator:ShareGroupTargetAssignmentMemberKey"
    ),
    "records/group-coordinator/ShareGroupTargetAssignmentMemberValue": (
        "record_formats.group_coordinator:ShareGroupTargetAssignmentMemberValue"
    ),
    "records/group-coordinator/ShareGroupTargetAssignmentMetadataKey": (
        "record_formats.group_coordinator:ShareGroupTargetAssignmentMetadataKey"
    ),
    "records/group-coordinator/ShareGroupTargetAssignmentMetadataValue": (
        "record_formats.group_coordinator:ShareGroupTargetAssignmentMetadataValue"
    ),
    "records/group-coordinator/StreamsGroupCurrentMemberAssignmentKey": (
        "record_formats.group_coordinator:StreamsGroupCurrentMemberAssignmentKey"
    ),
    "records/group-coordinator/StreamsGroupCurrentMemberAssignmentValue": (
        "record_formats.group_coordinator:StreamsGroupCurrentMemberAssignmentValue"
    ),
    "records/group-coordinator/StreamsGroupMemberMetadataKey": (
        "record_formats.group_coordinator:StreamsGroupMemberMetadataKey"
    ),
    "records/group-coordinator/StreamsGroupMemberMetadataValue": (
        "record_formats.group_coordinator:StreamsGroupMemberMetadataValue"
    ),
    "records/group-coordinator/StreamsGroupMetadataKey": "record_formats.group_coordinator:StreamsGroupMetadataKey",
    "records/group-coordinator/StreamsGroupMetadataValue": "record_formats.group_coordinator:StreamsGroupMetadataValue",
    "records/group-coordinator/StreamsGroupTargetAssignmentMemberKey": (
        "record_formats.group_coordinator:StreamsGroupTargetAssignmentMemberKey"
    ),
    "records/group-coordinator/StreamsGroupTargetAssignmentMemberValue": (
        "record_formats.group_coordinator:StreamsGroupTargetAssignmentMemberValue"
    ),
    "records/group-coordinator/StreamsGroupTargetAssignmentMetadataKey": (
        "record_formats.group_coordinator:StreamsGroupTargetAssignmentMetadataKey"
    ),
    "records/group-coordinator/StreamsGroupTargetAssignmentMetadataValue": (
        "record_formats.group_coordinator:StreamsGroupTargetAssignmentMetadataValue"
    ),
    "records/group-coordinator/StreamsGroupTopologyKey": "record_formats.group_coordinator:StreamsGroupTopologyKey",
    "records/group-coordinator/StreamsGroupTopologyValue": "record_formats.group_coordinator:StreamsGroupTopologyValue",
    "records/share-coordinator/ShareSnapshotKey": "record_formats.share_coordinator:ShareSnapshotKey",
    "records/share-coordinator/ShareSnapshotValue": "record_formats.share_coordinator:ShareSnapshotValue",
    "records/share-coordinator/ShareUpdateKey": "record_formats.share_coordinator:ShareUpdateKey",
    "records/share-coordinator/ShareUpdateValue": "record_formats.share_coordinator:ShareUpdateValue",
    "records/transaction-coordinator/TransactionLogKey": "record_formats.transaction_coordinator:TransactionLogKey",
    "records/transaction-coordinator/TransactionLogValue": "record_formats.transaction_coordinator:TransactionLogValue",
    "records/raft/QuorumStateData": "record_formats.raft:QuorumStateData",
    "records/storage/ProducerSnapshot": "record_formats.storage:ProducerSnapshot",
    "records/storage/RemoteLogSegmentMetadataRecord": "record_formats.storage:RemoteLogSegmentMetadataRecord",
    "records/storage/RemoteLogSegmentMetadataSnapshotRecord": (
        "record_formats.storage:RemoteLogSegmentMetadataSnapshotRecord"
    ),
    "records/storage/RemoteLogSegmentMetadataUpdateRecord": (
        "record_formats.storage:RemoteLogSegmentMetadataUpdateRecord"
    ),
    "records/storage/RemotePartitionDeleteMetadataRecord": "record_formats.storage:RemotePartitionDeleteMetadataRecord",
}
