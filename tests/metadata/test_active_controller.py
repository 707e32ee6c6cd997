"""What a broker asks of the active controller on its own account: topics and producer ids, here or over the network."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from kafkapy.metadata.active_controller import ActiveController
from kafkapy.metadata.producer_ids import ProducerIds
from kafkapy.pending import Pending, settled
from kafkapy_controller.producer_ids import ProducerIdBlock
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message
from kafkapy_wire.messages.allocate_producer_ids import AllocateProducerIdsRequest, AllocateProducerIdsResponse
from kafkapy_wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from tests.shell.running_node import trio_test

BROKER_ID, BROKER_EPOCH = 4, 77


class Controllers:
    """The controller of this node, and the channel to that of another."""

    def __init__(self, *, is_active: bool, code: ErrorCode = ErrorCode.NONE) -> None:
        self.is_active = is_active
        self.code = code
        self.asked: list[Message] = []
        self.answer: Message = AllocateProducerIdsResponse(producer_id_start=5_000, producer_id_len=1_000)

    async def create_topics(self, request: CreateTopicsRequest) -> CreateTopicsResponse:
        if self.code is not ErrorCode.NONE:
            raise KafkaError(self.code)
        return CreateTopicsResponse(throttle_time_ms=1)

    def allocate_producer_ids(self, broker_id: int, broker_epoch: int) -> Pending[ProducerIdBlock]:
        assert (broker_id, broker_epoch) == (BROKER_ID, BROKER_EPOCH)
        if self.code is not ErrorCode.NONE:
            raise KafkaError(self.code)
        return settled(ProducerIdBlock(0, 10))

    async def ask(self, request: Message, *, timeout_ms: float) -> Message:
        assert timeout_ms > 0
        self.asked.append(request)
        return self.answer


def controller(controllers: Any) -> ActiveController:
    return ActiveController(controllers, controllers)


@pytest.mark.parametrize(
    ("is_active", "code", "goes_out"),
    [(True, ErrorCode.NONE, False), (False, ErrorCode.NONE, True), (True, ErrorCode.NOT_CONTROLLER, True)],
)
@trio_test
async def test_who_is_asked(is_active: bool, code: ErrorCode, goes_out: bool) -> None:
    """Also when the controller of this node ceases to be the active one between the two."""
    controllers = Controllers(is_active=is_active, code=code)
    block = await controller(controllers).allocate_producer_ids(BROKER_ID, BROKER_EPOCH)
    assert block == (ProducerIdBlock(5_000, 1_000) if goes_out else ProducerIdBlock(0, 10))
    expected = [AllocateProducerIdsRequest(broker_id=BROKER_ID, broker_epoch=BROKER_EPOCH)]
    assert controllers.asked == (expected if goes_out else [])
    controllers.answer, request = CreateTopicsResponse(throttle_time_ms=2), CreateTopicsRequest()
    answer = await controller(controllers).create_topics(request)
    assert answer.throttle_time_ms == (2 if goes_out else 1)


@trio_test
async def test_what_this_nodes_controller_refuses_is_refused() -> None:
    controllers = Controllers(is_active=True, code=ErrorCode.KAFKA_STORAGE_ERROR)
    for ask in (
        controller(controllers).allocate_producer_ids(BROKER_ID, BROKER_EPOCH),
        controller(controllers).create_topics(CreateTopicsRequest()),
    ):
        with pytest.raises(KafkaError) as refused:
            await ask
        assert refused.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert controllers.asked == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (AllocateProducerIdsResponse(error_code=ErrorCode.STALE_BROKER_EPOCH), ErrorCode.STALE_BROKER_EPOCH),
        (AllocateProducerIdsResponse(error_code=9_999), ErrorCode.UNKNOWN_SERVER_ERROR),
        (AllocateProducerIdsResponse(producer_id_start=5, producer_id_len=0), ErrorCode.UNKNOWN_SERVER_ERROR),
        (AllocateProducerIdsResponse(producer_id_start=-5, producer_id_len=9), ErrorCode.UNKNOWN_SERVER_ERROR),
    ],
)
@trio_test
async def test_answers_without_a_block(answer: Message, code: ErrorCode) -> None:
    controllers = Controllers(is_active=False)
    controllers.answer = answer
    with pytest.raises(KafkaError) as refused:
        await controller(controllers).allocate_producer_ids(BROKER_ID, BROKER_EPOCH)
    assert refused.value.code is code


class Blocks:
    """Blocks of ten ids, each given out when `more` is called."""

    def __init__(self) -> None:
        self.asked = 0
        self.refuses = False
        self._given = 0
        self._more = trio.Event()

    async def allocate(self) -> ProducerIdBlock:
        self.asked += 1
        await self._more.wait()
        self._more = trio.Event()
        if self.refuses:
            raise KafkaError(ErrorCode.REQUEST_TIMED_OUT)
        self._given += 10
        return ProducerIdBlock(self._given - 10, 10)

    async def more(self) -> None:
        self._more.set()
        await trio.testing.wait_all_tasks_blocked()


@trio_test
async def test_the_next_block_is_asked_for_before_the_first_is_used_up() -> None:
    blocks = Blocks()
    ids = ProducerIds(blocks.allocate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ids.run)
        first = ids.next()
        await trio.testing.wait_all_tasks_blocked()
        await blocks.more()
        given = [first.result(), *(ids.next().result() for _ in range(7))]
        await trio.testing.wait_all_tasks_blocked()
        assert (given, blocks.asked) == (list(range(8)), 1)
        assert ids.next().result() == 8
        await trio.testing.wait_all_tasks_blocked()
        assert blocks.asked == 2
        await blocks.more()
        assert [ids.next().result() for _ in range(10)] == list(range(9, 19))
        nursery.cancel_scope.cancel()


@trio_test
async def test_ids_that_the_controller_does_not_give_are_refused_and_asked_for_again() -> None:
    blocks = Blocks()
    blocks.refuses = True
    ids = ProducerIds(blocks.allocate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ids.run)
        pendings = [ids.next() for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked()
        await blocks.more()
        for pending in pendings:
            with pytest.raises(KafkaError) as refused:
                pending.result()
            assert refused.value.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        blocks.refuses = False
        pendings = [ids.next() for _ in range(12)]
        await trio.testing.wait_all_tasks_blocked()
        await blocks.more()
        await blocks.more()
        assert [pending.result() for pending in pendings] == list(range(12)), "more waited than a block has"
        nursery.cancel_scope.cancel()
