"""What arguments each operation takes: read off its own annotations, so that no door has a list of its own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Unpack, get_type_hints

from kafkapy.control import values
from kafkapy.control.export import Export
from kafkapy.control.operations import ALL_OPERATIONS
from kafkapy.recording.exchanges import Recorded
from kafkapy.recording.selection import Filter

_NAMES = {
    **vars(values),
    "Mapping": Mapping,
    "Sequence": Sequence,
    "Recorded": Recorded,
    "Export": Export,
    "Unpack": Unpack,
    "ControlledNodes": object,
}
LOOKING = frozenset(
    {
        *("topics", "topic", "records", "groups", "group", "transactions", "transaction", "connections", "nodes"),
        "client_metrics",
        *("time", "faults", "fault", "unfired_faults", "recorded", "snapshots", "export"),
        *("wait_for_topic", "wait_for_records", "wait_for_group", "wait_for_lag", "wait_for_transaction"),
        *("wait_for_client", "wait_for_client_metrics", "wait_for_fault", "wait_for_requests"),
    }
)
"""Operations that change nothing: they may be asked for by GET."""
REQUIRED = inspect.Parameter.empty


class Argument(NamedTuple):
    name: str
    kind: Any
    """Its type."""
    default: Any = REQUIRED
    is_list: bool = False
    """Whether the operation takes any number of them (`*names`)."""


class Signature(NamedTuple):
    name: str
    doc: str
    arguments: dict[str, Argument]
    result: Any
    """The type of what it returns."""
    own_arguments: dict[str, Argument]
    """Without the filters of exchanges."""

    @property
    def only_looks(self) -> bool:
        return self.name in LOOKING


@cache
def signature_of(name: str) -> Signature:
    operation = ALL_OPERATIONS[name]
    hints = get_type_hints(operation, localns=_NAMES)
    arguments: dict[str, Argument] = {}
    own_arguments: dict[str, Argument] = {}
    for parameter in list(inspect.signature(operation).parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:  # a filter of exchanges
            filters = get_type_hints(Filter, localns={"Exchange": object})
            arguments |= {each: Argument(each, kind, None) for each, kind in filters.items() if each != "where"}
            continue
        is_list = parameter.kind is inspect.Parameter.VAR_POSITIONAL
        kind = hints[parameter.name]
        own_arguments[parameter.name] = Argument(parameter.name, kind, parameter.default, is_list)
        arguments[parameter.name] = own_arguments[parameter.name]
    return Signature(name, inspect.getdoc(operation) or "", arguments, hints["return"], own_arguments)
