"""The active controller removes delegation tokens that have expired, from time to time on the node's clock."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, TypeVar

from kafkapy_controller.delegation_tokens import decide_remove_expired
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from kafkapy.clock import Clock
    from kafkapy.pending import Pending
    from kafkapy_controller.decision import Decision
    from kafkapy_controller.image import MetadataImage

logger = logging.getLogger("kafkapy.controller")

R = TypeVar("R")


class Controller(Protocol):
    """The part of the controller that is needed here."""

    @property
    def is_active(self) -> bool: ...

    @property
    def image(self) -> MetadataImage:
        """The image of all appended records."""

    def commit(self, decision: Decision[R]) -> Pending[R]: ...


class TokenExpiry:
    def __init__(self, controller: Controller, clock: Clock, check_interval_ms: int) -> None:
        self._controller = controller
        self._clock = clock
        self._check_interval_ms = check_interval_ms

    async def run(self) -> None:
        """Every delegation.token.expiry.check.interval.ms, until cancelled."""
        while True:
            await self._clock.sleep(self._check_interval_ms)
            try:
                await self._remove_expired()
            except KafkaError as error:
                logger.info("cannot remove expired delegation tokens now: %s", error)

    async def _remove_expired(self) -> None:
        while self._controller.is_active:
            decision = decide_remove_expired(self._controller.image, self._clock.now_ms())
            if not decision.records:
                return
            await self._controller.commit(decision).wait()
            logger.info("%d expired delegation tokens are removed", len(decision.records))
