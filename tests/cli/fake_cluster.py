"""Three nodes of a cluster, played by one fake, with the command line in front of it."""

from __future__ import annotations

from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages import describe_cluster, describe_quorum, metadata
from kafkapy_wire.messages.add_raft_voter import AddRaftVoterRequest, AddRaftVoterResponse
from kafkapy_wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)
from kafkapy_wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from kafkapy_wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kafkapy_wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)
from kafkapy_wire.messages.remove_raft_voter import RemoveRaftVoterRequest, RemoveRaftVoterResponse
from kafkapy_wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from kafkapy_wire.messages.unregister_controller import UnregisterControllerRequest, UnregisterControllerResponse
from kafkapy_wire.uuid import Uuid
from tests.cli.conftest import Kafkapy, Result
from tests.cli.fake_broker import FakeBroker

OFFLINE, SHORT, WHOLE = 0, 1, 2  # partitions of the topic `orders`
DIRECTORIES = [Uuid(bytes([node_id] * 16)) for node_id in range(6)]
NOW = 1_000_000


class FakeCluster:
    """Brokers 1 to 3, of which the third is dead; they are the controllers, and node 4 observes them."""

    def __init__(self) -> None:
        self.refused: dict[type[Message], ErrorCode] = {}
        self.moving: dict[int, OngoingPartitionReassignment] = {}
        self.settings: dict[tuple[int, str], dict[str, str]] = {}
        self.port = 0

    def answer(self, request: Message) -> Message:
        code = self.refused.get(type(request), ErrorCode.NONE)
        match request:
            case metadata.MetadataRequest():
                return self._metadata()
            case describe_cluster.DescribeClusterRequest():
                return self._nodes()
            case describe_quorum.DescribeQuorumRequest():
                return quorum(code)
            case DescribeConfigsRequest():
                config = DescribeConfigsResourceResult(name="min.insync.replicas", value="2")
                return DescribeConfigsResponse(
                    results=[
                        DescribeConfigsResult(
                            resource_type=2,
                            resource_name=one.resource_name,
                            configs=[config, *self._own_settings(2, one.resource_name)],
                        )
                        for one in request.resources
                    ]
                )
            case IncrementalAlterConfigsRequest():
                return self._alter(request)
            case AlterPartitionReassignmentsRequest():
                return self._reassign(request)
            case ListPartitionReassignmentsRequest():
                return self._moves()
            case ElectLeadersRequest():
                return elected()
            case UnregisterBrokerRequest():
                return UnregisterBrokerResponse(error_code=code, error_message=None)
            case UnregisterControllerRequest():
                return UnregisterControllerResponse(error_code=code, error_message=None)
            case AddRaftVoterRequest():
                return AddRaftVoterResponse(error_code=code, error_message=None)
            case RemoveRaftVoterRequest():
                return RemoveRaftVoterResponse(error_code=code, error_message=None)
        raise AssertionError(request)

    def _own_settings(self, type_id: int, name: str) -> list[DescribeConfigsResourceResult]:
        return [
            DescribeConfigsResourceResult(name=key, value=value, config_source=1)
            for key, value in self.settings.get((type_id, name), {}).items()
        ]

    def _alter(self, request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse:
        code = self.refused.get(IncrementalAlterConfigsRequest, ErrorCode.NONE)
        for resource in request.resources:
            settings = self.settings.setdefault((resource.resource_type, resource.resource_name), {})
            for config in resource.configs:
                if config.config_operation == 1:
                    settings.pop(config.name, None)
                else:
                    settings[config.name] = config.value or ""
        return IncrementalAlterConfigsResponse(
            responses=[
                AlterConfigsResourceResponse(
                    error_code=code,
                    error_message=None,
                    resource_type=resource.resource_type,
                    resource_name=resource.resource_name,
                )
                for resource in request.resources
            ]
        )

    @property
    def throttles(self) -> dict[tuple[int, str], dict[str, str]]:
        return {resource: settings for resource, settings in self.settings.items() if settings}

    def _metadata(self) -> metadata.MetadataResponse:
        partitions = [
            metadata.MetadataResponsePartition(
                partition_index=index, leader_id=leader, replica_nodes=[1, 2, 3], isr_nodes=isr
            )
            for index, leader, isr in ((OFFLINE, -1, [3]), (SHORT, 1, [2, 1]), (WHOLE, 2, [1, 2, 3]))
        ]
        return metadata.MetadataResponse(
            brokers=[metadata.MetadataResponseBroker(node_id=one, host="127.0.0.1", port=self.port) for one in (1, 2)],
            topics=[metadata.MetadataResponseTopic(name="orders", partitions=partitions)],
        )

    def _nodes(self) -> describe_cluster.DescribeClusterResponse:
        brokers = [
            describe_cluster.DescribeClusterBroker(
                broker_id=one, host=f"host{one}", port=9092, rack=f"rack{one}" if one < 3 else None, is_fenced=one == 3
            )
            for one in (3, 1, 2)
        ]
        return describe_cluster.DescribeClusterResponse(cluster_id="the-cluster", controller_id=2, brokers=brokers)

    def _reassign(self, request: AlterPartitionReassignmentsRequest) -> AlterPartitionReassignmentsResponse:
        code = self.refused.get(AlterPartitionReassignmentsRequest, ErrorCode.NONE)
        return AlterPartitionReassignmentsResponse(
            error_message=None,
            responses=[
                ReassignableTopicResponse(
                    name=topic.name,
                    partitions=[
                        ReassignablePartitionResponse(
                            partition_index=one.partition_index, error_code=code, error_message=None
                        )
                        for one in topic.partitions
                    ],
                )
                for topic in request.topics
            ],
        )

    def _moves(self) -> ListPartitionReassignmentsResponse:
        topics = [OngoingTopicReassignment(name="orders", partitions=list(self.moving.values()))] if self.moving else []
        return ListPartitionReassignmentsResponse(error_message=None, topics=topics)


def quorum(code: ErrorCode) -> describe_quorum.DescribeQuorumResponse:
    def state(node_id: int, end: int, caught_up_ms: int) -> describe_quorum.ReplicaState:
        return describe_quorum.ReplicaState(
            replica_id=node_id,
            replica_directory_id=DIRECTORIES[node_id],
            log_end_offset=end,
            last_fetch_timestamp=caught_up_ms,
            last_caught_up_timestamp=caught_up_ms,
        )

    partition = describe_quorum.DescribeQuorumResponsePartitionData(
        error_code=code,
        error_message=None,
        leader_id=2,
        leader_epoch=7,
        high_watermark=99,
        current_voters=[state(2, 100, NOW), state(1, 100, NOW - 400), state(3, -1, -1)],
        observers=[state(4, 88, NOW - 2_500)],
    )
    listener = describe_quorum.Listener(name="CONTROLLER", host="host2", port=9093)
    return describe_quorum.DescribeQuorumResponse(
        error_message=None,
        topics=[
            describe_quorum.DescribeQuorumResponseTopicData(topic_name="__cluster_metadata", partitions=[partition])
        ],
        nodes=[describe_quorum.Node(node_id=2, listeners=[listener])],
    )


def elected() -> ElectLeadersResponse:
    outcomes = (
        (OFFLINE, ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE),
        (SHORT, ErrorCode.NONE),
        (WHOLE, ErrorCode.ELECTION_NOT_NEEDED),
    )
    results = [PartitionResult(partition_id=index, error_code=code, error_message=None) for index, code in outcomes]
    return ElectLeadersResponse(
        replica_election_results=[ReplicaElectionResult(topic="orders", partition_result=results)]
    )


class Three:
    """A fake cluster, and the command line in front of it."""

    def __init__(self, run: Kafkapy, cluster: FakeCluster, server: FakeBroker) -> None:
        self._run = run
        self.cluster = cluster
        self._server = server

    def __call__(self, *argv: str, stdin: bytes = b"", timeout: float = 30) -> Result:
        where = ("-b", f"127.0.0.1:{self._server.port}", "--timeout", str(timeout))
        return self._run("cluster", *argv, *where, stdin=stdin)

    def asked(self, kind: type[Message]) -> list[Message]:
        return [request for request in self._server.asked if isinstance(request, kind)]
