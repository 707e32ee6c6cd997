"""The command line. `kafkapy` alone is `kafkapy start`, and so is `kafkapy server.properties`.

Each command is a module with `add_arguments(parser)` and `run(arguments) -> exit code`, imported only when it is the
one that was asked for. Exit codes: 0 done, 1 refused or failed (one line on standard error says why), 2 usage, 130
Ctrl-C, 143 SIGTERM, 129 SIGHUP.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkapy.cli.parser import CommandParser

__all__ = ["COMMANDS", "command_parser", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "start": ("kafkapy.cli.start", "start a broker (the default)"),
    "format": ("kafkapy.cli.format", "make a data directory for a broker, as kafka-storage does"),
    "random-uuid": ("kafkapy.cli.random_uuid", "print an id for a new cluster, or for a directory of a voter"),
    "certs": ("kafkapy.cli.certs", "make certificates for tests: an authority, servers and clients"),
    "topics": ("kafkapy.cli.topics", "list, create, describe, alter and delete topics, delete records"),
    "produce": ("kafkapy.cli.produce", "send records to a topic"),
    "consume": ("kafkapy.cli.consume", "print the records of topics"),
    "groups": ("kafkapy.cli.groups", "list and describe groups of every type, move their offsets"),
    "transactions": ("kafkapy.cli.transactions", "list and describe transactions, abort those that stay open"),
    "configs": ("kafkapy.cli.configs", "show and change settings of topics, brokers and groups"),
    "acls": ("kafkapy.cli.acls", "list, add and remove ACLs: who may do what"),
    "users": ("kafkapy.cli.users", "list, add and remove users of SASL/SCRAM"),
    "quotas": ("kafkapy.cli.quotas", "show and change quotas of users, client ids and addresses"),
    "logdirs": ("kafkapy.cli.logdirs", "show the data directories of brokers, and what is in them"),
    "features": ("kafkapy.cli.features", "show and change the levels of the cluster's features"),
    "cluster": ("kafkapy.cli.cluster", "start a cluster; show one that runs, move replicas, elect leaders"),
    "control": ("kafkapy.cli.control", "ask a running node or cluster for what tests need: faults, time, records"),
    "log": ("kafkapy.cli.log", "print what Kafka's files on the disk hold"),
    "check": ("kafkapy.cli.check", "look for anomalies in a history of client operations"),
    "replay": ("kafkapy.cli.replay", "send a recorded session again, and show the first difference"),
    "wire": ("kafkapy.cli.wire", "decode and encode protocol messages"),
    "completion": ("kafkapy.cli.completion", "print the completion script of a shell"),
}

# Options that every client command takes, and that may stand before its name.
BEFORE_COMMAND = ("-b", "--bootstrap-server", "--command-config", "--timeout")


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    from kafkapy.cli.running import run_to_exit_code

    arguments = sys.argv[1:] if argv is None else argv
    return run_to_exit_code(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    from kafkapy.client.streams import say

    if arguments and arguments[0] in ("-h", "--help", "help"):
        if len(arguments) == 1:
            print(_overview())
            return 0
        arguments = [arguments[1], "--help"]  # `kafkapy help topics`
    if arguments and arguments[0] in ("-V", "--version"):
        from kafkapy import __version__

        print(f"kafkapy {__version__}")
        return 0
    options, rest = _options_before_command(arguments)
    if not rest or rest[0].startswith("-") or rest[0].endswith(".properties"):
        if options:
            say(f"kafkapy: {options[0]} is for a command, as in `kafkapy {' '.join(options)} topics list`\n")
            return 2
        rest = ["start", *rest]
    name, *rest = rest
    if name not in COMMANDS:
        say(f"kafkapy: {_no_command(name)}\n")
        return 2
    return _run_command(name, [*options, *rest])


def _run_command(name: str, rest: list[str]) -> int:
    from importlib import import_module

    module = import_module(COMMANDS[name][0])
    parser = command_parser(name)
    # Intermixed, so that `kafkapy produce TOPIC -b HOST:PORT VALUE` means what it says; subcommands cannot be.
    arguments = parser.parse_args(rest) if parser.has_subcommands else parser.parse_intermixed_args(rest)
    exit_code: int = module.run(arguments)
    return exit_code


def command_parser(name: str) -> CommandParser:
    """The parser of one command."""
    from importlib import import_module

    from kafkapy.cli.parser import CommandParser

    module_name, summary = COMMANDS[name]
    module = import_module(module_name)
    parser = CommandParser(
        prog=f"kafkapy {name}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=getattr(module, "EPILOG", None),
        add_help=not getattr(module, "HAS_OWN_HELP", False),
    )
    module.add_arguments(parser)
    return parser


def _options_before_command(arguments: list[str]) -> tuple[list[str], list[str]]:
    """(the options of `BEFORE_COMMAND` that stand in front, with their values; the rest)"""
    position = 0
    while position < len(arguments):
        option, equals, _ = arguments[position].partition("=")
        if option in BEFORE_COMMAND:
            position += 1 if equals else 2
        elif option.startswith("-b") and not option.startswith("--"):  # -bHOST:PORT
            position += 1
        else:
            break
    return arguments[:position], arguments[position:]


def _no_command(name: str) -> str:
    from pathlib import Path

    from kafkapy.settings.sources import OTHER_FORMATS, not_properties

    written_in = OTHER_FORMATS.get(Path(name).suffix.lower())
    if written_in is not None:
        return not_properties(name, written_in)
    if Path(name).is_file():
        return f"{name} is no command; to start a broker with the settings of that file: kafkapy start {name}"
    return f"there is no command {name!r}{_nearest(name)}; `kafkapy --help` lists them"


def _nearest(name: str) -> str:
    from kafkapy.nearest import did_you_mean

    return did_you_mean(name, COMMANDS)


def _overview() -> str:
    lines = [
        "usage: kafkapy [COMMAND] [OPTIONS]",
        "       kafkapy [SERVER.PROPERTIES] [OPTIONS OF start]",
        "",
        "A Kafka broker that starts before you notice, and a client for it.",
        "",
        "commands:",
    ]
    lines += [f"  {name:<12} {summary}" for name, (_, summary) in COMMANDS.items()]
    lines += [
        "",
        "Commands other than start find the broker by -b HOST:PORT, else by the variable KAFKA_BOOTSTRAP_SERVERS, else",
        "at localhost:9092.",
        "",
        "`kafkapy COMMAND --help` lists the options of a command; `kafkapy --version` prints the version.",
    ]
    return "\n".join(lines)
