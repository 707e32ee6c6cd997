"""`kafkapy check`: what it prints and how it ends."""

import io
import json
from pathlib import Path

import pytest

from kafkapy.cli import main
from tests.history.history_builder import History, sent


def written(history: History, path: Path) -> str:
    path.write_text("\n".join(history.lines) + "\n")
    return str(path)


def test_a_clean_history_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = sent(["a"])
    history.poll(1, (0, 0, "a"), final=True)
    assert main(["check", written(history, tmp_path / "h")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 anomalies"


def test_anomalies_end_with_1_and_are_shown_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = sent(["a", "b"])
    history.poll(1, (0, 1, "b"), final=True)
    path = written(history, tmp_path / "h")
    assert main(["check", path]) == 1
    printed = capsys.readouterr().out
    assert "lost-write: 1" in printed
    assert f"line 2: {history.lines[1]}" in printed
    assert main(["check", path, "--allow", "lost-write"]) == 0
    assert main(["check", path, "--allow", "nonsense"]) == 2


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = sent(["a", "b"])
    history.poll(1, (0, 1, "b"), final=True)
    assert main(["check", written(history, tmp_path / "h"), "--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert not verdict["clean"]
    assert verdict["anomalies"]["lost-write"]["count"] == 1
    assert verdict["anomalies"]["lost-write"]["examples"][0]["lines"] == [1, 2]
    assert verdict["sizes"]["acknowledged"] == 2


def test_an_unusable_history_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "h").write_text('{"time": 1}\n')
    assert main(["check", str(tmp_path / "h")]) == 2
    assert capsys.readouterr().err == (
        'kafkapy check: line 1: "process" is missing: it must be an integer or a string\n'
    )
    assert main(["check", str(tmp_path / "none")]) == 2


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    history = sent(["a", "b"])
    history.poll(1, (0, 1, "b"), final=True)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(history.lines).encode())))
    assert main(["check", "-"]) == 1


def test_the_example_of_the_documentation_is_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "checking-histories.md").read_text()
    example = page.split("```jsonl\n")[1].split("```")[0]
    (tmp_path / "h").write_text(example)
    assert main(["check", str(tmp_path / "h")]) == 1
    printed = page.split("```text\n")[1].split("```")[0]
    assert capsys.readouterr().out.splitlines() == printed.splitlines()[1:]
