"""`Fault`: a rule in force, with what it has met and done."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Protocol

import trio

from kafkapy.errors import InjectedEnd
from kafkapy.faults.matching import Matcher, Never, may_match
from kafkapy.pending import NoAnswer, Pending

if TYPE_CHECKING:
    from kafkapy.context import NodeContext
    from kafkapy.faults.matching import Selected
    from kafkapy.faults.rule import Rule
    from kafkapy_controller.image import MetadataImage
    from kafkapy_wire.api_keys import ApiKey
    from kafkapy_wire.message import Message


class ObeysFaults(Protocol):
    """A transport on which faults have put words about connections."""

    def obey(self, fault: Fault, /) -> None: ...
    def disobey(self, fault: Fault, /) -> None: ...


class Fault:
    """A rule that was added to an engine."""

    def __init__(self, fault_id: int, rule: Rule) -> None:
        self.id = fault_id
        self.rule = rule
        self.matched = 0
        """How many requests have met the rule, whether it did something to them or not."""
        self.fired = 0
        """To how many requests it did something."""
        self.is_removed = False
        self.is_released = False
        self.images: dict[int, MetadataImage] = {}
        """For stale_metadata: the image that each node had when this was added."""
        self._random = Random(rule.seed or 0)
        self._matchers: dict[tuple[ApiKey, int], Matcher | None] = {}
        self._held: dict[Pending[None], None] = {}  # in the order in which they came
        self._lost: dict[NoAnswer, None] = {}
        self._transports: dict[ObeysFaults, None] = {}
        self._changed = trio.Event()

    def __str__(self) -> str:
        return f"fault {self.id} ({self.rule.name or self.rule})"

    @property
    def held(self) -> int:
        """How many requests wait for `release`."""
        return len(self._held)

    @property
    def is_spent(self) -> bool:
        """Whether it does nothing any more, as it has fired as often as it may, or was released or removed."""
        rule = self.rule
        if self.is_removed or (self.is_released and rule.hold is not None):
            return True
        if rule.times is not None and self.fired >= rule.times:
            return True
        return bool(rule.nth) and self.matched - rule.skip >= max(rule.nth)

    def release(self, count: int | None = None) -> int:
        """Let requests that are held go on, the first to come first; returns how many.

        Without a count all go on, and later ones are not held any more.
        """
        if count is None:
            self.is_released = True
        released = list(self._held)[:count]
        for pending in released:
            del self._held[pending]
        self._note_change()
        for pending in released:
            pending.answer(None)
        return len(released)

    async def wait_fired(self, count: int = 1) -> None:
        """Return when it has fired so often."""
        while self.fired < count:
            await self._changed.wait()

    async def wait_held(self, count: int = 1) -> None:
        """Return when so many requests are held."""
        while self.held < count:
            await self._changed.wait()

    # -- for the engine

    def meet(self, api_key: ApiKey, request: Message, context: NodeContext) -> tuple[Matcher, Selected] | None:
        """Whether the rule fires for the request; it is counted."""
        if self.is_spent or not may_match(self.rule, api_key, context):
            return None
        matcher = self._matcher(api_key, context.api_version)
        selected = None if matcher is None else matcher.match(request, context)
        if matcher is None or selected is None:
            return None
        self.matched += 1
        if not self._is_its_turn():
            return None
        self.fired += 1
        self._note_change()
        return matcher, selected

    def _matcher(self, api_key: ApiKey, version: int) -> Matcher | None:
        key = api_key, version
        if key not in self._matchers:
            try:
                self._matchers[key] = Matcher(self.rule, api_key, version)
            except Never:
                self._matchers[key] = None
        return self._matchers[key]

    def _is_its_turn(self) -> bool:
        rule = self.rule
        number = self.matched - rule.skip
        if number < 1 or (rule.nth and number not in rule.nth) or number % rule.every:
            return False
        return rule.probability is None or self._random.random() < rule.probability

    def varied(self, value: float, variation: float | None) -> float:
        """The value, longer or shorter by up to the variation, and not below 0."""
        return max(0.0, value + self._random.uniform(-variation, variation)) if variation else value

    def hold(self) -> Pending[None]:
        """What a request that is held waits for."""
        held: Pending[None] = Pending(lambda: self._forget(held))
        self._held[held] = None
        self._note_change()
        return held

    def _forget(self, held: Pending[None]) -> None:
        self._held.pop(held, None)
        self._note_change()

    def lose(self) -> NoAnswer:
        """What a request waits for that gets no answer: the end of its connection."""
        lost: NoAnswer = NoAnswer(lambda: self._lost.pop(lost, None))
        self._lost[lost] = None
        lost.when_settled(lambda _: self._lost.pop(lost, None))
        return lost

    def pace(self, transport: ObeysFaults) -> None:
        """The words about connections hold for this one until the fault is removed."""
        self._transports[transport] = None
        transport.obey(self)

    def forget_transport(self, transport: ObeysFaults) -> None:
        self._transports.pop(transport, None)

    def end(self) -> None:
        """It was removed: requests that are held go on, connections without answers are closed."""
        self.is_removed = True
        self.release()
        for lost in list(self._lost):
            lost.refuse(InjectedEnd(f"{self} was removed, which has withheld an answer"))
        for transport in list(self._transports):
            transport.disobey(self)
        self._transports.clear()
        self.images.clear()

    def _note_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
