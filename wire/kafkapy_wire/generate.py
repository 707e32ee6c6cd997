"""Write the message classes and the tables of API keys and error codes from `schemas/`.

    python -m kafkapy_wire.generate            writes what changed
    python -m kafkapy_wire.generate --check    writes nothing; exit code 1 names what would change

The output is formatted by construction, so that it does not depend on a formatter's release.
"""

from __future__ import annotations

import argparse
import json
import keyword
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
SCHEMAS = PACKAGE / "schemas"
LINE_LENGTH = 120
NEVER_FLEXIBLE = {("RequestHeader", "ClientId")}
"""Header v2 keeps the old string here, so that a broker which cannot parse the rest still knows who sent it (KIP-482).
The schema facts do not say it."""

PYTHON_TYPES = {
    "bool": "bool",
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "int",
    "uint16": "int",
    "uint32": "int",
    "float64": "float",
    "string": "str",
    "bytes": "bytes",
    "uuid": "Uuid",
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StructDefinition:
    """One class to be written: a message or one of its structs."""

    class_name: str
    message: Json
    fields: list[Json]
    is_message: bool


def snake_case(name: str) -> str:
    """`ThrottleTimeMs` -> `throttle_time_ms`."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def attribute_name(field: Json) -> str:
    name = snake_case(field["name"])
    return name + "_" if keyword.iskeyword(name) else name


def load(folder: Path) -> list[Json]:
    return [_named_as_file(json.loads(path.read_text()), path) for path in sorted(folder.glob("*.json"))]


def _named_as_file(message: Json, path: Path) -> Json:
    """A schema is known by its file's name, also where the message in it has another (ZkMigrationRecord)."""
    return {**message, "schema": path.stem}


def element_type(type_name: str) -> str:
    return type_name.removeprefix("[]")


def struct_fields(message: Json) -> Iterator[tuple[str, list[Json]]]:
    """Every struct of a message with its fields, each before the struct that holds it."""
    common = {struct["name"]: struct["fields"] for struct in message.get("commonStructs", ())}
    seen: set[str] = set()

    def walk(fields: list[Json]) -> Iterator[tuple[str, list[Json]]]:
        for field in fields:
            name = element_type(field["type"])
            if name in PYTHON_TYPES or name == "records" or name in seen:
                continue
            nested = field.get("fields") or common[name]
            seen.add(name)
            yield from walk(nested)
            yield name, nested

    return walk(message["fields"])


class ModuleWriter:
    """The source of one module with the classes of some messages."""

    def __init__(self, messages: list[Json]) -> None:
        self.messages = messages
        names = Counter(message["name"] for message in messages)
        for message in messages:
            names.update(name for name, _ in struct_fields(message))
        self._shared = {name for name, count in names.items() if count > 1}
        self._imports: set[str] = set()

    def class_name(self, message: Json, struct: str) -> str:
        """Kafka's name when the module has it once, else prefixed with the message that holds it."""
        return message["name"] + struct if struct in self._shared else struct

    def write(self, docstring: list[str]) -> str:
        definitions = list(self._definitions())
        names = Counter(definition.class_name for definition in definitions)
        assert max(names.values()) == 1, f"two classes of one name: {names.most_common(1)}"
        classes = [self._class(definition) for definition in definitions]
        bases = {"Message", "field"} if any(d.fields for d in definitions) else {"Message"}
        if any(not definition.is_message for definition in definitions):
            bases.add("Struct")
        lines = ['"""' + docstring[0], *docstring[1:], "", "Written by `python -m kafkapy_wire.generate`: change that."]
        lines += ['"""', "", "from __future__ import annotations", ""]
        records = sorted(self._imports & {"RecordBytes", "Records"})
        message_imports = sorted(bases | set(records), key=_import_order)
        lines.append(f"from kafkapy_wire.message import {', '.join(message_imports)}")
        uuids = sorted(self._imports & {"Uuid", "ZERO_UUID"}, key=_import_order)
        if uuids:
            lines.append(f"from kafkapy_wire.uuid import {', '.join(uuids)}")
        return "\n".join(lines) + "\n\n\n" + "\n\n\n".join(classes) + "\n"

    def _definitions(self) -> Iterator[StructDefinition]:
        for message in self.messages:
            for name, fields in struct_fields(message):
                yield StructDefinition(self.class_name(message, name), message, fields, is_message=False)
            yield StructDefinition(message["name"], message, message["fields"], is_message=True)

    def _class(self, definition: StructDefinition) -> str:
        if definition.is_message:
            lines = [f"class {definition.class_name}(Message, {self._schema_arguments(definition.message)}):"]
            if len(lines[0]) > LINE_LENGTH:
                lines = [
                    f"class {definition.class_name}(",
                    f"    Message, {self._schema_arguments(definition.message)}",
                    "):",
                ]
        else:
            lines = [f"class {definition.class_name}(Struct):"]
        lines.append(f'    """{self._class_docstring(definition)}"""')
        if definition.fields:
            lines.append("")
        for field in definition.fields:
            lines += self._field(definition.message, field)
        return "\n".join(lines)

    def _class_docstring(self, definition: StructDefinition) -> str:
        message = definition.message
        if not definition.is_message:
            return f"A struct of {message['name']}."
        versions, flexible = message["validVersions"], message.get("flexibleVersions", "none")
        if versions == "none":
            return "Removed from the protocol: no version is left."
        plural = "s" if "-" in versions else ""
        return f"Version{plural} {versions}; {'none' if flexible == 'none' else flexible} flexible."

    def _schema_arguments(self, message: Json) -> str:
        arguments = [f'kind="{message["type"]}"']
        if "apiKey" in message:
            arguments.insert(0, f"api_key={message['apiKey']}")
        arguments.append(f'versions="{message["validVersions"]}"')
        arguments.append(f'flexible="{message.get("flexibleVersions", "none")}"')
        if "listeners" in message:
            arguments.append(f'listeners="{" ".join(message["listeners"])}"')
        return ", ".join(arguments)

    def _field(self, message: Json, field: Json) -> list[str]:
        name = attribute_name(field)
        annotation = self._annotation(message, field)
        arguments = self._field_arguments(message, field)
        head = f"    {name}: {annotation} = field("
        one_line = head + ", ".join(arguments) + ")"
        if len(one_line) <= LINE_LENGTH:
            return [one_line]
        inner = "        " + ", ".join(arguments)
        if len(inner) <= LINE_LENGTH:
            return [head, inner, "    )"]
        return [head, *(f"        {argument}," for argument in arguments), "    )"]

    def _annotation(self, message: Json, field: Json) -> str:
        name = element_type(field["type"])
        if name == "records":
            annotation = "RecordBytes" if message["type"] == "request" else "Records"
            self._imports.add(annotation)
        else:
            annotation = PYTHON_TYPES.get(name) or self.class_name(message, name)
            if annotation == "Uuid":
                self._imports.add(annotation)
        if field["type"].startswith("[]"):
            annotation = f"list[{annotation}]"
        return f"{annotation} | None" if "nullableVersions" in field else annotation

    def _field_arguments(self, message: Json, field: Json) -> list[str]:
        name = element_type(field["type"])
        primitive = name in PYTHON_TYPES or name == "records"
        kind = f'"{name}"' if primitive else self.class_name(message, name)
        if field["type"].startswith("[]"):
            kind = f"[{kind}]"
        tagged = field.get("taggedVersions", "none")
        arguments = [kind, f'"{field.get("versions", tagged)}"', self._default(message, field)]
        if "nullableVersions" in field:
            arguments.append(f'nullable="{field["nullableVersions"]}"')
        if tagged != "none":
            arguments += [f"tag={field['tag']}", f'tagged="{tagged}"']
        if field.get("ignorable"):
            arguments.append("ignorable=True")
        if "entityType" in field:
            arguments.append(f'entity="{field["entityType"]}"')
        if field.get("mapKey"):
            arguments.append("map_key=True")
        if (message["name"], field["name"]) in NEVER_FLEXIBLE:
            arguments.append('flexible="none"')
        return arguments

    def _default(self, message: Json, field: Json) -> str:
        given = field.get("default")  # JSON null means no default, as in Apache Kafka's generator
        if given == "null":
            return "default=None"
        kind = field["type"]
        if kind.startswith("[]"):
            return "factory=list"
        if kind == "string":
            return f"default={json.dumps(given or '')}"
        if kind == "bool":
            return f"default={given in (True, 'true')}"
        if kind == "bytes":
            return 'default=b""'
        if kind == "records":
            return "default=None" if "nullableVersions" in field else 'default=b""'
        if kind == "uuid":
            self._imports.add("ZERO_UUID")
            return "default=ZERO_UUID"
        if kind == "float64":
            return f"default={float(given or 0)}"
        if kind in PYTHON_TYPES:
            return f"default={int(given, 0) if isinstance(given, str) else given or 0}"
        return f"factory={self.class_name(message, kind)}"


def _import_order(name: str) -> tuple[int, str]:
    """Constants, classes, functions: the order that isort and ruff keep."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def message_modules() -> Iterator[tuple[str, str]]:
    """(path inside the package, source) of every module in `messages/`."""
    by_key: dict[int, list[Json]] = {}
    for message in load(SCHEMAS / "messages"):
        if "apiKey" in message:
            by_key.setdefault(message["apiKey"], []).append(message)
        else:
            source = ModuleWriter([message]).write([f"{message['name']}: a message without an API key."])
            yield f"messages/{snake_case(message['name'])}.py", source
    for key, messages in by_key.items():
        messages.sort(key=lambda message: ("request", "response").index(message["type"]))
        name = messages[0]["name"].removesuffix("Request")
        source = ModuleWriter(messages).write([f"{name} (API key {key}): request and response."])
        yield f"messages/{snake_case(name)}.py", source


RECORD_FAMILIES = {
    "metadata": "Records of the metadata log `__cluster_metadata` (KRaft); `api_key` is the record type.",
    "group-coordinator": "Keys and values in `__consumer_offsets`; `api_key` is the record type, a key's version.",
    "share-coordinator": "Keys and values in `__share_group_state`; `api_key` is the record type.",
    "transaction-coordinator": "Keys and values in `__transaction_state`; `api_key` is the record type.",
    "raft": "The quorum state file of KRaft.",
    "storage": "Formats that the log layer keeps: producer snapshots and remote log metadata.",
}


def record_modules() -> Iterator[tuple[str, str]]:
    """(path inside the package, source) of every module in `record_formats/`."""
    for family, docstring in RECORD_FAMILIES.items():
        source = ModuleWriter(load(SCHEMAS / "records" / family)).write([docstring])
        yield f"record_formats/{family.replace('-', '_')}.py", source


def api_key_module() -> str:
    """The source of `api_key.py`: the enum and the rows that `api_keys.API_VERSIONS` is made of."""
    apis = json.loads((SCHEMAS / "apis.json").read_text())
    requests = {message["apiKey"]: message for message in load(SCHEMAS / "messages") if message["type"] == "request"}
    lines = [
        '"""API keys of Apache Kafka 4.4.0 with their released versions.',
        "",
        "Written by `python -m kafkapy_wire.generate`: change that.",
        '"""',
        "",
        "from enum import IntEnum",
        "",
        "",
        "class ApiKey(IntEnum):",
        '    """The number that opens a request\'s header."""',
        "",
        *(f"    {api['name']} = {api['key']}" for api in apis),
        "",
        "",
        "# message name, min and max version, first flexible version, listeners, cluster action, forwardable",
        "API_TABLE: dict[ApiKey, tuple[str, int, int, int, tuple[str, ...], bool, bool]] = {",
    ]
    for api in apis:
        request = requests[api["key"]]
        message_name = request["name"].removesuffix("Request")
        assert snake_case(message_name) == api["name"].lower(), api["name"]
        flexible = request.get("flexibleVersions", "none")
        first_flexible = 32767 if flexible == "none" else int(flexible.removesuffix("+"))
        row = (
            message_name,
            api["min"],
            api["max"],
            first_flexible,
            tuple(api["listeners"]),
            api["cluster_action"],
            api["forwardable"],
        )
        lines += _table_row(f"ApiKey.{api['name']}", [_literal(value) for value in row])
    return "\n".join([*lines, "}"]) + "\n"


def _table_row(key: str, values: list[str]) -> list[str]:
    one_line = f"    {key}: ({', '.join(values)}),"
    if len(one_line) <= LINE_LENGTH:
        return [one_line]
    return [f"    {key}: (", *(f"        {value}," for value in values), "    ),"]


def _literal(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(_literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def error_code_module() -> str:
    """The source of `error_code.py`."""
    errors = json.loads((SCHEMAS / "errors.json").read_text())
    lines = [
        '"""Error codes of Apache Kafka 4.4.0.',
        "",
        "Written by `python -m kafkapy_wire.generate`: change that.",
        '"""',
        "",
        "from enum import IntEnum",
        "",
        "",
        "class ErrorCode(IntEnum):",
        '    """What a response says went wrong; NONE when nothing did."""',
        "",
        *(f"    {error['name']} = {error['code']}" for error in errors),
        "",
        "    @property",
        "    def retriable(self) -> bool:",
        '        """The same request may succeed later."""',
        "        return self in _RETRIABLE",
        "",
        "    @property",
        "    def refreshes_metadata(self) -> bool:",
        '        """A client asks for new metadata before it tries again."""',
        "        return self in _REFRESHES_METADATA",
        "",
        "",
    ]
    lines += _code_set("_RETRIABLE", (error["name"] for error in errors if error["retriable"]))
    lines += _code_set("_REFRESHES_METADATA", (error["name"] for error in errors if error["refreshes_metadata"]))
    return "\n".join(lines) + "\n"


def schema_index_module(places: dict[str, str]) -> str:
    """The source of `schema_index.py`: where the class of each schema is."""
    lines = [
        '"""Where the class of each schema is, by the name of the schema\'s file.',
        "",
        "Written by `python -m kafkapy_wire.generate`: change that.",
        '"""',
        "",
        "SCHEMA_CLASSES: dict[str, str] = {",
    ]
    for folder in ("messages", *(f"records/{family}" for family in RECORD_FAMILIES)):
        for message in load(SCHEMAS / folder):
            name = message["name"]
            lines += _wrapped_item(f"{folder}/{message['schema']}", f"{places[name]}:{name}")
    return "\n".join([*lines, "}"]) + "\n"


def _wrapped_item(key: str, value: str) -> list[str]:
    one_line = f'    "{key}": "{value}",'
    return [one_line] if len(one_line) <= LINE_LENGTH else [f'    "{key}": (', f'        "{value}"', "    ),"]


def class_places(sources: dict[str, str]) -> dict[str, str]:
    """The module of every class: message names are unique in all of Kafka's schemas."""
    return {
        name: path.removesuffix(".py").replace("/", ".")
        for path, source in sources.items()
        for name in re.findall(r"^class (\w+)\(\s*Message,", source, re.MULTILINE)
    }


def _code_set(name: str, members: Iterable[str]) -> list[str]:
    return [f"{name} = frozenset(", "    {", *(f"        ErrorCode.{member}," for member in members), "    }", ")"]


def generate() -> dict[Path, str]:
    """Every generated file with its source."""
    sources = {**dict(message_modules()), **dict(record_modules())}
    sources["schema_index.py"] = schema_index_module(class_places(sources))
    sources["api_key.py"] = api_key_module()
    sources["error_code.py"] = error_code_module()
    return {PACKAGE / name: source for name, source in sources.items()}


def stale_files(sources: dict[Path, str]) -> list[Path]:
    """Files whose text differs from the generator's, and modules that it no longer writes."""
    changed = [path for path, source in sources.items() if not path.exists() or path.read_text() != source]
    present = [path for folder in ("messages", "record_formats") for path in (PACKAGE / folder).glob("*.py")]
    return changed + [path for path in present if path not in sources and path.name != "__init__.py"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m kafkapy_wire.generate", description="Write the message classes.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something would change")
    options = parser.parse_args(arguments)
    sources = generate()
    stale = stale_files(sources)
    for path in stale:
        sys.stdout.write(f"{path.relative_to(PACKAGE)}\n")
        if options.check:
            continue
        if path in sources:
            path.parent.mkdir(exist_ok=True)
            path.write_text(sources[path])
        else:
            path.unlink()
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
