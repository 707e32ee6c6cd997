"""Which brokers are alive: what the active controller knows from their heartbeats (KIP-631), and keeps in memory only.

A session begins with the first heartbeat of a registration and lasts until `broker.session.timeout.ms` have passed
since the last one. When a controller becomes active, it gives every unfenced broker a new session, since it cannot know
when they were heard of last.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kafkapy_controller.image import BrokerImage, MetadataImage
    from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest

NOT_IN_SHUTDOWN: Final = -1
NO_OFFSET: Final = -1
NO_EPOCH: Final = -1
FOREVER: Final = inf

VERY_LATE: Final = 0.5
"""In session timeouts: so long after a session has timed out, it is not known whether the broker was silent."""


class BrokerControlState(Enum):
    """How a broker takes part in the cluster."""

    FENCED = auto()
    UNFENCED = auto()
    CONTROLLED_SHUTDOWN = auto()
    """Other brokers take over what it leads."""
    SHUTDOWN_NOW = auto()
    """It may stop; it is fenced."""

    @property
    def is_fenced(self) -> bool:
        return self in (BrokerControlState.FENCED, BrokerControlState.SHUTDOWN_NOW)


class _Session:
    """What is known of one registration of a broker."""

    __slots__ = ("contact_ms", "ended_epoch", "epoch", "metadata_offset", "registration_offset", "shutdown_offset")

    def __init__(self, epoch: int, registration_offset: int) -> None:
        self.epoch = epoch
        self.registration_offset = registration_offset
        """The broker has caught up once it has replayed the record there."""
        self.ended_epoch = NO_EPOCH
        """In which the run before it has ended in order, as long as the broker has not been unfenced in this epoch."""
        self.contact_ms: float | None = None
        """Of the last heartbeat; None before the first one, and after the session has timed out."""
        self.metadata_offset: float = NO_OFFSET
        self.shutdown_offset = NOT_IN_SHUTDOWN
        """The other brokers must have replayed the record there before this one may stop."""


class BrokerHeartbeats:
    """The sessions of all registered brokers. `now_ms` is on the controller's monotonic clock."""

    def __init__(self, session_timeout_ms: float) -> None:
        self.session_timeout_ms = session_timeout_ms
        self._sessions: dict[int, _Session] = {}

    def activate(self, image: MetadataImage, now_ms: float) -> None:
        """This controller has become active: begin with new sessions."""
        self._sessions.clear()
        for broker in image.brokers.values():
            session = self._session(broker)
            if not broker.fenced:
                session.contact_ms = now_ms

    # Sessions

    def has_session(self, broker: BrokerImage, now_ms: float) -> bool:
        """Whether this registration of the broker is alive."""
        session = self._sessions.get(broker.broker_id)
        return (
            session is not None
            and session.epoch == broker.epoch
            and session.contact_ms is not None
            and session.contact_ms + self.session_timeout_ms >= now_ms
        )

    def touch(self, broker: BrokerImage, now_ms: float) -> None:
        """A heartbeat of this registration has come, or something else that shows that the broker is alive."""
        self._session(broker).contact_ms = now_ms

    def keep(self, broker: BrokerImage) -> None:
        """The broker is in the process of this controller: it lives as long as this, and sends no heartbeats."""
        session = self._session(broker)
        session.contact_ms = session.metadata_offset = FOREVER

    def note_registered(
        self, broker_id: int, epoch: int, registration_offset: int, ended_epoch: int = NO_EPOCH
    ) -> None:
        """The broker has registered by the record at that offset. With a new epoch its former session is over.

        `ended_epoch`: in which its run before has ended in order.
        """
        session = self._sessions.get(broker_id)
        if session is None or session.epoch != epoch:
            session = self._sessions[broker_id] = _Session(epoch, registration_offset)
            session.ended_epoch = ended_epoch
        else:
            session.registration_offset = registration_offset

    def note_unfenced(self, broker: BrokerImage) -> None:
        """From now on the broker may be in sync, and how its run ends matters."""
        self._session(broker).ended_epoch = NO_EPOCH

    def ended_epoch(self, broker: BrokerImage) -> int:
        """In which the run before this registration has ended in order; -1: it has not, or this one was unfenced."""
        return self._session(broker).ended_epoch

    def take_expired(self, image: MetadataImage, now_ms: float) -> list[BrokerImage]:
        """The unfenced brokers whose session has timed out since the last call.

        It is to be called at `deadline_ms`. If it is called very late, this process was stopped or its clock has
        jumped: heartbeats may wait unread, so that those sessions begin anew instead.
        """
        expired: list[BrokerImage] = []
        very_late_ms = now_ms - self.session_timeout_ms * (1 + VERY_LATE)
        for broker_id, session in sorted(self._sessions.items()):
            broker = image.brokers.get(broker_id)
            if broker is None or broker.epoch != session.epoch:
                del self._sessions[broker_id]
            elif session.contact_ms is not None and session.contact_ms + self.session_timeout_ms < now_ms:
                is_very_late = session.contact_ms < very_late_ms
                session.contact_ms = now_ms if is_very_late else None
                if not (is_very_late or broker.fenced):
                    expired.append(broker)
        return expired

    @property
    def deadline_ms(self) -> float | None:
        """When `take_expired` has something to do next, unless heartbeats come; None: there is no session."""
        contacts = [session.contact_ms for session in self._sessions.values() if session.contact_ms is not None]
        first_ms = min(contacts, default=FOREVER)
        return None if first_ms == FOREVER else first_ms + self.session_timeout_ms

    # States

    def next_state(
        self, image: MetadataImage, request: BrokerHeartbeatRequest, leads_partitions: Callable[[], bool]
    ) -> tuple[BrokerControlState, BrokerControlState]:
        """The state of the broker now, and after this heartbeat. The request's epoch is that of the registration."""
        broker = image.brokers[request.broker_id]
        session = self._session(broker)
        if broker.fenced:
            session.shutdown_offset = NOT_IN_SHUTDOWN
            return BrokerControlState.FENCED, _next_of_fenced(session, request)
        if session.shutdown_offset == NOT_IN_SHUTDOWN:
            return BrokerControlState.UNFENCED, _next_of_unfenced(request, leads_partitions)
        is_done = not leads_partitions() and session.shutdown_offset <= self._lowest_active_offset(image)
        return (
            BrokerControlState.CONTROLLED_SHUTDOWN,
            BrokerControlState.SHUTDOWN_NOW if is_done else BrokerControlState.CONTROLLED_SHUTDOWN,
        )

    def has_caught_up(self, broker: BrokerImage, metadata_offset: int) -> bool:
        """Whether the broker, which has replayed up to there, knows of its own registration."""
        return metadata_offset >= self._session(broker).registration_offset

    def note_offset(self, broker: BrokerImage, metadata_offset: int) -> None:
        """The broker has replayed the metadata log up to there."""
        self._session(broker).metadata_offset = metadata_offset

    def begin_controlled_shutdown(self, broker: BrokerImage, end_offset: int) -> None:
        """The broker's leaders were moved by records up to there. For one that is in it, nothing changes."""
        session = self._session(broker)
        if session.shutdown_offset == NOT_IN_SHUTDOWN:
            session.shutdown_offset = end_offset

    def _lowest_active_offset(self, image: MetadataImage) -> float:
        """What every broker that goes on running has replayed."""
        offsets = [
            session.metadata_offset
            for broker_id, session in self._sessions.items()
            if session.shutdown_offset == NOT_IN_SHUTDOWN
            and (broker := image.brokers.get(broker_id)) is not None
            and broker.epoch == session.epoch
            and not broker.fenced
        ]
        return min(offsets, default=FOREVER)

    def _session(self, broker: BrokerImage) -> _Session:
        session = self._sessions.get(broker.broker_id)
        if session is None or session.epoch != broker.epoch:
            # A registration that was replayed: its epoch is the offset of the first record of its decision.
            session = self._sessions[broker.broker_id] = _Session(broker.epoch, broker.epoch)
        return session


def _next_of_fenced(session: _Session, request: BrokerHeartbeatRequest) -> BrokerControlState:
    if request.want_shut_down:
        return BrokerControlState.SHUTDOWN_NOW
    if not request.want_fence and request.current_metadata_offset >= session.registration_offset:
        return BrokerControlState.UNFENCED
    return BrokerControlState.FENCED


def _next_of_unfenced(request: BrokerHeartbeatRequest, leads_partitions: Callable[[], bool]) -> BrokerControlState:
    if request.want_fence:
        return BrokerControlState.SHUTDOWN_NOW if request.want_shut_down else BrokerControlState.FENCED
    if not request.want_shut_down:
        return BrokerControlState.UNFENCED
    return BrokerControlState.CONTROLLED_SHUTDOWN if leads_partitions() else BrokerControlState.SHUTDOWN_NOW
