"""`kafkapy wire`: decode and encode single messages, for who debugs a client."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from string import hexdigits
from typing import TextIO

from kafkapy_wire.catalog import UnknownSchema, message_class, schema_name
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.json_format import JsonValue, from_json, to_json


class BadInput(Exception):
    """What the user gave cannot be converted; the text is the one line that says why."""


class IntermixedArgumentParser(argparse.ArgumentParser):
    """Takes `MESSAGE --version N HEX`: plain argparse of Python 3.11 lets no option stand between optional words."""

    _inside = False

    def parse_known_args(  # type: ignore[override]  # its overloads only differ in the namespace's type
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if self._inside:  # parse_known_intermixed_args works by two calls of this
            return super().parse_known_args(args, namespace)
        self._inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._inside = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy wire`."""
    commands = parser.add_subparsers(
        dest="wire_command", required=True, metavar="COMMAND", parser_class=IntermixedArgumentParser
    )
    decode_parser = commands.add_parser(
        "decode",
        help="print the JSON of an encoded message",
        description="Print the JSON that Kafka's own converters print for an encoded message.",
        epilog="example: kafkapy wire decode HeartbeatRequest --version 0 '0001 67 00000003 0001 6d'",
    )
    _add_common_arguments(decode_parser, "HEX", "the bytes in hexadecimal, spaces allowed; - reads them from stdin")
    encode_parser = commands.add_parser(
        "encode",
        help="print the bytes of a message given as JSON",
        description="Print, in hexadecimal, the bytes of a message given as the JSON that decode prints.",
    )
    _add_common_arguments(encode_parser, "JSON", "the message as JSON; - reads it from stdin")


def _add_common_arguments(parser: argparse.ArgumentParser, content: str, content_help: str) -> None:
    parser.add_argument(
        "message",
        nargs="?",
        metavar="MESSAGE",
        help="FetchRequest, TopicRecord, or in full messages/FetchRequest, records/metadata/TopicRecord",
    )
    parser.add_argument("content", nargs="?", metavar=content, help=content_help)
    parser.add_argument("--version", type=int, metavar="N", help="the message's version")
    parser.add_argument(
        "--jsonl",
        action="store_true",
        help='convert lines {"schema", "version", "hex" or "json"} from stdin, in both directions',
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on stderr that says what is wrong with the input."""
    convert = _decode_object if arguments.wire_command == "decode" else _encode_object
    try:
        if arguments.jsonl:
            for line in _converted_lines(sys.stdin, convert):
                sys.stdout.write(line)
        else:
            sys.stdout.write(_convert_arguments(arguments))
    except BadInput as problem:
        sys.stderr.write(f"kafkapy wire {arguments.wire_command}: {problem}\n")
        return 1
    return 0


Convert = Callable[[dict[str, JsonValue]], dict[str, JsonValue]]


def _converted_lines(lines: TextIO, convert: Convert) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            given = _parse_json(line)
            if not isinstance(given, dict):
                raise BadInput('not an object with "schema", "version" and "hex" or "json"')
            yield json.dumps(convert(given), ensure_ascii=False) + "\n"
        except BadInput as problem:
            raise BadInput(f"line {number}: {problem}") from None


def _convert_arguments(arguments: argparse.Namespace) -> str:
    if arguments.message is None or arguments.content is None or arguments.version is None:
        raise BadInput("MESSAGE, --version and the content are needed (or --jsonl)")
    content = sys.stdin.read() if arguments.content == "-" else arguments.content
    given: dict[str, JsonValue] = {"schema": arguments.message, "version": arguments.version}
    if arguments.wire_command == "decode":
        return json.dumps(_decode_object({**given, "hex": content})["json"], ensure_ascii=False, indent=2) + "\n"
    return str(_encode_object({**given, "json": _parse_json(content)})["hex"]) + "\n"


def _decode_object(given: dict[str, JsonValue]) -> dict[str, JsonValue]:
    name, version = _schema_and_version(given)
    text = given.get("hex")
    if not isinstance(text, str):
        raise BadInput('"hex" is missing')
    data = _parse_hex(text)
    try:
        return {
            "schema": name,
            "version": version,
            "json": to_json(decode(message_class(name), data, version), version),
        }
    except (MalformedMessage, ValueError) as error:
        raise BadInput(str(error)) from None


def _encode_object(given: dict[str, JsonValue]) -> dict[str, JsonValue]:
    name, version = _schema_and_version(given)
    if "json" not in given:
        raise BadInput('"json" is missing')
    try:
        message = from_json(message_class(name), given["json"], version)
        return {"schema": name, "version": version, "hex": encode(message, version).hex()}
    except ValueError as error:
        raise BadInput(str(error)) from None


def _schema_and_version(given: dict[str, JsonValue]) -> tuple[str, int]:
    name, version = given.get("schema"), given.get("version")
    if not isinstance(name, str):
        raise BadInput('"schema" is missing')
    if isinstance(version, bool) or not isinstance(version, int):
        raise BadInput('"version" is missing or not a number')
    try:
        return schema_name(name), version
    except UnknownSchema as error:
        raise BadInput(str(error)) from None


def _parse_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        for position, character in enumerate(text):
            if character not in hexdigits and not character.isspace():
                raise BadInput(f"not hexadecimal: {character!r} at position {position}") from None
        raise BadInput("not hexadecimal: a byte is two digits without a space between them") from None


def _parse_json(text: str) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}") from None
    return parsed
