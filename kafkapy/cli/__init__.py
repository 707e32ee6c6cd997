"""The command line. `kafkapy` alone is `kafkapy start`, and so is `kafkapy server.properties`.

Each command is a module with `add_arguments(parser)` and `run(arguments) -> exit code`, imported only when it is the
one that was asked for. Exit codes: 0 done, 1 refused or failed (one line on standard error says why), 2 usage, 130
Ctrl-C.
"""

from __future__ import annotations

import os
import sys

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "start": ("kafkapy.cli.start", "start a broker (the default)"),
    "format": ("kafkapy.cli.format", "make a data directory for a broker, as kafka-storage does"),
    "topics": ("kafkapy.cli.topics", "list, create, describe, alter and delete topics"),
    "produce": ("kafkapy.cli.produce", "send records to a topic"),
    "consume": ("kafkapy.cli.consume", "print the records of a topic"),
    "groups": ("kafkapy.cli.groups", "list and describe consumer groups, move their offsets"),
    "configs": ("kafkapy.cli.configs", "show and change settings of topics, brokers and groups"),
    "check": ("kafkapy.cli.check", "look for anomalies in a history of client operations"),
    "wire": ("kafkapy.cli.wire", "decode and encode protocol messages"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments and arguments[0] in ("-V", "--version"):
        from kafkapy import __version__

        print(f"kafkapy {__version__}")
        return 0
    if not arguments or arguments[0].startswith("-") or arguments[0].endswith(".properties"):
        arguments = ["start", *arguments]
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"kafkapy: there is no command {name!r}{_nearest(name)}; `kafkapy --help` lists them", file=sys.stderr)
        return 2
    try:
        return _run(name, rest)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough. Standard output must not fail again when the interpreter flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(name: str, rest: list[str]) -> int:
    from argparse import ArgumentParser
    from importlib import import_module

    module_name, summary = COMMANDS[name]
    module = import_module(module_name)
    parser = ArgumentParser(prog=f"kafkapy {name}", description=summary[0].upper() + summary[1:] + ".")
    module.add_arguments(parser)
    # Intermixed, so that `kafkapy produce TOPIC -b HOST:PORT VALUE` means what it says; subcommands cannot be.
    arguments = parser.parse_args(rest) if parser._subparsers else parser.parse_intermixed_args(rest)
    exit_code: int = module.run(arguments)
    return exit_code


def _overview() -> str:
    lines = ["usage: kafkapy [COMMAND] [OPTIONS]", "", "A Kafka broker that starts before you notice.", "", "commands:"]
    lines += [f"  {name:<9} {summary}" for name, (_, summary) in COMMANDS.items()]
    lines += ["", "`kafkapy COMMAND --help` tells what a command takes; `kafkapy --version` prints the version."]
    return "\n".join(lines)


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    return "".join(f" (did you mean {match!r}?)" for match in get_close_matches(name, COMMANDS, n=1))
