"""`FaultEngine`: the faults of a set of nodes, and the door through which requests meet them.

One engine may serve all nodes of a process, or one. While it has no fault that could fire, `Dispatcher.faults` of its
nodes is None, as on a node without an engine: a request then pays one test of an attribute.

All methods are to be called in the nodes' event loop, except before the first node is attached.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kafkapy.bugs import Bugs
from kafkapy.faults.fault import Fault
from kafkapy.faults.injection import Firing, Injection
from kafkapy.faults.invalid_rule import InvalidRule
from kafkapy.faults.paced_transport import ClosingLater, PacedTransport
from kafkapy.faults.rule import Rule
from kafkapy.faults.rule_fields import CONNECTION, FIELDS
from kafkapy.faults.timers import RealTimers
from kafkapy_wire.api_keys import API_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkapy.apis.served import Api
    from kafkapy.broker import NodeParts
    from kafkapy.context import Client, NodeContext
    from kafkapy.faults.paced_transport import PacedConnection
    from kafkapy_wire.api_keys import ApiKey
    from kafkapy_wire.message import Message

logger = logging.getLogger("kafkapy.faults")

CONNECTION_FIELDS = tuple(name for name, known in FIELDS.items() if known.kind == CONNECTION)
MISSED_MAX = 100
"""So many that must have fired are remembered over a `start_over`."""


class UnknownFault(ValueError):
    """There is no fault with that id."""


class HasDoor(Protocol):
    """A dispatcher: requests meet whom `faults` is, if anybody."""

    faults: Any


class FiredFault(NamedTuple):
    """For who wants to hear of it: a fault has fired for a request."""

    fault: Fault
    api_key: ApiKey
    request: Message
    context: NodeContext
    """Its fields change with the next request of the connection: read what is needed of it at once."""


class _Served(NamedTuple):
    parts: NodeParts
    dispatcher: HasDoor
    connection_of: Callable[[Client], PacedConnection | None]
    closing: ClosingLater


class FaultEngine:
    """Owns the faults; their ids are never used again."""

    def __init__(self) -> None:
        self.bugs = Bugs()
        self.on_fired: Callable[[FiredFault], None] | None = None
        """Called each time that a fault fires, before it does anything."""
        self._timers = RealTimers(self.bugs)
        self._faults: dict[int, Fault] = {}
        self._ids = 0
        self._missed: list[Fault] = []
        self._missed_before: list[Fault] = []
        self._served: list[_Served] = []

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that were added and not removed, in their order."""
        return tuple(self._faults.values())

    @property
    def unfired(self) -> tuple[Fault, ...]:
        """Faults that must fire and have not, also those that were removed since the last `clear`."""
        waiting = [fault for fault in self._faults.values() if fault.rule.must_fire and not fault.fired]
        return (*self._missed, *waiting)

    @property
    def missed(self) -> tuple[Fault, ...]:
        """As `unfired`, and those before a `start_over`."""
        return (*self._missed_before, *self.unfired)

    def add(self, rule: Rule | Mapping[str, object]) -> Fault:
        """Raises InvalidRule: nothing is added. A rule that was added earlier meets a request first."""
        return self.add_all([rule])[0]

    def add_all(self, rules: Iterable[Rule | Mapping[str, object]]) -> tuple[Fault, ...]:
        """All of them, or none if InvalidRule is raised: its field is `[2].topic` for one of the third."""
        given = list(rules)
        parsed = []
        for index, rule in enumerate(given):
            try:
                parsed.append(rule if isinstance(rule, Rule) else Rule.parse(rule))
            except InvalidRule as error:
                raise (error if len(given) == 1 else error.within(f"[{index}].")) from None
        added = []
        for rule in parsed:
            self._ids += 1
            fault = Fault(self._ids, rule)
            self._note_images(fault, self._served)
            self._faults[fault.id] = fault
            added.append(fault)
            logger.info("%s was added", fault)
        self._open_or_close_doors()
        return tuple(added)

    def fault(self, fault_id: int) -> Fault:
        """Raises UnknownFault."""
        if fault_id not in self._faults:
            known = ", ".join(map(str, self._faults)) or "none"
            raise UnknownFault(f"there is no fault {fault_id}; there are: {known}")
        return self._faults[fault_id]

    def remove(self, fault_id: int) -> Fault:
        """Requests that it holds go on; connections whose answers it withholds are closed. Raises UnknownFault."""
        fault = self.fault(fault_id)
        del self._faults[fault_id]
        if fault.rule.must_fire and not fault.fired:
            self._missed.append(fault)
        fault.end()
        logger.info("%s was removed: it has fired %d times, for %d requests", fault, fault.fired, fault.matched)
        self._open_or_close_doors()
        return fault

    def clear(self) -> None:
        """Remove all, and forget who must fire."""
        for fault_id in list(self._faults):
            self.remove(fault_id)
        self._missed = []

    def start_over(self) -> None:
        """As `clear`, but `missed` remembers who must have fired."""
        missed = self.missed
        self.clear()
        self._missed_before = list(missed[:MISSED_MAX])

    def forget(self) -> None:
        """As `clear`, and `missed` forgets what was before it, too."""
        self.clear()
        self._missed_before = []

    # -- the nodes

    def attach(
        self, parts: NodeParts, dispatcher: HasDoor, connection_of: Callable[[Client], PacedConnection | None]
    ) -> Callable[[], None]:
        """Requests that come to this dispatcher meet the faults from now on. Returns what ends that.

        `parts` are those that the contexts of its requests have: of a broker, its `Broker`.
        """
        served = _Served(parts, dispatcher, connection_of, ClosingLater(self._timers))
        self._served.append(served)
        for fault in self._faults.values():
            self._note_images(fault, [served])
        self._open_or_close_doors()

        def detach() -> None:
            self._served.remove(served)
            dispatcher.faults = None
            served.closing.close_all()

        return detach

    @staticmethod
    def _note_images(fault: Fault, nodes: Iterable[_Served]) -> None:
        if fault.rule.stale_metadata:
            for node in nodes:
                fault.images[node.parts.node_id] = node.parts.metadata.image

    def _open_or_close_doors(self) -> None:
        door = self if any(not fault.is_spent for fault in self._faults.values()) else None
        for served in self._served:
            served.dispatcher.faults = door

    # -- as the door

    def meet(self, api: Api, request: Message, context: NodeContext) -> Injection | None:
        """What the faults do to this request; None: nothing."""
        injection: Injection | None = None
        is_spent = False
        for fault in list(self._faults.values()):
            met = fault.meet(api.key, request if injection is None else injection.request, context)
            is_spent = is_spent or fault.is_spent
            if met is None:
                continue
            self._tell(fault, api.key, request, context)
            if injection is None:
                injection = Injection(api, request, context, self._timers, partial(self._serves, context.node))
            self._pace(fault, context)
            if not injection.add(Firing(fault, *met)):
                break
        if is_spent:
            self._open_or_close_doors()
        return injection

    def _serves(self, parts: NodeParts) -> bool:
        return any(served.parts is parts for served in self._served)

    def _tell(self, fault: Fault, api_key: ApiKey, request: Message, context: NodeContext) -> None:
        if logger.isEnabledFor(logging.INFO):
            name, version = API_VERSIONS[api_key].message_name, context.api_version
            logger.info("%s fires for %s v%d of %s", fault, name, version, context.client)
        if self.on_fired is not None:
            self.on_fired(FiredFault(fault, api_key, request, context))

    def _pace(self, fault: Fault, context: NodeContext) -> None:
        """If the fault is about connections, it holds for this one from now on."""
        if all(getattr(fault.rule, name) is None for name in CONNECTION_FIELDS):
            return
        for served in self._served:
            connection = served.connection_of(context.client) if served.parts is context.node else None
            if connection is not None:
                make = partial(PacedTransport, connection=connection, timers=self._timers, closing=served.closing)
                fault.pace(connection.paced(make))
                return
