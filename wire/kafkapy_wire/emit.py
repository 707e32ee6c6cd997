"""What the emitters of decoders and encoders share: lines of Python, runs of fixed-size fields, plans of fields."""

from __future__ import annotations

from struct import Struct as Packing
from typing import TYPE_CHECKING

from kafkapy_wire.message import Field, Message, Struct, parse_versions

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint16": "H",
    "uint32": "I",
    "float64": "d",
    "uuid": "16s",
}
"""Primitives of fixed size, in the words of the `struct` module; all big-endian."""

SHORT_RUNS = 9
"""Arrays of numbers shorter than this have a packing ready: replicas, ISRs and partition indexes rarely are longer."""


STEP_ELEMENTS = 256
"""A codec in steps stops after so many elements of arrays: a quarter of a millisecond, as a rule."""

STEP_NUMBERS = 4_096
"""The same of an array of numbers, which are taken many at a time."""


class FieldPlan:
    """One field as one version of one message has it."""

    __slots__ = ("element", "field", "flexible", "is_array", "name", "nullable", "present", "tagged")

    def __init__(self, field: Field, version: int, message_flexible: bool) -> None:
        self.field = field
        self.name = field.name
        self.is_array = not isinstance(field.kind, str | type)
        element = field.kind[0] if not isinstance(field.kind, str | type) else field.kind
        self.element: str | type[Struct] = element
        self.present = version in parse_versions(field.versions)
        self.nullable = version in parse_versions(field.nullable)
        self.tagged = self.present and version in parse_versions(field.tagged)
        self.flexible = version in parse_versions(field.flexible) if field.flexible else message_flexible


class Emitter:
    """Collects the lines of one codec function and the names that they use."""

    def __init__(
        self, cls: type[Message], version: int, struct: type[Struct] | None = None, *, in_steps: bool = False
    ) -> None:
        """A codec of the message, or of one `struct` within it. `in_steps`: a generator, which yields now and then."""
        self.cls = struct or cls
        self.version = version
        self.in_steps = in_steps
        self.flexible = version in cls.__schema__.flexible_versions
        self.namespace: dict[str, object] = {}
        self.lines: list[str] = []
        self.indent = 1
        self._pending: list[tuple[str, str]] = []

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def run(self, format_: str, operand: str) -> None:
        """Add a fixed-size value to the run that `flush` makes one `struct` call of."""
        self._pending.append((format_, operand))

    @property
    def is_running(self) -> bool:
        """Whether a run waits for `flush`."""
        return bool(self._pending)

    def take_run(self) -> tuple[str, list[str]]:
        """The formats and operands collected so far."""
        pending, self._pending = self._pending, []
        return "".join(format_ for format_, _ in pending), [operand for _, operand in pending]

    def packing(self, formats: str, method: str) -> str:
        """The name of a bound `struct` method for a run of fields."""
        name = f"{method}_{formats}".replace("?", "o")
        if name not in self.namespace:
            self.namespace[name] = getattr(Packing(">" + formats), method)
        return name

    def class_name(self, cls: type[Struct]) -> str:
        self.namespace[cls.__name__] = cls
        return cls.__name__

    def plans(self, cls: type[Struct]) -> list[FieldPlan]:
        return [FieldPlan(field, self.version, self.flexible) for field in cls.__fields__]

    def minimal_size(self, cls: type[Struct]) -> int:
        """The fewest bytes that one struct can take in this version."""
        size = 1 if self.flexible else 0
        for plan in self.plans(cls):
            if plan.present and not plan.tagged:
                size += self.minimal_field_size(plan)
        return size

    def minimal_field_size(self, plan: FieldPlan) -> int:
        if plan.is_array:
            return 1 if plan.flexible else 4
        return self.minimal_element_size(plan)

    def minimal_element_size(self, plan: FieldPlan) -> int:
        if not isinstance(plan.element, str):
            return 1 if plan.nullable and not plan.is_array else self.minimal_size(plan.element)
        if plan.element in FORMATS:
            return Packing(">" + FORMATS[plan.element]).size
        if plan.flexible:
            return 1
        return 2 if plan.element == "string" else 4


_short_runs: dict[tuple[str, str], tuple[Callable[..., object], ...]] = {}


def short_runs(format_: str, method: str) -> tuple[Callable[..., object], ...]:
    """Bound `struct` methods for 0, 1, ... SHORT_RUNS - 1 values of one format."""
    key = (format_, method)
    if key not in _short_runs:
        _short_runs[key] = tuple([getattr(Packing(f">{count}{format_}"), method) for count in range(SHORT_RUNS)])
    return _short_runs[key]
