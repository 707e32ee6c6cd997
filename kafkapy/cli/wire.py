"""`kafkapy wire`: decode and encode messages and whole frames, for who debugs a client."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from string import hexdigits
from typing import TextIO

from kafkapy.cli.parser import CommandParser
from kafkapy.client.command_line import message_version
from kafkapy.client.streams import say
from kafkapy_wire.catalog import UnknownSchema, message_class, schema_name
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.json_format import JsonValue, from_json, to_json


class BadInput(Exception):
    """What the user gave cannot be converted; the text is the one line that says why."""


class IntermixedArgumentParser(CommandParser):
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
        epilog="examples: kafkapy wire decode HeartbeatRequest --version 0 '0001 67 00000003 0001 6d'; "
        "kafkapy wire decode --frame '000c 0004 00000001 ...'; "
        "kafkapy wire decode --frame --response-to Fetch:12 - < hex",
    )
    _add_common_arguments(
        decode_parser, "HEX", "the bytes in hexadecimal, spaces and colons allowed; - reads them from stdin"
    )
    whole = decode_parser.add_mutually_exclusive_group()
    whole.add_argument(
        "--frame",
        action="store_true",
        help="HEX is one or more whole requests, with or without the four bytes of length in front: message and "
        "version are found in them, and record batches are read",
    )
    whole.add_argument("--records", action="store_true", help="HEX is one or more record batches")
    decode_parser.add_argument(
        "--response-to", metavar="API:VERSION", help="with --frame: HEX is the response to such a request (Fetch:12)"
    )
    list_parser = commands.add_parser(
        "list",
        help="list the messages that there are",
        description="List the messages and records of Apache Kafka's protocol, with API keys (or types of records) and "
        "versions.",
    )
    list_parser.add_argument(
        "word", nargs="?", metavar="WORD", help="only those with WORD in their names (default: all)"
    )
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
    parser.add_argument("--version", type=message_version, metavar="N", help="the message's version")
    parser.add_argument(
        "--jsonl",
        action="store_true",
        help='convert lines {"schema", "version", "hex" or "json"} from stdin, in both directions',
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 after one line on stderr that says what is wrong with the input."""
    convert = _decode_object if arguments.wire_command == "decode" else _encode_object
    try:
        if arguments.wire_command == "list":
            return _list(arguments.word)
        if arguments.wire_command == "decode" and (arguments.frame or arguments.records or arguments.response_to):
            sys.stdout.write(_decode_whole(arguments))
            return 0
        if arguments.jsonl:
            for line in _converted_lines(sys.stdin, convert):
                sys.stdout.write(line)
        else:
            sys.stdout.write(_convert_arguments(arguments))
    except BadInput as problem:
        say(f"kafkapy wire {arguments.wire_command}: {problem}\n")
        return 1
    return 0


def _list(word: str | None) -> int:
    from kafkapy.client.command_line import print_table
    from kafkapy_wire.schema_index import SCHEMA_CLASSES

    rows: list[list[str | int | None]] = []
    for full_name in SCHEMA_CLASSES:
        if word is None or word.lower() in full_name.lower():
            schema = message_class(full_name).__schema__
            rows.append([full_name, schema.api_key if schema.api_key >= 0 else None, schema.versions, schema.flexible])
    if not rows:
        raise BadInput(f"there is no message with {word!r} in its name")
    print_table(["MESSAGE", "KEY", "VERSIONS", "FLEXIBLE"], rows)
    return 0


def _decode_whole(arguments: argparse.Namespace) -> str:
    """Frames, or record batches, as a JSON document each."""
    from kafkapy.cli.wire_frames import (
        NoFrame,
        decode_batches,
        decode_request,
        decode_response,
        parse_api,
        split_frames,
    )

    given = arguments.message if arguments.content is None else arguments.content
    if given is None or (arguments.content is not None and arguments.message is not None):
        raise BadInput("one HEX is needed, and no MESSAGE: it is found in the bytes")
    if arguments.version is not None or arguments.jsonl:
        raise BadInput("--version and --jsonl are for a MESSAGE: here it is found in the bytes")
    if arguments.response_to is not None and not arguments.frame:
        raise BadInput("--response-to is for --frame")
    data = _parse_hex(_given_text(given))
    try:
        if arguments.records:
            documents = [*decode_batches(data)]
            match documents:
                case [{"problem": problem}]:
                    raise BadInput(str(problem))
        elif arguments.response_to is not None:
            api_key, version = parse_api(arguments.response_to)
            documents = [decode_response(frame, api_key, version) for frame in split_frames(data)]
        else:
            documents = [decode_request(frame) for frame in split_frames(data)]
    except NoFrame as error:
        raise BadInput(str(error)) from None
    return "".join(json.dumps(document, ensure_ascii=False, indent=2) + "\n" for document in documents)


def _given_text(content: str) -> str:
    if content != "-":
        return content
    try:
        return sys.stdin.read()
    except OSError as error:
        raise BadInput(f"standard input cannot be read ({error.strerror})") from None


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
        content = "HEX" if arguments.wire_command == "decode" else "JSON"
        hint = ", or --frame HEX for a whole request" if arguments.wire_command == "decode" else ""
        raise BadInput(f"give MESSAGE, --version N and {content}{hint}, or --jsonl")
    content = _given_text(arguments.content)
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
    text = text.replace(":", " ")
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
