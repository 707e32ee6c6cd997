"""A broker's registration with the active controller, and its session there (KIP-631).

A broker registers when it starts, and is fenced: it has no part in its partitions. It sends heartbeats. When it has the
metadata up to its registration and has recovered its logs, the controller unfences it and makes it leader where it may.
When the broker stops, it asks first that its partitions be led by others. If the controller does not hear of it for
broker.session.timeout.ms, it is fenced again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from kafkapy.errors import StartupError
from kafkapy_controller.metadata_version import CORDONED_LOG_DIRS, DIRECTORY_ASSIGNMENT
from kafkapy_wire.errors import ErrorCode, KafkaError, error_code
from kafkapy_wire.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from kafkapy_wire.messages.broker_registration import (
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
    Feature,
    Listener,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkapy.clock import Clock
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.peers.channel import ControllerChannel
    from kafkapy.settings.current import CurrentSettings
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_controller.registration import NodeRegistration
    from kafkapy_wire.uuid import Uuid

logger = logging.getLogger("kafkapy.broker")

NO_EPOCH: Final = -1
RETRY_MS: Final = 100
SHUTDOWN_MS_MAX: Final = 5_000
"""How long a stopping broker waits at most for others to take its partitions over."""
LOST_CONTROLLER_MS: Final = 1_000
"""A stopping broker that has had no answer for so long stops without one: the controllers may be stopping, too."""

NODES_NEED: Final = ": the principal of the nodes has to be one of super.users, or may do CLUSTER_ACTION"


class DirectoryStates(NamedTuple):
    """Ids of log directories."""

    offline: Sequence[Uuid]
    """Those that have failed since the registration."""
    cordoned: Sequence[Uuid]
    """Those that take no new replicas."""


class BrokerLifecycle:
    """One broker's registration. `epoch` is its broker epoch, once it is registered."""

    def __init__(
        self,
        registration: NodeRegistration,
        cluster_id: str,
        channel: ControllerChannel,
        publisher: MetadataPublisher,
        settings: CurrentSettings,
        clock: Clock,
        *,
        previous_epoch: int = NO_EPOCH,
        directories: Callable[[], DirectoryStates] | None = None,
    ) -> None:
        """`previous_epoch`: that of the run which stopped cleanly on these directories, by their shutdown markers.
        `directories`: which of several are offline, and which are cordoned.
        """
        self.epoch = NO_EPOCH
        self._registration = registration
        self._cluster_id = cluster_id
        self._channel = channel
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._previous_epoch = previous_epoch
        self._directories = directories
        self._is_ready = False
        self._is_stopping = False
        self._answered_ms = 0.0
        self._refused_with = ErrorCode.NONE
        """The error by which heartbeats are answered, which is logged once."""
        self._soon = trio.Event()  # set when a heartbeat is due before its time
        self._published = trio.Event()  # set when there is a newer image
        self._unfenced = trio.Event()
        self._taken = trio.Event()  # set when the controller has taken another heartbeat
        self._may_stop = trio.Event()
        publisher.subscribe(self._follow_metadata)

    @property
    def node_id(self) -> int:
        return self._registration.node_id

    def registered(self, epoch: int) -> None:
        """The controller of this process has registered and unfenced the broker, in this epoch."""
        self.epoch = epoch
        self._is_ready = True
        self._unfenced.set()

    def move_to_rack(self, rack: str | None) -> None:
        """Say so with the next registration."""
        self._registration = self._registration._replace(rack=rack)

    async def register(self) -> None:
        """Register, as soon as there is an active controller.

        Raises StartupError: the controller refuses this broker.
        """
        deadline_ms = self._clock.monotonic_ms() + self._settings.now.node.initial_broker_registration_timeout_ms
        is_said = False
        while True:
            code = await self._register_once()
            if code is ErrorCode.NONE:
                logger.debug("broker %d is registered in epoch %d", self.node_id, self.epoch)
                return
            if code is ErrorCode.DUPLICATE_BROKER_REGISTRATION:
                # The session of the last run, which was killed, may have to end first. Or another node has this id.
                if self._clock.monotonic_ms() > deadline_ms:
                    raise StartupError(
                        f"another running broker has node.id={self.node_id} (DUPLICATE_BROKER_REGISTRATION): give this "
                        "one another id, or stop the other one"
                    )
                if not is_said:
                    is_said = True
                    logger.info("broker %d is still registered: waiting until its last session ends", self.node_id)
            elif code not in (ErrorCode.NOT_CONTROLLER, ErrorCode.REQUEST_TIMED_OUT, ErrorCode.UNKNOWN_SERVER_ERROR):
                advice = _ADVICE.get(code, "see its log")
                raise StartupError(f"the active controller refuses broker {self.node_id}: {code.name}: {advice}")
            await self._clock.sleep(RETRY_MS)

    async def _register_once(self) -> ErrorCode:
        registration = self._registration
        request = BrokerRegistrationRequest(
            broker_id=registration.node_id,
            cluster_id=self._cluster_id,
            incarnation_id=registration.incarnation_id,
            listeners=[
                Listener(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
                for e in registration.endpoints
            ],
            features=[
                Feature(name=name, min_supported_version=low, max_supported_version=high)
                for name, (low, high) in registration.features.items()
            ],
            rack=registration.rack,
            log_dirs=list(registration.log_dirs),
            previous_broker_epoch=self._previous_epoch,
        )
        try:
            answer = await self._channel.ask(request, timeout_ms=self._request_timeout_ms)
        except KafkaError as error:
            return error.code
        assert isinstance(answer, BrokerRegistrationResponse)
        if not answer.error_code:
            self.epoch = answer.broker_epoch
        return error_code(answer.error_code)

    @property
    def _request_timeout_ms(self) -> int:
        return self._settings.now.node.broker_session_timeout_ms // 2

    async def caught_up(self) -> None:
        """Wait until the published image has the registration."""
        while self._publisher.image.offset < self.epoch:
            self._published = trio.Event()
            await self._published.wait()

    def ready(self) -> None:
        """The broker has recovered its logs and may lead partitions: from now on it asks to be unfenced."""
        self._is_ready = True
        self._soon.set()

    async def unfenced(self) -> None:
        """Wait until the published image says that the broker has a part in its partitions."""
        await self._unfenced.wait()

    def directories_changed(self) -> None:
        """Tell the controller at once that log directories are offline, or cordoned."""
        self._soon.set()

    async def in_touch(self) -> None:
        """Wait until the controller has taken another heartbeat: `run` sends it at once."""
        self._soon.set()
        await self._taken.wait()

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        while True:
            self._soon = trio.Event()
            interval_ms = self._settings.now.node.broker_heartbeat_interval_ms
            answered = await self._beat(interval_ms)
            if self._soon.is_set():
                continue
            if not answered or not self._unfenced.is_set() or self._is_stopping:
                interval_ms = min(RETRY_MS, interval_ms)
            await self._clock.wait(self._soon, interval_ms)

    async def _beat(self, timeout_ms: int) -> bool:
        """Send one heartbeat; whether the controller has taken it."""
        request = BrokerHeartbeatRequest(
            broker_id=self.node_id,
            broker_epoch=self.epoch,
            current_metadata_offset=self._publisher.image.offset,
            want_fence=not self._is_ready,
            want_shut_down=self._is_stopping,
        )
        self._say_directories(request)
        try:
            answer = await self._channel.ask(request, timeout_ms=timeout_ms)
        except KafkaError as error:
            logger.debug("no heartbeat: %s", error.message)
            return False
        assert isinstance(answer, BrokerHeartbeatResponse)
        self._answered_ms = self._clock.monotonic_ms()
        code = error_code(answer.error_code)
        if code in (ErrorCode.STALE_BROKER_EPOCH, ErrorCode.BROKER_ID_NOT_REGISTERED):
            logger.warning("broker %d is not registered any more (%s): it registers again", self.node_id, code.name)
            await self._register_once()
            return False
        if code is not ErrorCode.NONE:
            level = logging.DEBUG if code is self._refused_with else logging.WARNING
            advice = NODES_NEED if code is ErrorCode.CLUSTER_AUTHORIZATION_FAILED else ""
            line = "the active controller refuses heartbeats of broker %d: %s%s"
            logger.log(level, line, self.node_id, code.name, advice)
            self._refused_with = code
            return False
        self._refused_with = ErrorCode.NONE
        if answer.should_shut_down:
            self._may_stop.set()
        self._taken.set()
        self._taken = trio.Event()
        return True

    def _say_directories(self, request: BrokerHeartbeatRequest) -> None:
        """What an active controller of the cluster's metadata.version understands."""
        if self._directories is None:
            return
        level, states = self._publisher.image.metadata_version, self._directories()
        if level >= DIRECTORY_ASSIGNMENT:
            request.offline_log_dirs = list(states.offline)
        if level >= CORDONED_LOG_DIRS:
            request.cordoned_log_dirs = list(states.cordoned)

    async def hand_over(self) -> None:
        """Have other brokers lead what this one leads, for a clean stop; bounded in time. `run` must be running."""
        self._is_stopping = True
        self._soon.set()
        asked_ms = self._answered_ms = self._clock.monotonic_ms()
        while not await self._clock.wait(self._may_stop, RETRY_MS):
            now_ms = self._clock.monotonic_ms()
            if now_ms - self._answered_ms > LOST_CONTROLLER_MS:
                logger.info("broker %d stops without handing over: there is no active controller", self.node_id)
                return
            if now_ms - asked_ms > SHUTDOWN_MS_MAX:
                logger.warning("broker %d stops although others have not taken over everything", self.node_id)
                return

    def _follow_metadata(self, image: MetadataImage, _delta: MetadataDelta) -> None:
        self._published.set()
        if image.offset < self.epoch or self._unfenced.is_set():
            return
        self._soon.set()
        broker = image.brokers.get(self.node_id)
        if broker is not None and broker.epoch == self.epoch and not broker.fenced:
            self._unfenced.set()


_ADVICE = {
    ErrorCode.INCONSISTENT_CLUSTER_ID: "its directory belongs to another cluster: name the directory of this one",
    ErrorCode.UNSUPPORTED_VERSION: "the cluster uses a feature at a level that this release does not have",
    ErrorCode.INVALID_REGISTRATION: "it was registered with other roles, or lacks a listener that others need",
}
