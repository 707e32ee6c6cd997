"""`kafkapy control OPERATION NAME=VALUE ...`: the control API of a running node or cluster, asked from a shell."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kafkapy.cli.control_address import CONTROL_VARIABLE, TOKEN_VARIABLE, parse_address
from kafkapy.cli.control_seed import file_in, send_seed, type_of_recorded, write_export, write_recorded
from kafkapy.client.command_line import (
    add_json_argument,
    complain,
    print_json,
    print_table,
    wants_json,
)
from kafkapy.client.errors import ClientError
from kafkapy.client.interrupts import interruptible
from kafkapy.nearest import did_you_mean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from http.client import HTTPResponse
    from typing import BinaryIO

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9090
DESCRIPTION_PATH = "/openapi.json"
OK = 200
WAIT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""How much longer than the operation itself may wait its answer is waited for."""
PIECE_BYTES = 1 << 20
CELL_LENGTH_MAX = 60
HAS_OWN_HELP = True  # that of an operation comes from the API
EPILOG = (
    "Values are texts; numbers, true and false where the operation takes those; JSON if they begin with { or [. A name "
    "that takes a list may be given more than once. `kafkapy control` alone lists the operations, "
    "`kafkapy control OPERATION --help` what one takes. `kafkapy control seed FILE` applies a seed, `kafkapy control "
    "export FILE` writes one, without FILE to standard output. `kafkapy control recorded FILE.pcapng` writes a capture "
    "for Wireshark, FILE.jsonl a session for `kafkapy replay`. docs/control-api.md has examples."
)


EXCHANGE_COLUMNS = ("number", "node", "api", "apiVersion", "clientId", "topics", "groups", "outcome", "errors")


class WrongUsage(ClientError):
    """What was written cannot be meant; nothing was asked for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy control`."""
    parser.add_argument("-h", "--help", action="store_true", help="show this help, or that of an operation, and exit")
    parser.add_argument("operation", nargs="?", metavar="OPERATION", help="what to do (default: list what there is)")
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE", help="an argument of the operation")
    parser.add_argument(
        "--url",
        metavar="URL",
        help=f"where the API is; ${TOKEN_VARIABLE} is its token (default: ${CONTROL_VARIABLE}, else "
        f"http://{DEFAULT_HOST}:{DEFAULT_PORT})",
    )
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on standard error; 2 if it was about what was written."""
    if arguments.help and arguments.operation is None:
        from kafkapy.cli import command_parser

        command_parser("control").print_help()
        return 0
    try:
        with interruptible():
            _perform(arguments, _Api(arguments.url))
    except ClientError as error:
        complain("control", str(error))
        return 2 if isinstance(error, WrongUsage) else 1
    return 0


def _perform(arguments: argparse.Namespace, api: _Api) -> None:
    """Raises ClientError."""
    described = api.ask("GET", DESCRIPTION_PATH)
    operations = {
        path.removeprefix("/v1/"): methods["post"]
        for path, methods in described["paths"].items()
        if path.startswith("/v1/")
    }
    name = arguments.operation
    if name is None:
        summaries = {each: operation["summary"] for each, operation in operations.items()}
        if wants_json(arguments):
            print_json(summaries)
        else:
            print_table(["OPERATION", "WHAT IT DOES"], list(summaries.items()))
        return
    if name not in operations:
        raise WrongUsage(
            f"there is no operation {name!r}{did_you_mean(name, operations)}; `kafkapy control` lists them"
        )
    schema = operations[name]["requestBody"]["content"]["application/json"]["schema"]
    if arguments.help:
        _print_help(name, operations[name], schema, described["components"]["schemas"])
        return
    words = list(arguments.values)
    file = file_in(name, words)
    given = _read(name, words, schema["properties"])
    if name == "export":
        with _file_errors(file):
            write_export(file, api.stream("POST", f"/v1/{name}", given))
        return
    if name == "recorded" and file is not None:
        with _file_errors(file):
            write_recorded(file, api.stream("POST", f"/v1/{name}", given, {"Accept": type_of_recorded(file)}))
        return
    if file is not None:
        with _file_errors(file):
            _report(arguments, api.checked(*send_seed(file, partial(api.post, f"/v1/{name}"))))
        return
    timeout = given.get("timeout", WAIT_SECONDS)
    result = api.ask("POST", f"/v1/{name}", given, (timeout if isinstance(timeout, float) else 0) + ANSWER_SECONDS)
    _report(arguments, result)


def _report(arguments: argparse.Namespace, result: Any) -> None:
    if wants_json(arguments):
        print_json(result)
    else:
        _print(result)


@contextmanager
def _file_errors(path: str | None) -> Iterator[None]:
    """Raises WrongUsage: the file is not what it should be; ClientError: it cannot be written."""
    try:
        yield
    except ValueError as error:  # InvalidSeed
        raise WrongUsage(str(error)) from None
    except OSError as error:
        if path is None:
            raise
        raise ClientError(f"{path} cannot be used: {error.strerror or error}") from None


class _Api:
    """An API at an address."""

    def __init__(self, url: str | None) -> None:
        """Raises WrongUsage."""
        given = url if url is not None else os.environ.get(CONTROL_VARIABLE) or str(DEFAULT_PORT)
        try:
            self._host, self._port = parse_address(given, DEFAULT_HOST)
        except ValueError as error:
            raise WrongUsage(f"{'--url' if url is not None else CONTROL_VARIABLE}: {error}") from None

    @property
    def _where(self) -> str:
        return f"http://{self._host}:{self._port}"

    def ask(self, method: str, path: str, given: object = None, seconds: float = ANSWER_SECONDS) -> Any:
        """What is answered. Raises ClientError: it is refused, or nobody answers."""
        with self._asked(method, path, None if given is None else json.dumps(given), {}, seconds) as response:
            answer = json.loads(response.read())
            if path == DESCRIPTION_PATH and response.status == OK and "paths" not in answer:
                raise ValueError("no description")
        return self.checked(response.status, answer)

    def post(self, path: str, body: BinaryIO, headers: Mapping[str, str]) -> tuple[int, Any]:
        """Status and answer, however long it takes. Raises ClientError: nobody answers."""
        with self._asked("POST", path, body, headers, None) as response:
            return response.status, json.loads(response.read())

    def stream(
        self, method: str, path: str, given: object, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[bytes]:
        """What is answered, in pieces. Raises ClientError: it is refused, or breaks off."""
        with self._asked(method, path, json.dumps(given), headers, ANSWER_SECONDS) as response:
            if response.status != OK:
                self.checked(response.status, json.loads(response.read()))
            while piece := response.read(PIECE_BYTES):
                yield piece

    def checked(self, status: int, answer: Any) -> Any:
        """The same answer. Raises ClientError: it is a refusal."""
        if status != OK:
            raise ClientError(_error_in(answer, self._where))
        return answer

    @contextmanager
    def _asked(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], seconds: float | None
    ) -> Iterator[HTTPResponse]:
        """Raises ClientError: nobody answers, or not with what the block can read."""
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(self._host, self._port, timeout=seconds)
        token = os.environ.get(TOKEN_VARIABLE)
        where = self._where
        try:
            connection.request(
                method, path, body, {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
            )
            yield connection.getresponse()
        except ConnectionRefusedError:
            raise ClientError(
                f"nothing listens at {where}: start kafkapy with --control {self._port}, or name another "
                "address by --url"
            ) from None
        except OSError as error:
            raise ClientError(f"{where} does not answer ({error.strerror or error})") from None
        except (ValueError, HTTPException):
            raise ClientError(f"what answers at {where} is not kafkapy's control API") from None
        finally:
            connection.close()


def _error_in(answer: Any, where: str) -> str:
    try:
        return str(answer["error"]["message"])
    except (KeyError, TypeError):
        return f"what answers at {where} is not kafkapy's control API"


def _read(operation: str, texts: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments. Raises WrongUsage."""
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise WrongUsage(f"{text!r:.100} is not NAME=VALUE")
        if name not in known:
            hint = did_you_mean(name, known) or f"; it takes {', '.join(known) or 'nothing'}"
            raise WrongUsage(f"{operation} takes no {name!r:.100}{hint}")
        read = _value(name, value, known[name])
        if _type(known[name]) == "array" and not isinstance(read, list):
            given.setdefault(name, []).append(read)
        elif name in given:
            raise WrongUsage(f"{name} is given twice")
        else:
            given[name] = read
    return given


def _value(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    """Raises WrongUsage."""
    kind = _type(schema)
    if kind == "string":
        return text
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WrongUsage(f"{name} is no JSON: {error}") from None
    if kind == "array":
        return _value(name, text, schema["items"]) if "items" in schema else text
    try:
        match kind:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        words = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
        raise WrongUsage(f"{name} is {words[str(kind)]}, not {text!r:.100}") from None
    return text


def _type(schema: Mapping[str, Any]) -> str | None:
    """Of what a schema allows, apart from null."""
    for each in schema.get("anyOf", ()):
        if each.get("type") != "null":
            return _type(each)
    found = schema.get("type")
    return found if isinstance(found, str) else None


def _print_help(name: str, operation: Mapping[str, Any], schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    required = schema.get("required", ())
    words = [f"{each}=VALUE" if each in required else f"[{each}=VALUE]" for each in schema["properties"]]
    print(" ".join(["usage: kafkapy control", name, *words]))
    print(f"\n{operation['summary']}")
    if operation["description"]:
        print(f"\n{operation['description']}")
    if words:
        print()
        rows = [
            [each, _kind(of, schemas), "yes" if each in required else "no"] for each, of in schema["properties"].items()
        ]
        print_table(["ARGUMENT", "VALUE", "NEEDED"], rows)


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        kinds = [_kind(each, schemas) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in schema:
        within = schemas[schema["$ref"].rpartition("/")[2]]
        needed = within.get("required", ())
        return f"{{{', '.join(each if each in needed else f'[{each}]' for each in within['properties'])}}}"
    if schema.get("type") == "object" and "properties" in schema:
        return f"{{{', '.join(schema['properties'])}}}"
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        items = _kind(schema.get("items", {}), schemas)
        return f"list of ({items})" if " or " in items else f"list of {items}"
    if "additionalProperties" in schema:
        name = "PARTITION" if schema.get("description") == "by partition" else "NAME"
        return f"{{{name}: {_kind(schema['additionalProperties'], schemas)}}}"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(str(schema.get("type")), "JSON")


def _print(result: Any) -> None:
    match result:
        case None:
            print("done")
        case {"exchanges": list(exchanges)}:
            _print_rows([{name: each.get(name) for name in EXCHANGE_COLUMNS} for each in exchanges])
        case dict():
            for name, value in result.items():
                print(f"{name}: {_text(value)}")
        case [dict(), *_]:
            _print_rows(result)
        case list():
            for each in result:
                print(_text(each))
        case _:
            print(_text(result))


def _print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    print_table(
        [name.upper() for name in columns],
        [[_cell(row.get(name)) for name in columns] for row in rows],
    )


def _cell(value: Any) -> str | int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    text = _text(value)
    return text if len(text) <= CELL_LENGTH_MAX else f"{text[: CELL_LENGTH_MAX - 3]}..."


def _text(value: Any) -> str:
    """In one line, and such that a terminal obeys nothing that is in it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value, ensure_ascii=True)
    return text.encode(sys.stdout.encoding or "utf-8", "backslashreplace").decode(sys.stdout.encoding or "utf-8")
