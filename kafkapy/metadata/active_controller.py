"""What a broker asks of the active controller on its own account: the one of this node without a socket, another one
through its channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

from kafkapy_wire.errors import ErrorCode, KafkaError, error_code

if TYPE_CHECKING:
    from kafkapy.metadata.ports import Controller
    from kafkapy_controller.producer_ids import ProducerIdBlock
    from kafkapy_wire.message import Message
    from kafkapy_wire.messages.allocate_producer_ids import AllocateProducerIdsResponse
    from kafkapy_wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse

TIMEOUT_MS: Final = 5_000
"""How long a request waits for a controller: its client has not asked for one, and will try again."""


class Channel(Protocol):
    """The way to the active controller: see `peers.ControllerChannel`."""

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        """Raises KafkaError REQUEST_TIMED_OUT."""


class ActiveController:
    """The active controller, wherever it is."""

    def __init__(self, here: Controller, channel: Channel) -> None:
        self._here = here
        self._channel = channel

    async def create_topics(self, request: CreateTopicsRequest) -> CreateTopicsResponse:
        """Raises KafkaError."""
        if self._here.is_active:
            try:
                return await self._here.create_topics(request)
            except KafkaError as error:
                if error.code is not ErrorCode.NOT_CONTROLLER:
                    raise
        return cast("CreateTopicsResponse", await self._channel.ask(request, timeout_ms=TIMEOUT_MS))

    async def allocate_producer_ids(self, broker_id: int, broker_epoch: int) -> ProducerIdBlock:
        """Raises KafkaError."""
        if self._here.is_active:
            try:
                return await self._here.allocate_producer_ids(broker_id, broker_epoch).wait()
            except KafkaError as error:
                if error.code is not ErrorCode.NOT_CONTROLLER:
                    raise
        from kafkapy_controller.producer_ids import ProducerIdBlock
        from kafkapy_wire.messages.allocate_producer_ids import AllocateProducerIdsRequest

        request = AllocateProducerIdsRequest(broker_id=broker_id, broker_epoch=broker_epoch)
        answer = cast("AllocateProducerIdsResponse", await self._channel.ask(request, timeout_ms=TIMEOUT_MS))
        if answer.error_code != ErrorCode.NONE:
            raise KafkaError(error_code(answer.error_code))
        if answer.producer_id_start < 0 or answer.producer_id_len <= 0:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "the controller has answered a block without producer ids")
        return ProducerIdBlock(answer.producer_id_start, answer.producer_id_len)
