"""The base of all message classes: declared once for all versions, encoded by `codec`, printed by `json_format`.

    class HeartbeatRequest(Message, api_key=12, kind="request", versions="0-4", flexible="4+"):
        group_id: str = field("string", "0+", default="", entity="groupId")
        group_instance_id: str | None = field("string", "3+", default=None, nullable="3+")

The metaclass turns the fields into slots and keeps their descriptions in `__fields__`; `__init__` (keyword arguments
only) is compiled when a class is first instantiated. Nothing is parsed or compiled at import, because a broker imports
dozens of these classes before its first answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias, dataclass_transform

RecordBytes: TypeAlias = bytes | bytearray | memoryview
"""Record batches as they came: decoding gives a memoryview into the input, or None."""

Records: TypeAlias = RecordBytes | Sized
"""Record batches to be sent: bytes, or a stand-in with `len()` such as a file range (see `codec.encode_segments`)."""

Kind: TypeAlias = "str | type[Struct] | Sequence[str | type[Struct]]"
"""A primitive's name in the schema, a struct's class, or a list with one of them for an array."""


class EncodedStructs(NamedTuple):
    """An array of structs that is encoded already, in the version of its message.

    A field of kind "encoded", for message classes of ours that are only encoded, and equal the schema's on the wire.
    """

    struct_count: int
    data: bytes


MISSING: Any = object()

LAST_VERSION = 32767
NO_VERSIONS = range(0)


def parse_versions(text: str) -> range:
    """`"3+"`, `"0-12"`, `"4"` or `"none"` as the range of versions it means."""
    if text == "none":
        return NO_VERSIONS
    if text.endswith("+"):
        return range(int(text[:-1]), LAST_VERSION + 1)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


class Field:
    """One field of a struct, in the schema's own words. Version ranges stay text until something asks."""

    __slots__ = (
        "default",
        "entity",
        "factory",
        "flexible",
        "ignorable",
        "kind",
        "map_key",
        "name",
        "nullable",
        "tag",
        "tagged",
        "versions",
    )

    name: str
    kind: Kind
    versions: str
    default: object
    factory: Callable[[], object] | None
    nullable: str
    tag: int
    tagged: str
    ignorable: bool
    entity: str
    map_key: bool
    flexible: str

    def __repr__(self) -> str:
        return f"<Field {self.name}: {self.kind!r} {self.versions}>"

    @property
    def json_name(self) -> str:
        """Kafka's camelCase name, as its JSON converters print it."""
        first, *rest = self.name.rstrip("_").split("_")
        return first + "".join(word.capitalize() for word in rest)

    def is_default(self, value: object) -> bool:
        if self.factory is None:
            return value == self.default
        return value == [] if isinstance(self.kind, list) else value == self.factory()


def field(
    kind: Kind,
    versions: str,
    *,
    default: object = MISSING,
    factory: Callable[[], object] | None = None,
    nullable: str = "none",
    tag: int = -1,
    tagged: str = "none",
    ignorable: bool = False,
    entity: str = "",
    map_key: bool = False,
    flexible: str = "",
) -> Any:
    """Declare a field; one of `default` and `factory` is given.

    `entity` is Kafka's name for what the value identifies (`topicName`, `groupId`, ...), `map_key` says that Kafka
    keeps the array as a map by this field (here it is a plain list), `flexible` overrides the message's flexible
    versions for this field alone.
    """
    self = Field()
    self.kind = kind
    self.versions = versions
    self.default = default
    self.factory = factory
    self.nullable = nullable
    self.tag = tag
    self.tagged = tagged
    self.ignorable = ignorable
    self.entity = entity
    self.map_key = map_key
    self.flexible = flexible
    return self


class Schema:
    """The schema of a whole message: `HeartbeatRequest.__schema__`."""

    __slots__ = ("api_key", "flexible", "kind", "listeners", "name", "versions")

    def __init__(
        self, *, name: str, kind: str, versions: str, flexible: str, api_key: int = -1, listeners: str = ""
    ) -> None:
        self.name = name
        self.kind = kind
        """request, response, header, data, metadata, coordinator-key or coordinator-value."""
        self.api_key = api_key
        """The API key of a request or response, the record type of a metadata or coordinator record, else -1."""
        self.versions = versions
        self.flexible = flexible
        self.listeners = listeners

    @property
    def valid_versions(self) -> range:
        return parse_versions(self.versions)

    @property
    def flexible_versions(self) -> range:
        return parse_versions(self.flexible)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class StructType(type):
    """The metaclass: fields become slots and a `__fields__` tuple."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, object], **schema: object) -> StructType:
        fields = []
        for attribute, value in namespace.items():
            if type(value) is Field:
                value.name = attribute
                fields.append(value)
        for described in fields:
            del namespace[described.name]
        namespace["__slots__"] = tuple([described.name for described in fields])
        if name != "Struct":  # the one field of Struct itself is not part of any schema
            namespace["__fields__"] = tuple(fields)
        if schema:
            namespace["__schema__"] = Schema(name=name, **schema)  # type: ignore[arg-type]  # checked by the generator
        return super().__new__(cls, name, bases, namespace)

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, object], **_schema: object) -> None:
        super().__init__(name, bases, namespace)


class Struct(metaclass=StructType):
    """A struct of some message. Equal when all fields are; not hashable, since every field may be set."""

    __fields__: ClassVar[tuple[Field, ...]] = ()

    unknown_tagged_fields: Sequence[tuple[int, bytes]] = field("tagged", "none", default=())
    """Tagged fields that the schema does not know: `(tag, content)`, kept and sent on in the order they came.

    A tuple where there are none, as nearly always: a produce and its answer would make seven lists for them.
    """

    __hash__ = None  # type: ignore[assignment]  # mutable

    if not TYPE_CHECKING:

        def __init__(self, **values: object) -> None:
            cls = type(self)
            cls.__init__ = _compile_init(cls)
            cls.__init__(self, **values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        values = _values_getter(type(self))
        return bool(values(self) == values(other))

    def __repr__(self) -> str:
        values = [f"{described.name}={getattr(self, described.name)!r}" for described in self.__fields__]
        if self.unknown_tagged_fields:
            values.append(f"unknown_tagged_fields={self.unknown_tagged_fields!r}")
        return f"{type(self).__name__}({', '.join(values)})"


class Message(Struct):
    """A whole message: a request, response, header, or the key or value of a record."""

    __schema__: ClassVar[Schema]


def _compile_init(cls: type[Struct]) -> Callable[..., None]:
    """`__init__` as one would write it by hand: keyword arguments with Kafka's defaults, assigned to slots."""
    parameters: list[str] = []
    body: list[str] = []
    namespace: dict[str, object] = {"MISSING": MISSING}
    for described in cls.__fields__:
        name = described.name
        if described.factory is None:
            namespace[f"default_{name}"] = described.default
            parameters.append(f"{name}=default_{name}")
            body.append(f"    self.{name} = {name}")
        else:
            namespace[f"new_{name}"] = described.factory
            parameters.append(f"{name}=MISSING")
            body.append(f"    self.{name} = new_{name}() if {name} is MISSING else {name}")
    parameters.append("unknown_tagged_fields=()")
    body.append("    self.unknown_tagged_fields = unknown_tagged_fields")
    source = f"def __init__(self, *, {', '.join(parameters)}):\n" + "\n".join(body)
    exec(compile(source, f"<{cls.__name__}.__init__>", "exec"), namespace)
    init: Any = namespace["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init  # type: ignore[no-any-return]


_values_getters: dict[type[Struct], Callable[[object], object]] = {}


def _values_getter(cls: type[Struct]) -> Callable[[object], object]:
    """All field values of an instance, for `==`."""
    try:
        return _values_getters[cls]
    except KeyError:
        names = [described.name for described in cls.__fields__]
        getter: Callable[[object], object] = attrgetter(*names, "unknown_tagged_fields")
        return _values_getters.setdefault(cls, getter)
