"""What the fired faults do to one request, from its arrival to its answer."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from kafkapy.errors import InjectedEnd
from kafkapy.faults.answers import first_half, from_image, plain, with_corrupt_checksums, with_top_error
from kafkapy.faults.edits import edited
from kafkapy.faults.layout import TOP
from kafkapy.faults.refusal import Refusal
from kafkapy.faults.rule_fields import AFTER, BEFORE, MIDDLE
from kafkapy.pending import Pending
from kafkapy_wire.api_keys import response_class
from kafkapy_wire.errors import KafkaError
from kafkapy_wire.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from kafkapy.apis.served import Api
    from kafkapy.context import NodeContext
    from kafkapy.faults.fault import Fault
    from kafkapy.faults.matching import Matcher, Selected
    from kafkapy.faults.timers import RealTimers

    Answer: TypeAlias = Message | None
    Steps: TypeAlias = Generator[Pending[Any] | Coroutine[object, object, Any], Answer, Answer]


class Firing(NamedTuple):
    """One fault that fires for one request."""

    fault: Fault
    matcher: Matcher
    selected: Selected

    @property
    def changes_answer(self) -> bool:
        """Whether the answer must be there with all its fields, even if parts of it are encoded already."""
        rule = self.fault.rule
        changes = rule.error, rule.edit, rule.throttle_time_ms
        return rule.corrupt_crc or any(change is not None for change in changes)


class Injection:
    """One request that faults have met. `before` and `after` are called once each, and driven by the dispatcher."""

    def __init__(
        self,
        api: Api,
        request: Message,
        context: NodeContext,
        timers: RealTimers,
        still_served: Callable[[], bool],
    ) -> None:
        """`still_served`: whether the node has not stopped meanwhile."""
        self.request = request
        """What is left to be handled of the request."""
        self._api = api
        self._context = context
        self._timers = timers
        self._still_served = still_served
        self._firings: list[Firing] = []
        self._refusals: dict[int, Refusal] = {}
        self._nothing_is_left = False

    def add(self, firing: Firing) -> bool:
        """Returns whether later rules may meet the request, too: False if nothing is left of it."""
        self._firings.append(firing)
        rule = firing.fault.rule
        depth = firing.matcher.error_depth
        if rule.error is not None and depth:
            refusal = Refusal(rule, self._api, firing.selected, depth, self.request, self._context)
            self._refusals[firing.fault.id] = refusal
            left = refusal.take_out(self.request)
            if left is None:
                self._nothing_is_left = True
                return False
            self.request = left
        ends = (rule.error is not None and not depth and not rule.applied) or BEFORE in (
            rule.disconnect,
            rule.reset_peer,
            rule.black_hole,
        )
        return not ends

    def before(self) -> Steps:
        """Waits and refusals before the request is handled. An answer that it returns takes the place of handling it.

        Raises KafkaError: the answer is that of a request refused with this; CloseConnection.
        """
        for fault, matcher, _ in self._firings:
            rule = fault.rule
            if rule.hold == BEFORE and not fault.is_released:
                yield fault.hold()
            if rule.delay_ms is not None:
                yield self._timers.after(fault.varied(rule.delay_ms, rule.jitter_ms))
            if rule.black_hole == BEFORE:
                yield self._lost(fault)
            self._end_connection(fault, BEFORE)
            if rule.error is not None and not rule.applied and not matcher.error_depth:
                return self._refused(fault)
        if not self._still_served():
            raise InjectedEnd("the node has stopped while faults held the request")
        if self._nothing_is_left:
            return response_class(self._api.key)()
        return (yield from self._stale())

    def after(self, response: Answer) -> Steps:
        """The answer as the faults leave it. Raises CloseConnection."""
        if response is not None and any(firing.changes_answer for firing in self._firings):
            response = plain(response, self._api.key, self._context.api_version)
        for firing in reversed(self._firings):  # what an earlier rule refuses, a later one does not
            if firing.fault.rule.error is not None:
                response = self._with_error(firing, response)
        for firing in self._firings:
            fault, rule = firing.fault, firing.fault.rule
            if response is not None:
                response = _changed(firing, response)
            if rule.hold == AFTER and not fault.is_released:
                yield fault.hold()
            if rule.answer_delay_ms is not None:
                yield self._timers.after(fault.varied(rule.answer_delay_ms, rule.jitter_ms))
        for fault, _, _ in self._firings:
            if fault.rule.black_hole == AFTER:
                yield self._lost(fault)
            self._end_connection(fault, AFTER)
            self._end_connection(fault, MIDDLE, response)
        return response

    def _lost(self, fault: Fault) -> Pending[None]:
        lost = fault.lose()
        if fault.rule.timeout_ms is not None:
            error = InjectedEnd(f"{fault} has withheld an answer for {fault.rule.timeout_ms} ms")

            def end() -> None:
                if not lost.settled:
                    lost.refuse(error)

            self._timers.call_later(fault.rule.timeout_ms, end)
        return lost

    def _end_connection(self, fault: Fault, when: str, response: Answer = None) -> None:
        rule = fault.rule
        if when not in (rule.disconnect, rule.reset_peer):
            return
        sent = b""
        if when == MIDDLE and response is not None:
            sent = first_half(response, self._context, self._api.key)
        raise InjectedEnd(f"{fault} has fired", last_bytes=sent, resets=rule.reset_peer is not None)

    def _refused(self, fault: Fault) -> Message:
        """Raises KafkaError, unless the rule says where in the answer its error is."""
        rule = fault.rule
        assert rule.error is not None
        if rule.at == TOP:
            return with_top_error(self._firings[-1].selected.layout, rule.error, rule.message)
        raise KafkaError(rule.error, rule.message)

    def _with_error(self, firing: Firing, response: Answer) -> Answer:
        rule = firing.fault.rule
        refusal = self._refusals.get(firing.fault.id)
        if refusal is not None:
            return refusal.put_back(response)
        if not rule.applied:
            return response
        try:
            return self._refused(firing.fault)
        except KafkaError as error:
            return self._api.error_response(self.request, error)

    def _stale(self) -> Steps:
        for fault, _, _ in self._firings:
            image = fault.images.get(self._context.node.node_id)
            if fault.rule.stale_metadata and image is not None:
                answer = from_image(self._api, self.request, self._context, image)
                return answer if isinstance(answer, Message) else (yield answer)
        return None


def _changed(firing: Firing, response: Message) -> Message:
    rule, selected = firing.fault.rule, firing.selected
    for edit in firing.matcher.edits:
        response = edited(response, edit, selected.layout, selected.selects)
    if rule.corrupt_crc:
        response = with_corrupt_checksums(response, selected)
    if rule.throttle_time_ms is not None:
        response = copy(response)
        response.throttle_time_ms = rule.throttle_time_ms  # type: ignore[attr-defined]  # the rule was checked
    return response
