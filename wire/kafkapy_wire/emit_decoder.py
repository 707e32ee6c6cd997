"""The source of a decoder for one (class, version).

    def codec(view, p):                                  # p: the position
        end = len(view)
        try:
            o0 = new(HeartbeatRequest)                   # o0, o1, ...: objects by depth
            n = view[p]                                  # n: a length, compact ones are length + 1
            ...
            o0.generation_id, n = unpack_from_iB(view, p)    # fixed-size fields and the next length in one call
            ...
        except (error, IndexError, UnicodeDecodeError) as cause:
            raise malformed(..., p, cause) from cause

Structs are read in place, without a call; arrays are loops. Every length is compared with `end - p` before use, and
the count of an array with the least that so many elements can take.

In steps it is a generator `codec(view, p, left)` that returns the same: a message of a hundred thousand elements is not
decoded at once. `left` is how many elements there may be, in all arrays together.
"""

from __future__ import annotations

import struct

from kafkapy_wire.emit import FORMATS, SHORT_RUNS, STEP_ELEMENTS, STEP_NUMBERS, Emitter, FieldPlan, short_runs
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.message import Struct

STRING_LENGTH_MAX = 0x7FFF
TAGGED_FIELDS_MAX = 1_000
"""Of one struct. No schema has more than a dozen; each takes two bytes on the wire, and a hundred in memory."""


class DecoderEmitter(Emitter):
    """Emits `codec(view, position) -> (message, position)`."""

    def emit(self) -> tuple[str, dict[str, object]]:
        self.namespace.update(
            new=object.__new__,
            error=struct.error,
            unpack_from=struct.unpack_from,
            varint_rest=varint_rest,
            tag_and_size=tag_and_size,
            MalformedMessage=MalformedMessage,
            malformed=malformed,
            string_rest=string_rest,
            unknown_tagged=unknown_tagged,
            bad_count=bad_count,
            bad_length=bad_length,
            too_many=too_many,
        )
        title = f"{self.cls.__name__} v{self.version}"
        self.line("end = len(view)")
        if self.in_steps:
            self.line("step = 0")
            self.line("if left < 0:")
            self.line("    yield")  # a message without arrays has to be a generator, too
        self.line("try:")
        self.indent += 1
        self._struct(self.cls, "o0", 0, title)
        self.flush()
        self.indent -= 1
        self.line("except (error, IndexError, UnicodeDecodeError) as cause:")
        self.line(f"    raise malformed({title!r}, p, end, cause) from cause")
        self.line("return o0, p")
        parameters = "view, p, left" if self.in_steps else "view, p"
        return f"def codec({parameters}):\n" + "\n".join(self.lines) + "\n", self.namespace

    def flush(self) -> None:
        """Read the fixed-size values collected so far and move on behind them."""
        formats, targets = self.take_run()
        if not formats:
            return
        if formats == "B":
            self.line(f"{targets[0]} = view[p]")
            self.line("p += 1")
            return
        unpack = self.packing(formats, "unpack_from")
        self.line(f"{', '.join(targets)}{',' if len(targets) == 1 else ''} = {unpack}(view, p)")
        self.line(f"p += {struct.calcsize('>' + formats)}")

    def _struct(self, cls: type[Struct], target: str, depth: int, path: str) -> None:
        self.line(f"{target} = new({self.class_name(cls)})")
        self.line(f"{target}.unknown_tagged_fields = ()")
        plans = self.plans(cls)
        for plan in plans:
            if not plan.present or plan.tagged:
                self._default(plan, f"{target}.{plan.name}")
        for plan in plans:
            if plan.present and not plan.tagged:
                self._field(plan, f"{target}.{plan.name}", depth, f"{path}: {plan.name}")
        if self.flexible:
            self._tagged_fields([plan for plan in plans if plan.tagged], target, depth, path)

    def _default(self, plan: FieldPlan, target: str, depth: int = 0) -> None:
        field = plan.field
        if field.factory is list:
            self.line(f"{target} = []")
        elif field.factory is not None:
            assert isinstance(field.factory, type)
            self._default_struct(field.factory, target, depth)
        else:
            self.line(f"{target} = {field.default!r}")

    def _default_struct(self, cls: type[Struct], target: str, depth: int) -> None:
        variable = f"d{depth}"
        self.line(f"{target} = {variable} = new({self.class_name(cls)})")
        self.line(f"{variable}.unknown_tagged_fields = ()")
        for plan in self.plans(cls):
            self._default(plan, f"{variable}.{plan.name}", depth + 1)

    def _field(self, plan: FieldPlan, target: str, depth: int, path: str) -> None:
        if plan.is_array:
            self._array(plan, target, depth, path)
        elif not isinstance(plan.element, str):
            self._nested(plan, target, depth, path)
        elif plan.element in FORMATS:
            self.run(FORMATS[plan.element], target)
        else:
            self._sized(plan, plan.element, target, path, nullable=plan.nullable)

    def _nested(self, plan: FieldPlan, target: str, depth: int, path: str) -> None:
        assert not isinstance(plan.element, str)
        variable = f"o{depth + 1}"
        if not plan.nullable:
            self._struct(plan.element, variable, depth + 1, path)
            self.flush()  # the next struct may use the same variable
            self.line(f"{target} = {variable}")
            return
        if plan.tagged:  # an unsigned varint says whether it is null, which Apache Kafka reads as a signed number
            self.run("B", "n")
            self.flush()
            self.line("if n > 127:")
            self.line("    n, p = varint_rest(view, p, n)")
            self.line("if not 0 < n < 0x80000000:")
        else:
            self.run("b", "n")
            self.flush()
            self.line("if n < 0:")
        self.line(f"    {target} = None")
        self.line("else:")
        self.indent += 1
        self._struct(plan.element, variable, depth + 1, path)
        self.flush()
        self.line(f"{target} = {variable}")
        self.indent -= 1

    def _sized(self, plan: FieldPlan, kind: str, target: str, path: str, *, nullable: bool) -> None:
        """A string, bytes or records: a length, then so many bytes."""
        if plan.flexible:
            self.run("B", "n")
            self.flush()
            self.line("if n > 127:")
            self.indent += 1
            if kind == "records":  # of few records, a length of two bytes as a rule
                self.line("q = view[p]")
                self.line("if q < 128:")
                self.line("    n += (q << 7) - 128")
                self.line("    p += 1")
                self.line("else:")
                self.line("    n, p = varint_rest(view, p, n)")
            else:
                self.line(f"n, p = {'string_rest' if kind == 'string' else 'varint_rest'}(view, p, n)")
            self.indent -= 1
            is_null, length = "not n", "n - 1"
        else:
            self.run("h" if kind == "string" else "i", "n")
            self.flush()
            is_null, length = "n < 0", "n"
        self.line(f"q = p + {length}")
        if nullable:
            self.line(f"if {is_null}:")
            self.line(f"    {target} = None")
            self.line("else:")
            self.indent += 1
        self.line("if q > end:" if nullable else f"if {is_null} or q > end:")
        self.line(f"    raise bad_length({path!r}, {length}, end - p)")
        if kind == "string":
            self.line(f'{target} = str(view[p:q], "utf-8")')
        elif kind == "bytes":
            self.line(f"{target} = bytes(view[p:q])")
        else:
            self.line(f"{target} = view[p:q]")
        self.line("p = q")
        if nullable:
            self.indent -= 1

    def _array(self, plan: FieldPlan, target: str, depth: int, path: str) -> None:
        if plan.flexible:
            self.run("B", "n")
            self.flush()
            self.line("if n > 127:")
            self.line("    n, p = varint_rest(view, p, n)")
            self.line("n -= 1")
        else:
            self.run("i", "n")
            self.flush()
        if plan.nullable:
            self.line("if n < 0:")
            self.line(f"    {target} = None")
            self.line("else:")
            self.indent += 1
        size = max(1, self.minimal_element_size(plan))
        too_many = f"n{f' * {size}' if size > 1 else ''} > end - p"
        self.line(f"if {too_many}:" if plan.nullable else f"if n < 0 or {too_many}:")
        self.line(f"    raise bad_count({path!r}, n, {size}, end - p)")
        format_ = FORMATS.get(plan.element) if isinstance(plan.element, str) else None
        if format_ is not None and plan.element != "uuid":
            self._number_array(format_, size, target, path)
        else:
            self._element_loop(plan, target, depth, path)
        if plan.nullable:
            self.indent -= 1

    def _number_array(self, format_: str, size: int, target: str, path: str) -> None:
        name = f"unpack_up_to_{SHORT_RUNS - 1}_{format_}".replace("?", "o")
        self.namespace[name] = short_runs(format_, "unpack_from")
        times_size = f" * {size}" if size > 1 else ""
        self.line(f"if n < {SHORT_RUNS}:")
        self.line(f"    {target} = list({name}[n](view, p))")
        self.line(f"    p += n{times_size}")
        self.line("else:")
        if not self.in_steps:
            self.line(f"    {target} = list(unpack_from(f'>{{n}}{format_}', view, p))")
            self.line(f"    p += n{times_size}")
            return
        self.line("    left -= n")
        self.line("    if left < 0:")
        self.line(f"        raise too_many({path!r})")
        self.line(f"    numbers = {target} = []")
        self.line("    while n:")
        self.line(f"        q = n if n < {STEP_NUMBERS} else {STEP_NUMBERS}")
        self.line(f"        numbers += unpack_from(f'>{{q}}{format_}', view, p)")
        self.line(f"        p += q{times_size}")
        self.line("        n -= q")
        self.line("        if n:")
        self.line("            yield")

    def _element_loop(self, plan: FieldPlan, target: str, depth: int, path: str) -> None:
        items, variable = f"a{depth}", f"o{depth + 1}"
        self.line(f"{items} = {target} = []")
        self.line("for _ in range(n):")
        self.indent += 1
        if not isinstance(plan.element, str):
            self._struct(plan.element, variable, depth + 1, path)
        elif plan.element in FORMATS:
            self.run(FORMATS[plan.element], variable)
        else:
            self._sized(plan, plan.element, variable, path, nullable=False)
        self.flush()
        self.line(f"{items}.append({variable})")
        if self.in_steps:
            self.line("step += 1")
            self.line(f"if step == {STEP_ELEMENTS}:")
            self.line("    step = 0")
            self.line(f"    left -= {STEP_ELEMENTS}")
            self.line("    if left < 0:")
            self.line(f"        raise too_many({path!r})")
            self.line("    yield")
        self.indent -= 1

    def _tagged_fields(self, plans: list[FieldPlan], target: str, depth: int, path: str) -> None:
        """`count, (tag, size, content)...`: known ones by their schema, others kept as bytes.

        As in Apache Kafka, a tag that comes twice or out of order is no error: the last one counts. Unlike it,
        a known field must be exactly as long as its size says, since what follows is lost otherwise.
        """
        self.run("B", "n")
        self.flush()
        self.line("if n:")
        self.indent += 1
        if plans:
            self._known_tagged_fields(plans, target, depth, path)
        else:
            self.line(f"p, {target}.unknown_tagged_fields = unknown_tagged(view, p, n)")
            if self.in_steps:
                self.line(f"left -= len({target}.unknown_tagged_fields)")
        self.indent -= 1

    def _known_tagged_fields(self, plans: list[FieldPlan], target: str, depth: int, path: str) -> None:
        tag, size, stop, unknown = f"tag{depth}", f"size{depth}", f"stop{depth}", f"unknown{depth}"
        self.line("if n > 127:")
        self.line("    n, p = varint_rest(view, p, n)")
        self.line(f"    if n > {TAGGED_FIELDS_MAX}:")
        self.line(f"        raise too_many({f'{path}: tagged fields'!r})")
        if self.in_steps:
            self.line("left -= n")
        self.line(f"{unknown} = []")
        self.line("for _ in range(n):")
        self.indent += 1
        self.line(f"{tag}, {size}, p, {stop} = tag_and_size(view, p)")
        for keyword, plan in zip(["if", *["elif"] * len(plans)], plans, strict=False):
            self.line(f"{keyword} {tag} == {plan.field.tag}:")
            self.indent += 1
            self._field(plan, f"{target}.{plan.name}", depth, f"{path}: {plan.name}")
            self.flush()
            self.line(f"if p != {stop}:")
            self.line(f"    raise bad_length({f'{path}: {plan.name}'!r}, {size}, {size} + p - {stop})")
            self.indent -= 1
        self.line("else:")
        self.line(f"    {unknown}.append(({tag}, bytes(view[p:{stop}])))")
        self.line(f"    p = {stop}")
        self.indent -= 1
        self.line(f"if {unknown}:")
        self.line(f"    {target}.unknown_tagged_fields = {unknown}")


def unknown_tagged(view: memoryview, position: int, count: int) -> tuple[int, list[tuple[int, bytes]]]:
    """The position behind the tagged fields of a struct that has none of its own, and these fields.

    `count` is the first byte of how many.
    """
    fields = []
    if count > 127:
        count, position = varint_rest(view, position, count)
        if count > TAGGED_FIELDS_MAX:
            raise too_many("tagged fields")
    for _ in range(count):
        tag, _, position, stop = tag_and_size(view, position)
        fields.append((tag, bytes(view[position:stop])))
        position = stop
    return position, fields


def tag_and_size(view: memoryview, position: int) -> tuple[int, int, int, int]:
    """A tagged field's tag and size, and where its content begins and stops."""
    tag, position = varint(view, position)
    size, position = varint(view, position)
    if size > len(view) - position:
        raise bad_length(f"tagged field {tag}", size, len(view) - position)
    return tag, size, position, position + size


def varint(view: memoryview, position: int) -> tuple[int, int]:
    """An unsigned varint and the position after it."""
    first = view[position]
    return (first, position + 1) if first < 128 else varint_rest(view, position + 1, first)


def varint_rest(view: memoryview, position: int, first: int) -> tuple[int, int]:
    """An unsigned varint of which the first byte is read and said that there are more."""
    value = first & 0x7F
    for shift in (7, 14, 21, 28):
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            if value > 0xFFFFFFFF:
                break
            return value, position
    raise MalformedMessage("a varint is longer than 32 bits")


def string_rest(view: memoryview, position: int, first: int) -> tuple[int, int]:
    """`varint_rest` of a compact string's length + 1; strings are at most 32767 bytes in every version."""
    value, position = varint_rest(view, position, first)
    if value > STRING_LENGTH_MAX + 1:
        raise MalformedMessage(f"a string claims {value - 1} bytes, {STRING_LENGTH_MAX} are the most")
    return value, position


def bad_length(path: str, length: int, remaining: int) -> MalformedMessage:
    if length < 0:
        return MalformedMessage(f"{path} is null, which it may not be")
    return MalformedMessage(f"{path} claims {length} bytes where there are {remaining}")


def bad_count(path: str, count: int, element_bytes: int, remaining: int) -> MalformedMessage:
    if count < 0:
        return MalformedMessage(f"{path} is null, which it may not be")
    return MalformedMessage(
        f"{path} claims {count} elements of at least {element_bytes} bytes where there are {remaining} bytes"
    )


def too_many(path: str) -> MalformedMessage:
    return MalformedMessage(f"{path}: the message has more elements than any client needs")


def malformed(title: str, position: int, end: int, cause: Exception) -> MalformedMessage:
    if isinstance(cause, UnicodeDecodeError):
        return MalformedMessage(f"{title}: not UTF-8 near byte {position}")
    return MalformedMessage(f"{title}: ends at byte {end}, in the field at {position}")
