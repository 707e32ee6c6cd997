"""The brokers of a cluster, under its active controller: registrations, heartbeats, fencing, and chores by the clock.

What it knows besides the image (who was heard of when) is in memory only, and begins anew whenever this controller
becomes active. Nodes of one broker need none of it: the controller makes it when it is first asked for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from kafkapy.metadata.broker_changes import PARTITIONS_PER_PIECE, carry_out, change_in_pieces, change_most_partitions
from kafkapy.metadata.isr_senders import IsrSenders
from kafkapy.turns import Turn
from kafkapy_controller.broker_heartbeats import NO_EPOCH, BrokerControlState, BrokerHeartbeats
from kafkapy_controller.broker_transitions import (
    Transition,
    check_broker_epoch,
    check_is_registered,
    directory_records,
    failed_directories,
    leads_partitions,
    partition_records,
    partitions_in_directories,
)
from kafkapy_controller.chores import Chore, ControllerChores
from kafkapy_controller.decision import Decision
from kafkapy_controller.leader_balance import decide_elections, partitions_led_by_another, partitions_to_recover
from kafkapy_controller.partition_changes import Election
from kafkapy_controller.registration_requests import (
    ENTRIES_MAX,
    check_broker_registration,
    decide_register_broker,
    shutdown_before,
)
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from kafkapy_wire.messages.broker_registration import BrokerRegistrationRequest, BrokerRegistrationResponse
from kafkapy_wire.record_formats.metadata import NoOpRecord
from kafkapy_wire.uuid import uuid_text

if TYPE_CHECKING:
    from kafkapy.clock import Clock
    from kafkapy.pending import Pending
    from kafkapy.settings import Settings
    from kafkapy_controller.image import BrokerImage, MetadataImage
    from kafkapy_controller.metadata_records import MetadataRecord
    from kafkapy_controller.partition_changes import TopicRules
    from kafkapy_controller.registration import NodeRegistration

R = TypeVar("R")

logger = logging.getLogger("kafkapy.controller")

JUST_AFTER_MS = 1
"""A session is over once more than its timeout has passed."""

_TRANSITIONS = {
    BrokerControlState.FENCED: Transition.FENCING,
    BrokerControlState.UNFENCED: Transition.UNFENCING,
    BrokerControlState.CONTROLLED_SHUTDOWN: Transition.CONTROLLED_SHUTDOWN,
    BrokerControlState.SHUTDOWN_NOW: Transition.FENCING,
}
_WORDS = {
    BrokerControlState.FENCED: "fenced",
    BrokerControlState.UNFENCED: "unfenced",
    BrokerControlState.CONTROLLED_SHUTDOWN: "in controlled shutdown",
    BrokerControlState.SHUTDOWN_NOW: "fenced, and may stop",
}


class ActiveController(Protocol):
    """The part of the controller that is needed here."""

    @property
    def is_active(self) -> bool: ...

    def not_active(self) -> KafkaError:
        """The error for requests that another controller should get."""

    @property
    def own_broker(self) -> BrokerImage | None:
        """The broker that this controller has registered, as it is in the same process and nobody else is asked."""

    @property
    def image(self) -> MetadataImage:
        """The image of all appended records."""

    @property
    def end_offset(self) -> int:
        """Of the metadata log: where the next record will be."""

    @property
    def epoch(self) -> int:
        """The epoch of the quorum."""

    @property
    def settings(self) -> Settings: ...

    @property
    def topic_rules(self) -> TopicRules: ...

    def commit(self, decision: Decision[R]) -> Pending[R]: ...


class BrokerControl:
    """One part of a controller. Every method raises KafkaError NOT_CONTROLLER while the controller is not active."""

    def __init__(self, controller: ActiveController, clock: Clock, session_timeout_ms: int) -> None:
        self._controller = controller
        self._clock = clock
        self._heartbeats = BrokerHeartbeats(session_timeout_ms)
        self.isr_senders = IsrSenders()
        self._chores = ControllerChores()
        self._active_epoch = -1  # of the quorum, that the sessions belong to; -1: this controller is not active
        self._idle_since = -1  # where the metadata log ended when it was looked at last
        self._wake = trio.Event()  # what `run` waits for has changed
        self.notice_leadership()

    def notice_leadership(self) -> None:
        """The controller has become active, or is active no more: begin with new sessions, or forget them."""
        epoch = self._controller.epoch if self._controller.is_active else -1
        if epoch == self._active_epoch:
            return
        self._active_epoch = epoch
        if epoch < 0:
            self._chores.deactivate()
        else:
            now_ms = self._clock.monotonic_ms()
            self._heartbeats.activate(self._controller.image, now_ms)
            self.note_own_broker()
            self._idle_since = self._controller.end_offset
            self._chores.activate(_intervals(self._controller.settings), now_ms)
        self._wake.set()

    # Requests of brokers

    async def register(
        self, request: BrokerRegistrationRequest, version: int, cluster_id: str
    ) -> BrokerRegistrationResponse:
        """BrokerRegistration, sent in `version`.

        Raises KafkaError: those of `check_broker_registration`, and those of a commit.
        """
        self._check_active()
        self._check_registration(request, cluster_id)
        existing = self._controller.image.brokers.get(request.broker_id)
        shutdown = self._shutdown_before(request, version)
        keys = None
        if existing is not None and shutdown is not None:
            keys = await change_most_partitions(self._controller, existing, shutdown)
        # Another broker may have registered with the id meanwhile.
        registration = self._check_registration(request, cluster_id)
        image, controller = self._controller.image, self._controller
        shutdown = self._shutdown_before(request, version)
        decision = decide_register_broker(
            image, controller.topic_rules, registration, shutdown, controller.end_offset, keys
        )
        ended_epoch = self._ended_epoch(request, shutdown)
        answer = controller.commit(decision)
        broker = controller.image.brokers.get(request.broker_id)
        if broker is not None and broker.epoch == decision.response:
            self._heartbeats.note_registered(broker.broker_id, broker.epoch, controller.end_offset - 1, ended_epoch)
        epoch = await answer.wait()
        logger.info(
            "broker %d has registered with epoch %d%s",
            request.broker_id,
            epoch,
            _said_of(shutdown) if existing is not None else "",
        )
        return BrokerRegistrationResponse(broker_epoch=epoch)

    def _shutdown_before(self, request: BrokerRegistrationRequest, version: int) -> Transition | None:
        image = self._controller.image
        existing = image.brokers.get(request.broker_id)
        ended_epoch = NO_EPOCH if existing is None else self._heartbeats.ended_epoch(existing)
        return shutdown_before(image, request, version, ended_epoch)

    def _ended_epoch(self, request: BrokerRegistrationRequest, shutdown: Transition | None) -> int:
        """In which the run before the one that registers has ended in order; NO_EPOCH: it has not."""
        former = self._controller.image.brokers.get(request.broker_id)
        if former is None or shutdown is not Transition.CLEAN_SHUTDOWN:
            return NO_EPOCH
        told = request.previous_broker_epoch
        return told if told in (former.epoch, self._heartbeats.ended_epoch(former)) else NO_EPOCH

    def _check_registration(self, request: BrokerRegistrationRequest, cluster_id: str) -> NodeRegistration:
        image = self._controller.image
        existing = image.brokers.get(request.broker_id)
        has_session = existing is not None and self._heartbeats.has_session(existing, self._clock.monotonic_ms())
        return check_broker_registration(image, request, cluster_id=cluster_id, has_session=has_session)

    async def heartbeat(self, request: BrokerHeartbeatRequest) -> BrokerHeartbeatResponse:
        """BrokerHeartbeat. Raises KafkaError: STALE_BROKER_EPOCH, and those of a commit."""
        self._check_active()
        controller = self._controller
        broker = check_broker_epoch(controller.image, request.broker_id, request.broker_epoch)
        self._touch(broker)
        has_caught_up = self._heartbeats.has_caught_up(broker, request.current_metadata_offset)
        current, following = self._heartbeats.next_state(
            controller.image, request, lambda: leads_partitions(controller.image, broker.broker_id)
        )
        self._heartbeats.note_offset(broker, request.current_metadata_offset)
        if following is not current and not (broker.fenced and following.is_fenced):
            if following is BrokerControlState.UNFENCED:
                self._heartbeats.note_unfenced(broker)
            await carry_out(controller, broker, _TRANSITIONS[following])
            logger.info("broker %d was %s and is %s now", broker.broker_id, _WORDS[current], _WORDS[following])
        if following is BrokerControlState.CONTROLLED_SHUTDOWN:
            self._heartbeats.begin_controlled_shutdown(broker, controller.end_offset - 1)
        await self._note_directories(request)
        response = BrokerHeartbeatResponse(
            is_caught_up=has_caught_up,
            is_fenced=following.is_fenced,
            should_shut_down=following is BrokerControlState.SHUTDOWN_NOW,
        )
        return await controller.commit(Decision([], response)).wait()

    async def _note_directories(self, request: BrokerHeartbeatRequest) -> None:
        """Log directories that have failed, or take no more replicas, as the heartbeat says.

        Raises KafkaError INVALID_REQUEST: they are more than a broker can have registered.
        """
        if max(len(request.offline_log_dirs), len(request.cordoned_log_dirs or ())) > ENTRIES_MAX:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"A broker has no more than {ENTRIES_MAX} log directories.")
        controller = self._controller
        broker = check_broker_epoch(controller.image, request.broker_id, request.broker_epoch)
        failed = failed_directories(controller.image, broker, request.offline_log_dirs)
        records: list[MetadataRecord] = []
        if failed:
            keys = await change_in_pieces(
                controller,
                lambda image: partitions_in_directories(image, failed),
                lambda image, keys: partition_records(
                    image, controller.topic_rules, broker.broker_id, Transition.FENCING, keys
                ),
                lambda image: check_broker_epoch(image, broker.broker_id, broker.epoch),
            )
            broker = check_broker_epoch(controller.image, request.broker_id, request.broker_epoch)
            records = partition_records(
                controller.image, controller.topic_rules, broker.broker_id, Transition.FENCING, keys
            )
            logger.warning(
                "broker %d has lost the log directories %s", broker.broker_id, ", ".join(map(uuid_text, failed))
            )
        records += directory_records(controller.image, broker, failed, request.cordoned_log_dirs)
        if records:
            controller.commit(Decision(records, None))

    async def unregister(self, broker_id: int) -> None:
        """UnregisterBroker. Raises KafkaError: BROKER_ID_NOT_REGISTERED, and those of a commit."""
        self._check_active()
        broker = check_is_registered(self._controller.image, broker_id)
        await (await carry_out(self._controller, broker, Transition.UNREGISTERING)).wait()
        logger.info("broker %d is unregistered", broker_id)

    def note_own_broker(self) -> None:
        """The broker of this process may have been registered: its session begins, and does not end."""
        broker = self._controller.own_broker
        if broker is not None:
            self._heartbeats.keep(broker)

    def _touch(self, broker: BrokerImage) -> None:
        had_deadline = self._heartbeats.deadline_ms is not None
        self._heartbeats.touch(broker, self._clock.monotonic_ms())
        if not had_deadline:
            self._wake.set()

    def _check_active(self) -> None:
        self.notice_leadership()
        if self._active_epoch < 0:
            raise self._controller.not_active()

    # By the clock

    async def run(self) -> None:
        """Fence brokers that are silent, and do the chores, until cancelled. Does nothing while not active."""
        while True:
            self.notice_leadership()
            self._wake = trio.Event()
            now_ms = self._clock.monotonic_ms()
            if self._active_epoch >= 0:
                await self._do_due(now_ms)
            deadline_ms = self._deadline_ms()
            if deadline_ms is None:
                await self._wake.wait()
            else:
                await self._clock.wait(self._wake, max(deadline_ms - self._clock.monotonic_ms(), 0))

    def _deadline_ms(self) -> float | None:
        if self._active_epoch < 0:
            return None
        session_ms = self._heartbeats.deadline_ms
        deadlines = [self._chores.deadline_ms, None if session_ms is None else session_ms + JUST_AFTER_MS]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    async def _do_due(self, now_ms: float) -> None:
        for broker in self._heartbeats.take_expired(self._controller.image, now_ms):
            await self._fence(broker)
        for chore in self._chores.take_due(now_ms):
            try:
                if chore is Chore.WRITE_NO_OP:
                    self._write_no_op()
                else:
                    await self._elect(chore)
            except KafkaError as error:
                logger.info("cannot elect leaders now: %s", error)

    def _write_no_op(self) -> None:
        """Write a record that says nothing, unless there was another since the last time."""
        if self._controller.end_offset == self._idle_since:
            self._controller.commit(Decision([NoOpRecord()], None))
        self._idle_since = self._controller.end_offset

    async def _fence(self, broker: BrokerImage) -> None:
        logger.info(
            "broker %d is fenced: it has sent no heartbeat for %d ms",
            broker.broker_id,
            self._heartbeats.session_timeout_ms,
        )
        try:
            fenced = await carry_out(self._controller, broker, Transition.FENCING)
        except KafkaError as error:
            self._not_fenced(broker, error)
        else:
            # Not awaited: without a majority nothing is committed, and other brokers' sessions go on.
            fenced.when_settled(lambda _: self._check_fenced(broker, fenced))

    def _check_fenced(self, broker: BrokerImage, fenced: Pending[None]) -> None:
        try:
            fenced.result()
        except KafkaError as error:
            self._not_fenced(broker, error)

    def _not_fenced(self, broker: BrokerImage, error: KafkaError) -> None:
        """The disk has refused it: the session times out once more. Or this controller is active no more."""
        logger.info("cannot fence broker %d now: %s", broker.broker_id, error)
        self._touch(broker)

    async def _elect(self, chore: Chore) -> None:
        controller, election = self._controller, None
        if chore is Chore.ELECT_PREFERRED:
            election = Election.PREFERRED
            keys = partitions_led_by_another(controller.image)
        else:
            keys = partitions_to_recover(controller.image, controller.topic_rules)
        changed = 0
        turn = Turn()
        for start in range(0, len(keys), PARTITIONS_PER_PIECE):
            piece = keys[start : start + PARTITIONS_PER_PIECE]
            decision = decide_elections(controller.image, controller.topic_rules, piece, election)
            if decision.records:
                controller.commit(decision)
                changed += decision.response
            await turn.share()
        if changed:
            logger.info("elected leaders of %d partitions (%s)", changed, chore.name.lower())


def _intervals(settings: Settings) -> dict[Chore, float]:
    replication, idle_interval_ms = settings.replication, settings.node.metadata_max_idle_interval_ms
    intervals: dict[Chore, float] = {Chore.ELECT_FOR_LEADERLESS: replication.unclean_leader_election_interval_ms}
    if idle_interval_ms:
        intervals[Chore.WRITE_NO_OP] = idle_interval_ms
    if replication.auto_leader_rebalance_enable:
        intervals[Chore.ELECT_PREFERRED] = replication.leader_imbalance_check_interval_seconds * 1_000
    return intervals


def _said_of(shutdown: Transition | None) -> str:
    match shutdown:
        case Transition.CLEAN_SHUTDOWN:
            return "; its last run had ended in order"
        case Transition.UNCLEAN_SHUTDOWN:
            return "; its last run did not end in order, so that it may have lost records"
    return " again"
