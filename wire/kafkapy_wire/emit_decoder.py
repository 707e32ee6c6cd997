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
"""

from __future__ import annotations

import struct

from kafkapy_wire.emit import FORMATS, SHORT_RUNS, Emitter, FieldPlan, short_runs
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.message import Struct

STRING_LENGTH_MAX = 0x7FFF


class DecoderEmitter(Emitter):
    """Emits `codec(view, position) -> (message, position)`."""

    def emit(self) -> tuple[str, dict[str, object]]:
        self.namespace.update(
            new=object.__new__,
            error=struct.error,
            unpack_from=struct.unpack_from,
            varint_rest=varint_rest,
            varint=varint,
            MalformedMessage=MalformedMessage,
            malformed=malformed,
            null_not_allowed=null_not_allowed,
            bad_length=bad_length,
        )
        self.line("end = len(view)")
        self.line("try:")
        self.indent += 1
        self._struct(self.cls, "o0", 0, f"{self.cls.__name__} v{self.version}")
        self.flush()
        self.indent -= 1
        self.line("except (error, IndexError, UnicodeDecodeError) as cause:")
        self.line(f"    raise malformed({self.cls.__name__ + f' v{self.version}'!r}, p, end, cause) from cause")
        self.line("return o0, p")
        return "def codec(view, p):\n" + "\n".join(self.lines) + "\n", self.namespace

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
        self.line(f"{target}.unknown_tagged_fields = []")
        plans = self.plans(cls)
        for plan in plans:
            if not plan.present or plan.tagged:
                self._default(plan, f"{target}.{plan.name}")
        for plan in plans:
            if plan.present and not plan.tagged:
                self._field(plan, f"{target}.{plan.name}", depth, f"{path}: {plan.name}")
        if self.flexible:
            self._tagged_fields([plan for plan in plans if plan.tagged], target, depth, path)

    def _default(self, plan: FieldPlan, target: str) -> None:
        field = plan.field
        if field.factory is list:
            self.line(f"{target} = []")
        elif field.factory is not None:
            assert isinstance(field.factory, type)
            self.line(f"{target} = {self.class_name(field.factory)}()")
        else:
            self.line(f"{target} = {field.default!r}")

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
            # Values read ahead are bound first: the run may go on into the struct, whose object exists by then.
            self._struct(plan.element, variable, depth + 1, path)
            self.line(f"{target} = {variable}")
            return
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
            self.line("    n, p = varint_rest(view, p, n)")
            if kind == "string":
                self.line(f"    if n > {STRING_LENGTH_MAX + 1}:")
                self.line(f"        raise bad_length({path!r}, n - 1, {STRING_LENGTH_MAX})")
            is_null, length = "not n", "n - 1"
        else:
            self.run("h" if kind == "string" else "i", "n")
            self.flush()
            is_null, length = "n < 0", "n"
        self.line(f"if {is_null}:")
        self.line(f"    {target} = None" if nullable else f"    raise null_not_allowed({path!r})")
        self.line(f"q = p + {length}")
        if nullable:
            # The slice below is not reached for null: n of null would make q smaller than p.
            self.lines.pop()
            self.line("else:")
            self.indent += 1
            self.line(f"q = p + {length}")
        self.line("if q > end:")
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
        self.line("if n < 0:")
        if plan.nullable:
            self.line(f"    {target} = None")
            self.line("else:")
            self.indent += 1
        else:
            self.line(f"    raise null_not_allowed({path!r})")
        size = max(1, self.minimal_element_size(plan))
        self.line(f"if n{f' * {size}' if size > 1 else ''} > end - p:")
        self.line(f"    raise bad_length({path!r}, n{f' * {size}' if size > 1 else ''}, end - p)")
        format_ = FORMATS.get(plan.element) if isinstance(plan.element, str) else None
        if format_ is not None and plan.element != "uuid":
            self._number_array(format_, size, target)
        else:
            self._element_loop(plan, target, depth, path)
        if plan.nullable:
            self.indent -= 1

    def _number_array(self, format_: str, size: int, target: str) -> None:
        name = f"unpack_up_to_{SHORT_RUNS - 1}_{format_}".replace("?", "o")
        self.namespace[name] = short_runs(format_, "unpack_from")
        self.line(f"if n < {SHORT_RUNS}:")
        self.line(f"    {target} = list({name}[n](view, p))")
        self.line("else:")
        self.line(f"    {target} = list(unpack_from(f'>{{n}}{format_}', view, p))")
        self.line(f"p += n{f' * {size}' if size > 1 else ''}")

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
        self.indent -= 1

    def _tagged_fields(self, plans: list[FieldPlan], target: str, depth: int, path: str) -> None:
        """`count, (tag, size, content)...`: known ones by their schema, others kept as bytes.

        As in Apache Kafka, a tag that comes twice or out of order is no error: the last one counts. Unlike there,
        a known field must be exactly as long as its size says.
        """
        self.run("B", "n")
        self.flush()
        count, tag, stop = f"n{depth}", f"tag{depth}", f"stop{depth}"
        self.line("if n:")
        self.indent += 1
        self.line("if n > 127:")
        self.line("    n, p = varint_rest(view, p, n)")
        self.line("if n * 2 > end - p:")
        self.line(f"    raise bad_length({path + ' tagged fields'!r}, n * 2, end - p)")
        self.line(f"{count} = n")
        self.line(f"for _ in range({count}):")
        self.indent += 1
        self.line(f"{tag}, p = varint(view, p)")
        self.line("n, p = varint(view, p)")
        self.line(f"{stop} = p + n")
        self.line(f"if {stop} > end:")
        self.line(f"    raise bad_length({path!r} + f' tag {{{tag}}}', n, end - p)")
        keyword = "if"
        for plan in plans:
            self.line(f"{keyword} {tag} == {plan.field.tag}:")
            self.indent += 1
            self._field(plan, f"{target}.{plan.name}", depth, f"{path}: {plan.name}")
            self.flush()
            self.line(f"if p != {stop}:")
            self.line(f"    raise bad_length({f'{path}: {plan.name}'!r}, n, {stop} - p)")
            self.indent -= 1
            keyword = "elif"
        if plans:
            self.line("else:")
            self.indent += 1
        self.line(f"{target}.unknown_tagged_fields.append(({tag}, bytes(view[p:{stop}])))")
        self.line(f"p = {stop}")
        if plans:
            self.indent -= 1
        self.indent -= 2


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


def null_not_allowed(path: str) -> MalformedMessage:
    return MalformedMessage(f"{path} is null, which it may not be")


def bad_length(path: str, length: int, limit: int) -> MalformedMessage:
    return MalformedMessage(f"{path} claims {length} bytes where {limit} are")


def malformed(title: str, position: int, end: int, cause: Exception) -> MalformedMessage:
    if isinstance(cause, UnicodeDecodeError):
        return MalformedMessage(f"{title}: not UTF-8 near byte {position}")
    return MalformedMessage(f"{title}: ends at byte {end}, in the field at {position}")
