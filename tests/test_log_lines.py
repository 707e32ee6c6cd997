"""What a client has sent neither forges a line of the log nor fills it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from kafkapy.log_lines import ARGUMENT_CHARACTERS_MAX, LINE_CHARACTERS_MAX, LineFormatter, one_line
from kafkapy_wire.errors import MESSAGE_CHARACTERS_MAX, ErrorCode, KafkaError

FORGED = "2026-01-01 00:00:00,000 ERROR kafkapy.server: the disk is broken"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("tests.log_lines")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, written
    logger.removeHandler(handler)


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1b[2K", "\x85", "\u2028", "\u2029"])
def test_a_name_does_not_begin_a_line(ending: str, log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    logger.warning("group %s: no", f"a{ending}{FORGED}")
    logger.warning(f"in the text itself: a{ending}{FORGED}")
    lines = written.getvalue().splitlines()
    assert len(lines) == 2
    assert not any(line.startswith(FORGED[:10]) and "ERROR" in line[:40] for line in lines)
    assert "\x1b" not in written.getvalue()


def test_long_names_are_cut_and_what_follows_them_is_there(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    logger.warning("cannot make %s for %s: %s", ["n" * 30_000], "c" * 30_000, KafkaError(ErrorCode.INVALID_REQUEST))
    (line,) = written.getvalue().splitlines()
    assert line.endswith("INVALID_REQUEST")
    assert len(line) < 3 * ARGUMENT_CHARACTERS_MAX + 200
    logger.warning("x" * 100_000)
    assert len(written.getvalue().splitlines()[-1]) < LINE_CHARACTERS_MAX + 200


def test_a_traceback_is_indented(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    try:
        raise ValueError(f"no\n{FORGED}")
    except ValueError:
        logger.exception("internal error %s, %d of %.1f", "in a test", 1, 2.5)
    first, *rest = written.getvalue().splitlines()
    assert first.endswith("internal error in a test, 1 of 2.5")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_other_letters_stay() -> None:
    assert one_line("Grüße, 你好 👍") == "Grüße, 你好 👍"


def test_a_message_for_a_client_is_cut() -> None:
    error = KafkaError(ErrorCode.INVALID_REQUEST, "x" * 40_000)
    assert error.message is not None
    assert MESSAGE_CHARACTERS_MAX < len(error.message) < MESSAGE_CHARACTERS_MAX + 50
    assert error.message.endswith("(40000 characters)")
    assert len(str(error)) < MESSAGE_CHARACTERS_MAX + 100
