"""`kafkapy log dump`: print what Kafka's files on the disk hold, as `kafka-dump-log` does, without Java."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.client.streams import say

if TYPE_CHECKING:
    import argparse

    from kafkapy.dump import Row
    from kafkapy_wire.json_format import JsonValue

DECODER_NAMES = ("offsets", "transactions", "share", "metadata", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy log`."""
    commands = parser.add_subparsers(dest="log_command", required=True, metavar="COMMAND")
    dump = commands.add_parser(
        "dump",
        help="print the contents of segments, indexes, snapshots and checkpoints",
        description="Print what is in files that Apache Kafka or kafkapy has written: segments, indexes, producer "
        "snapshots, checkpoints, partition.metadata, meta.properties, quorum-state. The broker may run meanwhile: what "
        "it is writing just now may then be cut short.",
        epilog="The exit code is 1 if anything is damaged; each such line begins with an exclamation mark.",
    )
    dump.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a file, or a directory: that of a partition, or a whole data directory",
    )
    dump.add_argument("--no-records", action="store_true", help="of segments only the batches (default: records too)")
    dump.add_argument(
        "--decode",
        choices=DECODER_NAMES,
        metavar="{" + ",".join(DECODER_NAMES) + "}",
        help="the format of keys and values (default: by the name of the partition's directory: internal topics have "
        "theirs, others are printed as they are)",
    )
    dump.add_argument("--json", action="store_true", help="print a JSON object for each line")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1: something in the files is damaged, or a file cannot be read."""
    from kafkapy.dump import Kind, dump

    print_row = _print_json if arguments.json else _print_text
    is_clean = True
    file = ""
    for path in arguments.paths:
        for row in dump(Path(path), decoder=arguments.decode, with_records=not arguments.no_records):
            if row.kind is Kind.FILE:
                file = str(row.fields["file"])
            is_clean = is_clean and row.kind is not Kind.PROBLEM
            print_row(file, row)
    if not is_clean:
        sys.stdout.flush()
        say("kafkapy log dump: some of it is damaged or cannot be read: see the lines that begin with !\n")
    return 0 if is_clean else 1


def _print_json(file: str, row: Row) -> None:
    import json

    sys.stdout.write(json.dumps({"file": file, "kind": row.kind.value} | row.fields, ensure_ascii=False) + "\n")


def _print_text(_file: str, row: Row) -> None:
    from kafkapy.dump import Kind

    match row.kind:
        case Kind.FILE:
            sys.stdout.write(f"Dumping {row.fields['file']}\n")
        case Kind.PROBLEM:
            sys.stdout.write(f"! {row.fields['text']}\n")
        case Kind.NOTE:
            sys.stdout.write(f"{row.fields['text']}\n")
        case _:
            fields = " ".join(f"{name}: {_text(name, value)}" for name, value in row.fields.items())
            sys.stdout.write(f"| {fields}\n" if row.kind is Kind.RECORD else f"{fields}\n")


def _text(name: str, value: JsonValue) -> str:
    """As JSON, so that a record's text shows where it ends; words of Kafka's own stand as they are."""
    import json

    if isinstance(value, str) and value and name not in ("key", "payload") and value.isprintable() and " " not in value:
        return value
    return json.dumps(value, ensure_ascii=False)
