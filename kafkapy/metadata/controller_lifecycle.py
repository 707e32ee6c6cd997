"""A controller's registration with the active one (KIP-919), among several controllers or brokers in other processes.

A controller registers when the metadata has a level that can say so, and again whenever the metadata no longer has its
registration: it was taken away by UnregisterController, or is that of an earlier run. The active one registers itself
in the same way.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from kafkapy_controller.metadata_version import CONTROLLER_REGISTRATION
from kafkapy_wire.errors import ErrorCode, KafkaError, error_code
from kafkapy_wire.messages.controller_registration import ControllerRegistrationRequest, Feature, Listener

if TYPE_CHECKING:
    from kafkapy.clock import Clock
    from kafkapy.metadata.publisher import MetadataPublisher
    from kafkapy.peers.channel import ControllerChannel
    from kafkapy_controller.delta import MetadataDelta
    from kafkapy_controller.image import MetadataImage
    from kafkapy_controller.registration import NodeRegistration

logger = logging.getLogger("kafkapy.controller")

RETRY_MS: Final = 1_000


class ControllerLifecycle:
    """One controller's registration. `run` keeps it in the metadata."""

    def __init__(
        self,
        registration: NodeRegistration,
        channel: ControllerChannel,
        publisher: MetadataPublisher,
        clock: Clock,
        *,
        request_timeout_ms: int,
    ) -> None:
        self._registration = registration
        self._channel = channel
        self._publisher = publisher
        self._clock = clock
        self._request_timeout_ms = request_timeout_ms
        self._published = trio.Event()  # set when there is a newer image
        publisher.subscribe(self._follow_metadata)

    def _follow_metadata(self, _image: MetadataImage, _delta: MetadataDelta) -> None:
        self._published.set()

    def _is_due(self) -> bool:
        image, own = self._publisher.image, self._registration
        if image.metadata_version < CONTROLLER_REGISTRATION:
            return False
        registered = image.controllers.get(own.node_id)
        return registered is None or registered.incarnation_id != own.incarnation_id

    async def run(self) -> None:
        """Register whenever that is due, until cancelled."""
        asked_ms: float | None = None  # when a registration was accepted that is not published yet
        while True:
            published = self._published = trio.Event()
            if not self._is_due():
                asked_ms = None
                await published.wait()
            elif asked_ms is None or self._clock.monotonic_ms() - asked_ms >= self._request_timeout_ms:
                if await self._register():
                    asked_ms = self._clock.monotonic_ms()
                else:
                    await self._clock.sleep(RETRY_MS)
            else:
                await self._clock.wait(published, self._request_timeout_ms)

    async def _register(self) -> bool:
        """Whether the active controller has accepted the registration."""
        own = self._registration
        request = ControllerRegistrationRequest(
            controller_id=own.node_id,
            incarnation_id=own.incarnation_id,
            listeners=[
                Listener(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
                for e in own.endpoints
            ],
            features=[
                Feature(name=name, min_supported_version=low, max_supported_version=high)
                for name, (low, high) in own.features.items()
            ],
        )
        try:
            answer = await self._channel.ask(request, timeout_ms=self._request_timeout_ms)
        except KafkaError as error:
            logger.debug("controller %d is not registered yet: %s", own.node_id, error.message)
            return False
        code = error_code(getattr(answer, "error_code", 0))
        if code is not ErrorCode.NONE:
            logger.warning("the active controller refuses controller %d: %s", own.node_id, code.name)
        return code is ErrorCode.NONE
