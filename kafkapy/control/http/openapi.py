"""The description of the API, made from the operations' signatures (OpenAPI 3.1)."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from kafkapy import __version__
from kafkapy.control import values
from kafkapy.control.export import Export
from kafkapy.control.http.seeds import JSON_LINES_TYPE
from kafkapy.control.http.sessions import PCAPNG_TYPE
from kafkapy.control.operations import OPERATIONS
from kafkapy.control.signatures import REQUIRED, signature_of
from kafkapy.recording.exchanges import Recorded

PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}
BYTES: dict[str, Any] = {
    "description": "a text, or base64 of bytes that are not UTF-8",
    "oneOf": [
        {"type": "string"},
        {"type": "object", "properties": {"base64": {"type": "string"}}, "required": ["base64"]},
    ],
}
ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "kind": {"type": "string"},
                "message": {"type": "string"},
                "field": {"type": "string"},
                "reason": {"type": "string"},
                "nearest": {"type": ["string", "null"]},
                "line": {"type": ["integer", "null"]},
                "code": {"type": "integer"},
            },
            "required": ["kind", "message"],
        }
    },
    "required": ["error"],
}
LINES: dict[str, Any] = {JSON_LINES_TYPE: {"schema": {"type": "string", "description": "a seed: an entry a line"}}}
FILES_OF_RECORDED: dict[str, Any] = {
    JSON_LINES_TYPE: {"schema": {"type": "string", "description": "a request with its answer a line"}},
    PCAPNG_TYPE: {"schema": {"type": "string", "format": "binary"}},
}
_RAISES = re.compile(r"(?:^|(?<=\.) |\n)Raises\b.*", re.DOTALL)
STATUSES = {
    "400": "an argument is wrong: `field`, `reason`, `nearest`; nothing was done",
    "404": "what was named is not there",
    "409": "Kafka refuses it: `kind` is the name of its error, `code` its number",
    "504": "what was waited for has not come in time; the message says what there was instead",
}


def description() -> dict[str, Any]:
    """The whole document."""
    schemas: dict[str, Any] = {"Error": ERROR}
    return {
        "openapi": "3.1.0",
        "info": {"title": "kafkapy control", "version": __version__, "summary": "A running kafkapy, asked and moved"},
        "paths": {
            "/live": _plain_path("Whether the process runs"),
            "/ready": _plain_path("Whether all nodes serve; 503 otherwise"),
            "/events": _plain_path("What clients ask and are answered, as server-sent events", "text/event-stream"),
            **{f"/v1/{name}": _path(name, schemas) for name in OPERATIONS},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _plain_path(summary: str, media_type: str = "application/json") -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": {"200": {"description": "it is so", "content": {media_type: {}}}}}}


def _path(name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    signature = signature_of(name)
    summary, rest = told(signature.doc)
    properties, required = {}, []
    for each in signature.arguments.values():
        schema = _schema(each.kind, schemas)
        properties[each.name] = {"type": "array", "items": schema} if each.is_list else schema
        if each.default is REQUIRED and not each.is_list:
            required.append(each.name)
    body: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        body["required"] = required
    operation = {
        "operationId": name,
        "summary": summary,
        "description": rest,
        "responses": {
            "200": {
                "description": "done",
                "content": _content(signature.result, schemas),
            },
            **{
                status: {
                    "description": words,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
                for status, words in STATUSES.items()
            },
        },
    }
    content: dict[str, Any] = {"application/json": {"schema": body}}
    if name == "seed":
        content |= LINES
    post = {**operation, "requestBody": {"content": content}}
    if not signature.only_looks:
        return {"post": post}
    parameters = [
        {"name": each, "in": "query", "required": each in required, "schema": schema}
        for each, schema in properties.items()
    ]
    return {"get": {**operation, "operationId": f"get_{name}", "parameters": parameters}, "post": post}


def told(doc: str) -> tuple[str, str]:
    """A docstring to people who know no Python: its first paragraph, and the others.

    They are not told what is raised, which ends a paragraph: the statuses and messages of errors say it to them.
    """
    paragraphs = [" ".join(_RAISES.sub("", paragraph).split()) for paragraph in doc.split("\n\n")]
    summary, *others = [paragraph for paragraph in paragraphs if paragraph]
    return re.sub(r"^Until\b", "Wait until", summary), " ".join(others)


def _content(result: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if result is Export:
        return LINES
    files = FILES_OF_RECORDED if result is Recorded else {}
    return {"application/json": {"schema": _schema(result, schemas)}, **files}


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if kind in PLAIN:
        return PLAIN[kind]
    if kind is bytes:
        return BYTES
    if kind is Recorded:
        return {
            "type": "object",
            "properties": {
                "dropped": {"type": "integer"},
                "exchanges": {"type": "array", "items": {"type": "object"}},
            },
        }
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union or isinstance(kind, types.UnionType):
        return {"anyOf": [_schema(each, schemas) for each in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (list, Sequence) or (origin is tuple and inner[1:] == (...,)):
        return {"type": "array", "items": _schema(inner[0], schemas)}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_schema(each, schemas) for each in inner], "minItems": len(inner)}
    if origin in (dict, Mapping):
        within = _schema(inner[1], schemas)
        if get_origin(inner[0]) is tuple:
            within = {"type": "object", "description": "by partition", "additionalProperties": within}
        return {"type": "object", "additionalProperties": within}
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in schemas:
            schemas[kind.__name__] = {}  # it may name itself
            hints = get_type_hints(kind, localns=vars(values))
            schemas[kind.__name__] = {
                "type": "object",
                "description": kind.__doc__,
                "properties": {each.name: _schema(hints[each.name], schemas) for each in fields(kind)},
                "required": [each.name for each in fields(kind) if each.default is MISSING],
            }
        reference = {"$ref": f"#/components/schemas/{kind.__name__}"}
        return {"anyOf": [reference, *BYTES["oneOf"]]} if kind is values.NewRecord else reference
    return {}
