"""The source of an encoder for one (class, version), of a message or of a struct within it.

    def codec(o0, out, records):
        try:
            s = o0.group_id.encode()
            n = len(s) + 1                                       # compact lengths are length + 1
            if n < 128:
                out.append(n)
            else:
                out += varint(n)
            out += s
            s = o0.member_id.encode()
            n = len(s) + 1
            out += pack_iB(o0.generation_id, n if n < 128 else n & 127 | 128)    # its first byte goes with a run before
            if n > 127: out += varint_rest(n)
            out += s
            ...
        except ENCODE_ERRORS as cause:
            explain(o0, version, flexible, title, cause)

The fast path does not check values: `struct` or the value's type raises an error, and `explain` then walks the message
again and says which field it was.

In steps it is a generator: a message of a hundred thousand elements is not encoded at once.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from kafkapy_wire.emit import FORMATS, SHORT_RUNS, STEP_ELEMENTS, STEP_NUMBERS, Emitter, FieldPlan, short_runs
from kafkapy_wire.errors import UnsupportedVersion
from kafkapy_wire.explain import explain
from kafkapy_wire.message import Struct

FIRST_BYTE = "n if n < 128 else n & 127 | 128"
STRING_LENGTH_MAX = 0x7FFF


class EncoderEmitter(Emitter):
    """Emits `codec(message, out, records)`."""

    def emit(self) -> tuple[str, dict[str, object]]:
        self.namespace.update(
            varint_rest=varint_rest,
            pack=struct.pack,
            string_rest=string_rest,
            string_varint=string_varint,
            varint=varint,
            put_stand_in=put_stand_in,
            put_tagged_fields=put_tagged_fields,
            with_known=with_known,
            BYTES_LIKE=(bytes, bytearray, memoryview),
            cannot_carry=cannot_carry,
            explain=explain,
            ENCODE_ERRORS=(struct.error, TypeError, AttributeError, UnicodeEncodeError),
        )
        if self.in_steps:
            self.line("step = 0")
            self.line("if step:")
            self.line("    yield")  # a message without arrays has to be a generator, too
        self.line("try:")
        self.indent += 1
        title = f"{self.cls.__name__} v{self.version}"
        self._struct(self.cls, "o0", 0, "out", title)
        self.flush("out")
        self.indent -= 1
        self.line("except ENCODE_ERRORS as cause:")
        self.line(f"    explain(o0, {self.version}, {self.flexible}, {title!r}, cause)")
        self.line("    raise")
        if self.in_steps:
            self.line("return True")
        return "def codec(o0, out, records):\n" + "\n".join(self.lines) + "\n", self.namespace

    def flush(self, out: str) -> None:
        """Write the fixed-size values collected so far."""
        formats, expressions = self.take_run()
        if formats == "B":
            self.line(f"{out}.append({expressions[0]})")
        elif formats:
            self.line(f"{out} += {self.packing(formats, 'pack')}({', '.join(expressions)})")

    def _struct(self, cls: type[Struct], source: str, depth: int, out: str, path: str) -> None:
        plans = self.plans(cls)
        for plan in plans:
            if not plan.present and not plan.field.ignorable:
                self.line(f"if {self.is_set(plan, f'{source}.{plan.name}')}:")
                self.line(f"    raise cannot_carry({f'{path}: {plan.name}'!r})")
        for plan in plans:
            if plan.present and not plan.tagged:
                self._field(plan, f"{source}.{plan.name}", depth, out, f"{path}: {plan.name}")
        tagged = sorted((plan for plan in plans if plan.tagged), key=lambda plan: plan.field.tag)
        if self.flexible:
            self._tagged_fields(tagged, source, depth, out, path)
        else:
            self.line(f"if {source}.unknown_tagged_fields:")
            self.line(f"    raise cannot_carry({f'{path}: unknown_tagged_fields'!r})")

    def is_set(self, plan: FieldPlan, value: str) -> str:
        """The expression that a field is not at its default."""
        field = plan.field
        if field.factory is list:
            return f"({value} is None or len({value}))" if field.nullable != "none" else f"len({value})"
        if field.factory is not None:
            assert not isinstance(plan.element, str)
            inner = [self.is_set(nested, f"{value}.{nested.name}") for nested in self.plans(plan.element)]
            if field.nullable != "none":
                inner.insert(0, f"{value} is None")
            return f"({' or '.join([*inner, f'{value}.unknown_tagged_fields'])})"
        if field.default is None:
            return f"{value} is not None"
        return f"{value} != {field.default!r}"

    def _field(self, plan: FieldPlan, value: str, depth: int, out: str, path: str) -> None:
        if plan.is_array:
            self._array(plan, value, depth, out, path)
        elif not isinstance(plan.element, str):
            self._nested(plan, value, depth, out, path)
        elif plan.element in FORMATS:
            self.run(FORMATS[plan.element], value)
        elif plan.element == "encoded":
            self._encoded(plan, value, out)
        else:
            self._sized(plan, plan.element, value, out, nullable=plan.nullable)

    def _encoded(self, plan: FieldPlan, value: str, out: str) -> None:
        self.line(f"n, s = {value}")
        if plan.flexible:
            self.line("n += 1")
        self._length(plan, "i", out)
        if plan.flexible:
            self.line("if n > 127:")
            self.line(f"    {out} += varint_rest(n)")
        self.line(f"{out} += s")

    def _nested(self, plan: FieldPlan, value: str, depth: int, out: str, path: str) -> None:
        assert not isinstance(plan.element, str)
        variable = f"o{depth + 1}"
        if value != variable:
            self.line(f"{variable} = {value}")
        if not plan.nullable:
            self._struct(plan.element, variable, depth + 1, out, path)
            self.flush(out)  # the next struct may use the same variable
            return
        # Null is 0xff, but 0x00 in a tagged field, where an unsigned varint says whether the struct is there.
        self.run("b", f"{0 if plan.tagged else -1} if {variable} is None else 1")
        self.flush(out)
        self.line(f"if {variable} is not None:")
        self.indent += 1
        self._struct(plan.element, variable, depth + 1, out, path)
        self.flush(out)
        self.indent -= 1

    def _sized(self, plan: FieldPlan, kind: str, value: str, out: str, *, nullable: bool) -> None:
        plus = " + 1" if plan.flexible else ""
        rest = "string_rest" if kind == "string" else "varint_rest"
        if nullable:
            self.line(f"s = {value}")
            self.line("if s is None:")
            if plan.flexible and not self.is_running:
                self.line(f"    {out}.append(0)")
                self.line("else:")
                self.indent += 1
                self._put_sized(kind, "s", out, plus)
                self.indent -= 1
                return
            self.line(f"    n = {0 if plan.flexible else -1}")
            self.line("else:")
            if kind == "string":
                self.line("    s = s.encode()")
            self.line(f"    n = len(s){plus}")
        elif plan.flexible and not self.is_running:
            self._put_sized(kind, value, out, plus)
            return
        else:
            self.line(f"s = {value}{'.encode()' if kind == 'string' else ''}")
            self.line(f"n = len(s){plus}")
        self._length(plan, "h" if kind == "string" else "i", out)
        if nullable:
            self.line("if s is not None:")
            self.indent += 1
        if plan.flexible and kind == "records":  # of few records, a length of two bytes as a rule
            self.line("if 127 < n < 16384:")
            self.line(f"    {out}.append(n >> 7)")
            self.line("elif n > 127:")
            self.line(f"    {out} += varint_rest(n)")
        elif plan.flexible:
            self.line("if n > 127:")
            self.line(f"    {out} += {rest}(n)")
        self._put_content(kind, out)
        if nullable:
            self.indent -= 1

    def _put_sized(self, kind: str, value: str, out: str, plus: str) -> None:
        """A compact length that no run is before, and so many bytes."""
        self.line(f"s = {value}{'.encode()' if kind == 'string' else ''}")
        self.line(f"n = len(s){plus}")
        self.line("if n < 128:")
        self.line(f"    {out}.append(n)")
        self.line("else:")
        self.line(f"    {out} += {'string_varint' if kind == 'string' else 'varint'}(n)")
        self._put_content(kind, out)

    def _put_content(self, kind: str, out: str) -> None:
        if kind != "records":
            self.line(f"{out} += s")
            return
        self.line("if isinstance(s, BYTES_LIKE):")
        self.line(f"    {out} += s")
        self.line("else:")
        self.line(f"    put_stand_in({out}, s, records)")

    def _length(self, plan: FieldPlan, format_: str, out: str) -> None:
        """Write `n` as the length prefix, behind the run that is waiting. Of a compact one the first byte only."""
        if plan.flexible:
            self.run("B", FIRST_BYTE)
        else:
            self.run(format_, "n")
        self.flush(out)

    def _array(self, plan: FieldPlan, value: str, depth: int, out: str, path: str) -> None:
        items = f"a{depth}"
        plus = " + 1" if plan.flexible else ""
        self.line(f"{items} = {value}")
        if plan.nullable:
            self.line(f"n = {0 if plan.flexible else -1} if {items} is None else len({items}){plus}")
        else:
            self.line(f"n = len({items}){plus}")
        self._length(plan, "i", out)
        self.line(f"if {items}:")
        self.indent += 1
        if plan.flexible:
            self.line("if n > 127:")
            self.line(f"    {out} += varint_rest(n)")
        format_ = FORMATS.get(plan.element) if isinstance(plan.element, str) else None
        if format_ is not None and plan.element != "uuid":
            name = f"pack_up_to_{SHORT_RUNS - 1}_{format_}".replace("?", "o")
            self.namespace[name] = short_runs(format_, "pack")
            self.line(f"n = len({items})")
            if self.in_steps:
                self.line(f"while n > {STEP_NUMBERS}:")
                self.line(f"    {out} += pack('>{STEP_NUMBERS}{format_}', *{items}[:{STEP_NUMBERS}])")
                self.line(f"    {items} = {items}[{STEP_NUMBERS}:]")
                self.line(f"    n -= {STEP_NUMBERS}")
                self.line("    yield")
            self.line(f"{out} += {name}[n](*{items}) if n < {SHORT_RUNS} else pack(f'>{{n}}{format_}', *{items})")
        else:
            self._element_loop(plan, items, depth, out, path)
        self.indent -= 1

    def _element_loop(self, plan: FieldPlan, items: str, depth: int, out: str, path: str) -> None:
        variable = f"o{depth + 1}"
        if not isinstance(plan.element, str):  # codec.EncodedList; empty arrays are not checked for it
            self.line(f"if {items}.__class__ is EncodedList:")
            self.line(f"    {out} += {items}.encoded({self.version})")
            self.line(f"    {items} = ()")
        self.line(f"for {variable} in {items}:")
        self.indent += 1
        if not isinstance(plan.element, str):
            self._struct(plan.element, variable, depth + 1, out, path)
        elif plan.element in FORMATS:
            self.run(FORMATS[plan.element], variable)
        else:
            self._sized(plan, plan.element, variable, out, nullable=False)
        self.flush(out)
        if self.in_steps:
            self.line("step += 1")
            self.line(f"if step == {STEP_ELEMENTS}:")
            self.line("    step = 0")
            self.line("    yield")
        self.indent -= 1

    def _tagged_fields(self, plans: list[FieldPlan], source: str, depth: int, out: str, path: str) -> None:
        """Known fields that are not at their default, and the unknown ones, in the order of their tags."""
        fields, content = f"t{depth}", f"out{depth}"
        with_run = self.is_running
        if with_run:  # that there are none goes with the run before it, and is taken back where there are some
            self.run("B", "0")
            self.flush(out)
        self.line(f"{fields} = {source}.unknown_tagged_fields")
        for plan in plans:
            value = f"{source}.{plan.name}"
            if plan.field.factory not in (None, list):
                self.line(f"o{depth + 1} = {value}")
                value = f"o{depth + 1}"
            self.line(f"if {self.is_set(plan, value)}:")
            self.indent += 1
            self.line(f"{content} = bytearray()")
            self._field(plan, value, depth, content, f"{path}: {plan.name}")
            self.flush(content)
            self.line(f"{fields} = with_known({fields}, {plan.field.tag}, {content})")
            self.indent -= 1
        self.line(f"if {fields}:")
        if with_run:
            self.line(f"    del {out}[-1]")
        self.line(f"    put_tagged_fields({out}, {fields}, {path!r})")
        if not with_run:
            self.line("else:")
            self.line(f"    {out}.append(0)")


def varint_rest(value: int) -> bytes:
    """All bytes but the first of an unsigned varint above 127."""
    value >>= 7
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def string_rest(value: int) -> bytes:
    """`varint_rest` of a compact string's length + 1; strings are at most 32767 bytes in every version."""
    if value > STRING_LENGTH_MAX + 1:
        raise ValueError(f"a string of {value - 1} bytes: {STRING_LENGTH_MAX} are the most")
    return varint_rest(value)


def varint(value: int) -> bytes:
    """An unsigned varint above 127."""
    return bytes([value & 127 | 128]) + varint_rest(value)


def string_varint(value: int) -> bytes:
    """`varint` of a compact string's length + 1; strings are at most 32767 bytes in every version."""
    return bytes([value & 127 | 128]) + string_rest(value)


def put_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def put_stand_in(out: bytearray, value: object, records: list[tuple[int, object]] | None) -> None:
    """Note the place of records that are not bytes-like."""
    if records is None:
        raise ValueError(f"records must be bytes here, not {type(value).__name__}: see encode_segments")
    records.append((len(out), value))


def put_tagged_fields(out: bytearray, fields: Sequence[tuple[int, bytes]], path: str) -> None:
    """Write the number of tagged fields and these."""
    put_varint(out, len(fields))
    previous = -1
    for tag, content in fields:
        if tag <= previous:
            raise ValueError(f"{path}: tag {tag} comes after tag {previous}; tags must rise")
        previous = tag
        put_varint(out, tag)
        put_varint(out, len(content))
        out += content


def with_known(fields: Sequence[tuple[int, bytes]], tag: int, content: bytes) -> list[tuple[int, bytes]]:
    """Insert a tagged field. The order of the others stays, so that `put_tagged_fields` finds a wrong order."""
    merged = list(fields)
    index = next((i for i, (other, _) in enumerate(merged) if other >= tag), len(merged))
    merged.insert(index, (tag, content))
    return merged


def cannot_carry(path: str) -> UnsupportedVersion:
    return UnsupportedVersion(f"{path} is set, which this version cannot carry")
