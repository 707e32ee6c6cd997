"""Stages between a request and its handler, and between its answer and the bytes. Usually there are none.

Without stages a request costs one attribute test for each of them. In the order in which they are called:

gate      before `handle`: authorization, quotas
faults    around `handle`: injected faults. An operation is never changed half way: what it refuses was not carried
          out, and what its answer withholds was
accounts  after the answer, before it is encoded: throttling
meter     around all of it (`dispatch.Tap`): how long each request takes
tap       around all of it (`dispatch.Tap`): sees the bytes of each request and its answer, and changes neither
watch     around all of it (`dispatch.Tap`): which APIs clients ask for, while any may not reach this node
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from kafkapy.apis.served import Api
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.api_keys import ApiKey
    from kafkapy_wire.message import Message

    Steps: TypeAlias = Generator[Pending[Any] | Coroutine[object, object, Any], Message | None, Message | None]


class Gate(Protocol):
    def __call__(self, api_key: ApiKey, request: Message, context: NodeContext, /) -> Message | None:
        """An answer to give without doing the work, or None: go on. May raise KafkaError or CloseConnection."""


class FaultDoor(Protocol):
    def meet(self, api: Api, request: Message, context: NodeContext, /) -> Injection | None:
        """What to do to the request; None: nothing. Called once for each request, before it is handled."""


class Injection(Protocol):
    """What injected faults do to one request.

    `before` and `after` are generators: they yield a Pending or coroutine to wait for, are sent its result, and return
    an answer. They may raise CloseConnection.
    """

    request: Message
    """What is left of the request when `before` has returned: what it refuses is taken out."""

    def before(self) -> Steps:
        """Called before the request is handled. An answer takes the place of handling it; None: go on.

        May raise KafkaError: the request is refused with this.
        """

    def after(self, response: Message | None) -> Steps:
        """Returns the answer to give; None gives none. `response` is None for acks=0."""


class Accounts(Protocol):
    def before_encoding(self, api_key: ApiKey, response: Message, context: NodeContext) -> Message:
        """Called with each response before it is encoded; returns what is sent."""
