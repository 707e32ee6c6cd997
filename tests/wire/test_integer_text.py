"""Integers in texts of others: what Java's `Long.parseLong` takes, and nothing that takes long."""

from __future__ import annotations

import pytest

from kafkapy_wire.integer_text import INT32_MAX, INT64_MAX, parse_integer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("+7", 7),
        ("-7", -7),
        ("007", 7),
        ("\u0663", 3),
        (str(INT64_MAX), INT64_MAX),
        (str(-INT64_MAX - 1), -INT64_MAX - 1),
        ("0" * 5_000 + "3", 3),
    ],
)
def test_integers_are_read_as_java_reads_them(text: str, number: int) -> None:
    assert parse_integer(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "-",
        " 1",
        "1 ",
        "1_0",
        "1.0",
        "1e3",
        "0x1",
        "+-1",
        "one",
        "\u00b2",
        "1\n",
        str(INT64_MAX + 1),
        "9" * 5_000,
    ],
)
def test_what_is_no_integer_of_64_bits_is_none(text: str) -> None:
    """`int` raises for more than 4,300 digits, whatever else it is asked to check."""
    assert parse_integer(text) is None


def test_bounds_are_inclusive() -> None:
    texts = ("-1", "0", "5", "6")
    assert [parse_integer(text, 0, 5) for text in texts] == [None, 0, 5, None]
    assert parse_integer(str(INT32_MAX + 1), high=INT32_MAX) is None
