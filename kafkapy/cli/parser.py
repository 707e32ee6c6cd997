"""The arguments of a command: wrong usage is told in one line, with the nearest word that is right, and exit code 2."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from kafkapy.client.streams import say
from kafkapy.nearest import did_you_mean

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


PAGES = "\nWhat is named docs/... here is a page of kafkapy's repository; it is not installed.\n"
_PAGE = re.compile(r"\bdocs/")
_LONG_WORD = re.compile(r"([^\s']{60})[^\s']{40,}")
_REQUIRED = "the following arguments are required: "  # argparse's words


class CommandParser(argparse.ArgumentParser):
    """Of a command, or of one of its subcommands."""

    subcommands: argparse._SubParsersAction[CommandParser] | None = None

    @property
    def has_subcommands(self) -> bool:
        return self.subcommands is not None

    def add_subparsers(self, **options: Any) -> argparse._SubParsersAction[CommandParser]:  # type: ignore[override]  # one class of parsers
        self.subcommands = super().add_subparsers(**options)
        return self.subcommands

    def parse_args(  # type: ignore[override]  # its overloads only differ in the namespace's type
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        parsed, rest = self.parse_known_args(args, namespace)
        if rest:
            asked = self._asked(parsed)
            asked.error(asked._excess(rest[0]))
        return parsed

    def parse_intermixed_args(  # type: ignore[override]  # as above
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        parsed, rest = self.parse_known_intermixed_args(args, namespace)
        if rest:
            self.error(self._excess(rest[0]))
        return parsed

    def format_help(self) -> str:
        text = super().format_help()
        return text + PAGES if _PAGE.search(text) else text

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Raises OSError, which argparse would pass over."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        text = " ".join(message.split())
        if text == f"{_REQUIRED}COMMAND" and self.subcommands is not None:
            text = f"name one of its commands: {', '.join(self.subcommands.choices)}"
        elif text.startswith(_REQUIRED):
            # argparse names arguments that may be missing, too, where options stand between arguments.
            optional = {str(action.metavar) for action in self._actions if action.nargs in ("?", "*")}
            missing = [name for name in text.removeprefix(_REQUIRED).split(", ") if name not in optional]
            text = _REQUIRED + ", ".join(missing)
        text = _LONG_WORD.sub(r"\1...", text)
        say(f"{self.prog}: {text}; `{self.prog} --help` tells what it takes\n")
        sys.exit(2)

    def _asked(self, parsed: argparse.Namespace) -> CommandParser:
        """The parser of the subcommand that was asked for, or this one."""
        if self.subcommands is None:
            return self
        return self.subcommands.choices.get(getattr(parsed, self.subcommands.dest, ""), self)

    def _excess(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"{argument!r} is one argument too many"
        option = argument.partition("=")[0]
        return f"there is no option {option!r}{did_you_mean(option, self._option_string_actions)}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        hint = did_you_mean(str(value), known)
        raise argparse.ArgumentError(action, f"there is no {value!r}{hint}: it is one of {', '.join(known)}")
