"""The controller of this node: it decides, appends and replays in one step, and answers when that is committed.

Decisions read the image of all appended records, so that each sees the ones before it. All other code reads the
published image, which has the committed records only. If a decision cannot be appended, nothing has changed.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import trio

from kafkapy.metadata.metadata_log import not_controller
from kafkapy.pending import Pending
from kafkapy.turns import Turn, to_the_end
from kafkapy_controller.bootstrap import decide_bootstrap, features_in
from kafkapy_controller.decision import at_once
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import ConfigResourceType
from kafkapy_controller.metadata_records import encode_metadata_record
from kafkapy_controller.metadata_version import METADATA_VERSION
from kafkapy_wire.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from kafkapy.metadata.altering import ResourceChange
    from kafkapy.metadata.broker_control import BrokerControl
    from kafkapy.metadata.isr_senders import Order
    from kafkapy.metadata.loader import MetadataLoader
    from kafkapy.metadata.metadata_log import MetadataLog
    from kafkapy.settings import Settings
    from kafkapy.settings.current import CurrentSettings
    from kafkapy.settings.topic import TopicSettings
    from kafkapy_controller.decision import Decision, Steps
    from kafkapy_controller.image import BrokerImage, MetadataImage
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.partition_changes import TopicRules
    from kafkapy_controller.producer_ids import ProducerIdBlock
    from kafkapy_controller.raft.description import QuorumDescription
    from kafkapy_controller.raft.quorum import AppendPrepared
    from kafkapy_controller.registration import NodeRegistration
    from kafkapy_controller.topics import Charge, TopicCreation
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

logger = logging.getLogger("kafkapy.controller")

R = TypeVar("R")

PREPARED_TIMES_MAX = 3
"""So often a large decision is prepared anew because another was appended meanwhile."""


KNOWN_MS_MAX = 500
"""How long the answer to CreateTopics waits at most for brokers to know the topics."""


class _Prepared(NamedTuple):
    """A large decision whose records are encoded and replayed, but not appended yet."""

    event: AppendPrepared
    delta: MetadataDelta


async def _prepare(log: MetadataLog, image: MetadataImage, records: Sequence[MetadataRecord]) -> _Prepared | None:
    """Encode and replay the records, in turns. None if there are no records."""
    turn = Turn()
    delta, encoded, metadata_version = MetadataDelta(image), [], image.metadata_version
    await turn.share()
    for record in records:
        delta.replay(record)
        encoded.append(encode_metadata_record(record, metadata_version))
        if turn.is_over:
            await turn.share()
    if not encoded:
        return None
    prepared = _Prepared(log.prepare(encoded), delta)
    await trio.lowlevel.checkpoint()
    return prepared


def _in_one_step(decide: Callable[[], Decision[R]]) -> Steps[Decision[R]]:
    return decide()
    yield


class QuorumController:
    """Decides for the quorum while this node leads it; otherwise it refuses with NOT_CONTROLLER."""

    def __init__(
        self,
        log: MetadataLog,
        loader: MetadataLoader,
        settings: CurrentSettings,
        random: Random,
        bootstrap: Sequence[MetadataRecord],
    ) -> None:
        """`bootstrap`: what a new cluster begins with."""
        self._log = log
        self._loader = loader
        self._node_settings = settings
        self.random = random
        self.is_active = False
        """Whether this node leads and its image has everything that former leaders have appended."""
        self._image = loader.image
        self._bootstrap = bootstrap
        self._settings_at: tuple[Settings, Mapping[str, str], Mapping[str, str], Settings] | None = None
        self._creation: tuple[Settings, TopicCreation] | None = None
        self._broker: tuple[int, int] = (-1, -1)  # id and epoch of the broker in this process
        self._brokers: BrokerControl | None = None
        self._has_brokers = trio.Event()  # there may be others than that of this process
        self._topic_rules: TopicRules | None = None
        log.on_leading = self._begin
        log.on_resigned = self._end
        log.on_quorum_record = self._follow_quorum_record

    @property
    def image(self) -> MetadataImage:
        """Of everything appended: what the next decision is made on. Raises KafkaError NOT_CONTROLLER: not active."""
        if not self.is_active:
            raise self.not_active()
        return self._image

    def not_active(self) -> KafkaError:
        """NOT_CONTROLLER, with the node to ask instead."""
        return not_controller(self._log.leader_id, self._log.node_id)

    def _begin(self) -> None:
        """This node leads: complete what the last leader left unfinished; in a new cluster write `bootstrap`.

        A cluster is new as long as it has no metadata.version; then the records are written at that of `bootstrap`.
        Raises KafkaError KAFKA_STORAGE_ERROR: nothing has changed.
        """
        self._image = image = self._loader.image
        level = image.metadata_version
        records: list[MetadataRecord] = []
        if image.open_transaction is not None:
            from kafkapy_wire.record_formats.metadata import AbortTransactionRecord

            records.append(AbortTransactionRecord(reason="the controller stopped within the transaction"))
        if not level:
            level = features_in(self._bootstrap)[METADATA_VERSION]
            min_insync_replicas = self._node_settings.now.topic_defaults.min_insync_replicas
            records += decide_bootstrap(self._bootstrap, min_insync_replicas).records
        if records:
            self._append_at(records, level)
        else:
            self._replayed(MetadataDelta(image))  # the record of a new leader only moves the offset
        self.is_active = True
        if self._brokers is not None:
            self._brokers.notice_leadership()

    def _end(self) -> None:
        self.is_active = False
        if self._brokers is not None:
            self._brokers.notice_leadership()

    def _follow_quorum_record(self) -> None:
        """The quorum has appended a record of its own, about the voters: the image only moves on."""
        self._replayed(MetadataDelta(self._image))

    def close(self) -> None:
        """Fence the broker that `register_broker` has registered, and resign: further requests are refused."""
        if self.is_active and not self._log.log.has_failed:
            records = self._stop_broker()
            try:
                if records:
                    self._append(records)
            except KafkaError as error:  # the broker stays unfenced, as after a kill; the next start handles that
                logger.info("cannot note the end of this run: %s", error.message)
        self._log.resign()

    def _stop_broker(self) -> list[MetadataRecord]:
        from kafkapy_controller.registration import decide_stop_broker, has_other_brokers

        own = self.own_broker
        if own is None or not has_other_brokers(self.image, own.broker_id):
            return decide_stop_broker(self.image, self._broker[0]).records
        from kafkapy_controller.broker_transitions import Transition, decide_transition

        return decide_transition(self.image, self.topic_rules, own.broker_id, Transition.FENCING).records

    @property
    def leader_id(self) -> int:
        return self._log.leader_id

    @property
    def epoch(self) -> int:
        """The epoch of the quorum."""
        return self._log.epoch

    @property
    def end_offset(self) -> int:
        """Of the metadata log: where the next record will be."""
        return self._log.end_offset

    def describe_quorum(self) -> QuorumDescription | None:
        return self._log.describe_quorum()

    # Decisions

    async def create_topics(self, request: CreateTopicsRequest, charge: Charge | None = None) -> CreateTopicsResponse:
        from kafkapy.metadata.many_topics import create_topics

        return await self._known_to_brokers(await create_topics(self, request, charge), request.timeout_ms)

    async def delete_topics(self, request: DeleteTopicsRequest, charge: Charge | None = None) -> DeleteTopicsResponse:
        from kafkapy.metadata.many_topics import delete_topics

        return await delete_topics(self, request, charge)

    async def create_partitions(
        self, request: CreatePartitionsRequest, charge: Charge | None = None
    ) -> CreatePartitionsResponse:
        from kafkapy.metadata.many_topics import create_partitions

        return await self._known_to_brokers(await create_partitions(self, request, charge), request.timeout_ms)

    async def _known_to_brokers(self, answer: R, timeout_ms: int) -> R:
        """`answer`, when all running brokers have what was decided, so that a client may go to any of them.

        It does not wait for one that is slow, nor beyond the time of the request.
        """
        if self._log.network is not None and self.is_active:
            running = [
                broker.broker_id for broker in self._image.unfenced_brokers() if broker.broker_id != self._log.node_id
            ]
            if running:
                await self._log.replica_waits.applied_by(running, self._log.end_offset, min(timeout_ms, KNOWN_MS_MAX))
        return answer

    def alter_configs(
        self, asked: Sequence[ResourceChange], *, validate_only: bool
    ) -> Pending[list[KafkaError | None]]:
        from kafkapy.metadata.altering import decide_alter_configs

        decision = decide_alter_configs(self.image, self.settings, asked, validate_only=validate_only)
        answer: Pending[list[KafkaError | None]] = Pending()

        def release(error: KafkaError | None) -> None:
            answer.answer([error if mine is None else mine for mine in decision.response])

        self._append_and_release(partial(self._append, decision.records) if decision.records else None, release)
        return answer

    async def elect_leaders(self, request: ElectLeadersRequest) -> ElectLeadersResponse:
        from kafkapy.metadata.many_partitions import elect_leaders

        return await elect_leaders(self, request)

    async def alter_partition_reassignments(
        self, request: AlterPartitionReassignmentsRequest
    ) -> AlterPartitionReassignmentsResponse:
        from kafkapy.metadata.many_partitions import alter_partition_reassignments

        return await alter_partition_reassignments(self, request)

    async def alter_partition(
        self, request: AlterPartitionRequest, version: int, order: Order
    ) -> AlterPartitionResponse:
        from kafkapy.metadata.many_replicas import alter_partition

        return await alter_partition(self, request, version, order)

    async def assign_replicas_to_dirs(self, request: AssignReplicasToDirsRequest) -> AssignReplicasToDirsResponse:
        from kafkapy.metadata.many_replicas import assign_replicas_to_dirs

        return await assign_replicas_to_dirs(self, request)

    def update_features(self, request: UpdateFeaturesRequest) -> Pending[UpdateFeaturesResponse]:
        from kafkapy_controller.feature_updates import decide_update_features, upgrades_quorum

        image, quorum = self.image, self._log.quorum
        min_isr = self._node_settings.now.with_dynamic({}, {}).topic_defaults.min_insync_replicas
        voter_ids, refusal = quorum.membership.voter_ids, quorum.upgrade_refusal
        decision = decide_update_features(image, request, self.leader_id, voter_ids, min_isr, refusal)

        def append() -> None:
            if decision.records:
                self._append(decision.records)
            if upgrades_quorum(image, request):
                self._log.upgrade_quorum()
                self._follow_quorum_record()

        return self._answer_of(decision, append)

    async def unregister_broker(self, broker_id: int) -> None:
        if broker_id == self._broker[0] and len(self.image.brokers) == 1:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST,
                f"Broker ID {broker_id} is this node, which is running alone: it cannot be unregistered",
            )
        await self.brokers.unregister(broker_id)

    def allocate_producer_ids(self, broker_id: int | None = None, broker_epoch: int = -1) -> Pending[ProducerIdBlock]:
        from kafkapy_controller.producer_ids import decide_allocate_producer_ids

        if broker_id is None:
            broker_id, broker_epoch = self._broker
        return self.commit(decide_allocate_producer_ids(self.image, broker_id, broker_epoch))

    # Nodes

    async def run(self) -> None:
        """Do what time asks for, until cancelled: nothing, as long as this node has the only broker of its cluster."""
        own = self.own_broker if self.is_active else None
        if not self.is_active or any(broker is not own for broker in self.image.brokers.values()):
            self._has_brokers.set()
        await self._has_brokers.wait()
        await self.brokers.run()

    @property
    def brokers(self) -> BrokerControl:
        """Registrations, heartbeats and chores: what a node with the only broker of its cluster does without."""
        if self._brokers is None:
            self._has_brokers.set()
            from kafkapy.metadata.broker_control import BrokerControl

            session_timeout_ms = self._node_settings.now.node.broker_session_timeout_ms
            self._brokers = BrokerControl(self, self._log.clock, session_timeout_ms)
        return self._brokers

    @property
    def own_broker(self) -> BrokerImage | None:
        """The broker that `register_broker` has registered."""
        broker_id, epoch = self._broker
        broker = self.image.brokers.get(broker_id)
        return broker if broker is not None and broker.epoch == epoch else None

    def register_controller(self, registration: NodeRegistration) -> Pending[None]:
        from kafkapy_controller.registration import decide_register_controller

        return self.commit(decide_register_controller(self.image, registration))

    def controller_registration(self, request: ControllerRegistrationRequest) -> Pending[None]:
        from kafkapy_controller.registration_requests import decide_controller_registration

        return self.commit(decide_controller_registration(self.image, request))

    def unregister_controller(self, controller_id: int) -> Pending[None]:
        from kafkapy_controller.registration_requests import decide_unregister_controller

        return self.commit(decide_unregister_controller(self.image, controller_id, self.leader_id))

    def register_broker(self, registration: NodeRegistration, previous_epoch: int = -1) -> Pending[int]:
        from kafkapy_controller.registration import decide_start_broker, has_other_brokers

        image, next_offset = self.image, self._log.end_offset
        if has_other_brokers(image, registration.node_id):
            from kafkapy_controller.registration_requests import decide_start_among_others, shutdown_of

            shutdown = shutdown_of(image, registration.node_id, previous_epoch)
            decision = decide_start_among_others(image, self.topic_rules, registration, shutdown, next_offset)
        else:
            decision = decide_start_broker(image, registration, next_offset)
        answer = self.commit(decision)
        if self._log.end_offset > decision.response:  # the broker epoch is the offset of the registration record
            self._broker = (registration.node_id, decision.response)
            if self._brokers is not None:
                self._brokers.note_own_broker()
        return answer

    def change_registration(self, broker_id: int, change: Callable[[BrokerImage], BrokerImage]) -> Pending[None]:
        from kafkapy_controller.registration import decide_change_registration

        return self.commit(decide_change_registration(self.image, broker_id, change))

    # Settings for decisions

    @property
    def settings(self) -> Settings:
        """The node's settings with the dynamic ones of the latest image, which may not be published yet."""
        now = self._node_settings.now
        default = self.image.resource_configs(ConfigResourceType.BROKER, "")
        broker = self.image.resource_configs(ConfigResourceType.BROKER, str(now.node.node_id))
        kept = self._settings_at
        if kept is None or kept[0] is not now or kept[1] is not default or kept[2] is not broker:
            kept = self._settings_at = (now, default, broker, now.with_dynamic(default, broker))
        return kept[3]

    @property
    def topic_rules(self) -> TopicRules:
        rules = self._topic_rules
        if rules is None:
            from kafkapy_controller.partition_changes import TopicRules

            rules = self._topic_rules = TopicRules(
                lambda topic: self._topic_settings(topic).min_insync_replicas,
                lambda topic: self._topic_settings(topic).unclean_leader_election_enable,
            )
        return rules

    def _topic_settings(self, topic: str) -> TopicSettings:
        own = self.image.resource_configs(ConfigResourceType.TOPIC, topic)
        return self.settings.topic_settings(own) if own else self.settings.topic_defaults

    def topic_creation(self) -> TopicCreation:
        settings, creation = self.settings, self._creation
        if creation is None or creation[0] is not settings:
            from kafkapy.metadata.topic_creation import topic_creation

            creation = self._creation = (settings, topic_creation(settings, self.random))
        return creation[1]

    # From a decision to its answer

    def commit(self, decision: Decision[R]) -> Pending[R]:
        """Append the records; what is decided is answered when they, and all it was decided on, are committed.

        A decision without records (TOPIC_ALREADY_EXISTS) waits, too: the topic may not be committed yet. If the disk is
        full or has failed, the answer is KAFKA_STORAGE_ERROR and nothing has changed; if only the flush has failed, the
        records are committed by the next flush that succeeds.
        """
        return self._answer_of(decision, partial(self._append, decision.records) if decision.records else None)

    def _answer_of(self, decision: Decision[R], append: Callable[[], None] | None) -> Pending[R]:
        answer: Pending[R] = Pending()

        def release(error: KafkaError | None) -> None:
            if error is None:
                answer.answer(decision.response)
            else:
                answer.refuse(error)

        self._append_and_release(append, release)
        return answer

    async def commit_in_turns(self, decide: Callable[[], Decision[R]]) -> Pending[R]:
        """As `commit`, for thousands of records: encoding and replaying are done before the append, in turns."""
        return await self.commit_in_steps(lambda _: _in_one_step(decide))

    async def commit_in_steps(self, decide: Callable[[MetadataImage], Steps[Decision[R]]]) -> Pending[R]:
        """The same for a decision that is itself made in steps, of which each turn takes some.

        If another decision was appended meanwhile, this one is made again on the new image; the last attempt is made
        without turns.
        """
        for _ in range(PREPARED_TIMES_MAX):
            image, end_offset = self.image, self._log.end_offset
            decision = await to_the_end(decide(image))
            prepared = await _prepare(self._log, image, decision.records)
            # The quorum appends records of its own, too, which are in no image.
            if self.image is image and self._log.end_offset == end_offset:
                return self._answer_of(decision, partial(self._append_prepared, prepared) if prepared else None)
        return self.commit(at_once(decide(self.image)))

    def _append_prepared(self, prepared: _Prepared) -> None:
        self._log.append_prepared(prepared.event)
        self._replayed(prepared.delta)

    def _append_and_release(
        self, append: Callable[[], None] | None, release: Callable[[KafkaError | None], None]
    ) -> None:
        if append is not None:
            try:
                append()
            except KafkaError as error:
                release(error)
                return
        self._log.when_committed(release)

    def _append(self, records: Sequence[MetadataRecord]) -> None:
        """Append and replay. Raises KafkaError: KAFKA_STORAGE_ERROR, NOT_CONTROLLER; then nothing has changed."""
        self._append_at(records, self.image.metadata_version)

    def _append_at(self, records: Sequence[MetadataRecord], metadata_version: int) -> None:
        delta = MetadataDelta(self._image)
        for record in records:
            delta.replay(record)
        self._log.append(records, metadata_version)
        self._replayed(delta)

    def _replayed(self, delta: MetadataDelta) -> None:
        image, kraft_version = delta.apply(self._log.end_offset - 1, self._log.epoch), self._log.kraft_version
        self._image = image if image.kraft_version == kraft_version else image._replace(kraft_version=kraft_version)
        self._loader.decided(self._image, delta)
