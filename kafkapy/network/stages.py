"""Stages between a request and its handler, and between its answer and the bytes. Usually there are none.

Without stages a request costs one attribute test for each of them. In the order in which they are called:

gate      before `handle`: authorization, quotas
faults    around `handle`: injected faults. An operation is never changed half way: a request that it refuses after
          decoding was not carried out, one whose answer it withholds was
accounts  after the answer: throttling, and counting of bytes
tap       around all of it (`dispatch.Tap`): sees the bytes of each request and its answer, and changes neither
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.pending import Pending
    from kafkapy_wire.api_keys import ApiKey
    from kafkapy_wire.message import Message

    MessageOrLater: TypeAlias = Message | Pending[Message | None] | None


class Gate(Protocol):
    def __call__(self, api_key: ApiKey, request: Message, context: NodeContext, /) -> Message | None:
        """An answer to give without doing the work, or None: go on. May raise KafkaError or CloseConnection."""


class FaultDoor(Protocol):
    """Both calls may return a Pending (a delay, a barrier), and raise CloseConnection."""

    def after_decoding(self, api_key: ApiKey, request: Message, context: NodeContext) -> MessageOrLater:
        """An answer to give without doing the work, or None: go on. May raise KafkaError."""

    def before_answering(
        self, api_key: ApiKey, request: Message, response: Message | None, context: NodeContext
    ) -> MessageOrLater:
        """The answer to give for work that was done; None gives none. `response` is None for acks=0."""


class Accounts(Protocol):
    def before_encoding(self, api_key: ApiKey, response: Message, context: NodeContext) -> None:
        """Called with each response before it is encoded: the place to set `response.throttle_time_ms`."""

    def answered(self, api_key: ApiKey, size_bytes: int, context: NodeContext) -> None:
        """Called when an answer is encoded, with its bytes on the wire."""
