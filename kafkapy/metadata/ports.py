"""The interfaces to the cluster's metadata: the newest image, and the controller, on whatever node it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkapy.metadata.altering import ResourceChange
    from kafkapy.metadata.broker_control import BrokerControl
    from kafkapy.metadata.isr_senders import Order
    from kafkapy.pending import Pending
    from kafkapy_controller.decision import Decision, Steps
    from kafkapy_controller.image import BrokerImage, MetadataImage
    from kafkapy_controller.producer_ids import ProducerIdBlock
    from kafkapy_controller.raft.description import QuorumDescription
    from kafkapy_controller.registration import NodeRegistration
    from kafkapy_controller.topics import Charge
    from kafkapy_wire.errors import KafkaError
    from kafkapy_wire.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse
    from kafkapy_wire.messages.alter_partition_reassignments import (
        AlterPartitionReassignmentsRequest,
        AlterPartitionReassignmentsResponse,
    )
    from kafkapy_wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest, AssignReplicasToDirsResponse
    from kafkapy_wire.messages.controller_registration import ControllerRegistrationRequest
    from kafkapy_wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse
    from kafkapy_wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
    from kafkapy_wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
    from kafkapy_wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse
    from kafkapy_wire.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse


R = TypeVar("R")


class Metadata(Protocol):
    """Gives the newest published metadata image."""

    @property
    def image(self) -> MetadataImage: ...


class Controller(Protocol):
    """Changes the metadata. When it answers, the change is committed and published on this node.

    Every answer may be the KafkaError KAFKA_STORAGE_ERROR instead: the metadata log has not taken the change. A request
    whose `timeout_ms` is not positive is refused with REQUEST_TIMED_OUT and not begun.
    """

    is_active: bool
    """Whether it decides. Otherwise everything but the first three is refused with NOT_CONTROLLER."""

    @property
    def leader_id(self) -> int: ...

    def describe_quorum(self) -> QuorumDescription | None:
        """The state of the quorum; None if the controller of this node does not lead."""

    async def create_topics(
        self, request: CreateTopicsRequest, charge: Charge | None = None
    ) -> CreateTopicsResponse: ...

    async def delete_topics(
        self, request: DeleteTopicsRequest, charge: Charge | None = None
    ) -> DeleteTopicsResponse: ...

    async def create_partitions(
        self, request: CreatePartitionsRequest, charge: Charge | None = None
    ) -> CreatePartitionsResponse: ...

    def alter_configs(
        self, asked: Sequence[ResourceChange], *, validate_only: bool
    ) -> Pending[list[KafkaError | None]]:
        """An error, or None, for each of `asked`, in its order. Never refused as a whole."""

    async def elect_leaders(self, request: ElectLeadersRequest) -> ElectLeadersResponse:
        """Raises KafkaError INVALID_REQUEST."""

    async def alter_partition_reassignments(
        self, request: AlterPartitionReassignmentsRequest
    ) -> AlterPartitionReassignmentsResponse: ...

    def update_features(self, request: UpdateFeaturesRequest) -> Pending[UpdateFeaturesResponse]:
        """Raises KafkaError INVALID_UPDATE_VERSION."""

    async def commit_in_steps(self, decide: Callable[[MetadataImage], Steps[Decision[R]]]) -> Pending[R]:
        """Make the decision on the newest image, commit its records and answer its response.

        `decide` may be called several times, as another decision may be made meanwhile. Raises what it raises.
        """

    async def unregister_broker(self, broker_id: int) -> None:
        """Raises KafkaError: BROKER_ID_NOT_REGISTERED; INVALID_REQUEST, it is this node's own, and the only one."""

    def unregister_controller(self, controller_id: int) -> Pending[None]:
        """Raises KafkaError: CONTROLLER_ID_NOT_REGISTERED, UNSUPPORTED_VERSION; INVALID_REQUEST, the id is its own."""

    def register_controller(self, registration: NodeRegistration) -> Pending[None]: ...

    # Requests of other nodes

    @property
    def brokers(self) -> BrokerControl:
        """Registrations and heartbeats of brokers."""

    async def alter_partition(
        self, request: AlterPartitionRequest, version: int, order: Order
    ) -> AlterPartitionResponse:
        """`version` is the request's. Raises KafkaError STALE_BROKER_EPOCH."""

    async def assign_replicas_to_dirs(self, request: AssignReplicasToDirsRequest) -> AssignReplicasToDirsResponse:
        """Raises KafkaError: UNSUPPORTED_VERSION, STALE_BROKER_EPOCH."""

    def allocate_producer_ids(self, broker_id: int | None = None, broker_epoch: int = -1) -> Pending[ProducerIdBlock]:
        """The next block of producer ids, by default for this node's broker. Raises KafkaError STALE_BROKER_EPOCH."""

    def controller_registration(self, request: ControllerRegistrationRequest) -> Pending[None]:
        """Raises KafkaError: UNSUPPORTED_VERSION, INVALID_REGISTRATION."""

    # The broker of this process

    def change_registration(self, broker_id: int, change: Callable[[BrokerImage], BrokerImage]) -> Pending[None]:
        """Register a broker with what `change` returns for it, in the epoch that it has."""

    def register_broker(self, registration: NodeRegistration, previous_epoch: int = -1) -> Pending[int]:
        """Register and unfence the broker of this node; it leads its partitions again. Answers the broker epoch.

        `previous_epoch`: that of the run which stopped in order on this directory, by its shutdown marker.
        """
