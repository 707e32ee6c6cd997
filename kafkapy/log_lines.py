"""One event, one line of the log: text from clients can neither forge a line nor fill the disk.

Names, client ids and reasons come from clients: control characters in them are escaped, long ones are cut.
"""

from __future__ import annotations

import logging
from typing import Final

from kafkapy_wire.errors import cut

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
ARGUMENT_CHARACTERS_MAX: Final = 300
LINE_CHARACTERS_MAX: Final = 2_000
NAME_CHARACTERS_MAX: Final = 120
TRACEBACK_INDENT: Final = "    "
"""A line that begins with a blank is no event: a text within a traceback cannot look like one."""

# Characters that end a line or move the cursor in some program: Unicode's control characters and line separators.
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def one_line(text: str, characters_max: int = LINE_CHARACTERS_MAX) -> str:
    """The text without line breaks and other control characters, and not longer than that."""
    return cut(text, characters_max).translate(_ESCAPES)


def shown(name: str) -> str:
    """A client id, or the name of a topic or group, escaped and shortened so that it fits into a line with others."""
    return one_line(name, NAME_CHARACTERS_MAX)


def shown_reason(reason: str) -> str:
    """Why something is refused: a sentence of ours with what to do at its end, which is not cut as a name is."""
    return one_line(reason, ARGUMENT_CHARACTERS_MAX)


class LineFormatter(logging.Formatter):
    """For a handler that writes to a terminal or a file."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        line = logging.Formatter.formatMessage(self, self._prepared(record))
        if record.exc_info:
            traceback = self.formatException(record.exc_info)
            line += "".join([f"\n{TRACEBACK_INDENT}{part}" for part in traceback.split("\n")])
        return line

    def _prepared(self, record: logging.LogRecord) -> logging.LogRecord:
        if isinstance(record.args, tuple):
            arguments = tuple([_shown(argument) for argument in record.args])
            message = record.msg % arguments if arguments else str(record.msg)
        else:
            message = record.getMessage()
        record.message = one_line(message)
        record.asctime = self.formatTime(record)
        return record


def _shown(argument: object) -> object:
    if isinstance(argument, int | float):
        return argument
    return cut(str(argument), ARGUMENT_CHARACTERS_MAX)
