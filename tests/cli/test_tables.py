"""Output that the commands share."""

from __future__ import annotations

import pytest

from kafkapy.client.command_line import complain, print_table


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME", "COUNT", "NOTE"], [["a", 5, None], ["longer", 12345, "x"], ["b", None, ""]])
    assert capsys.readouterr().out.splitlines() == [
        "NAME    COUNT  NOTE",
        "a           5  -",
        "longer  12345  x",
        "b           -",
    ]


def test_a_table_without_rows(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME", "COUNT"], [])
    assert capsys.readouterr().out == "NAME  COUNT\n"


def test_a_complaint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("topics list", "a broker's\n  message\n")
    assert capsys.readouterr().err == "kafkapy topics list: a broker's message\n"
