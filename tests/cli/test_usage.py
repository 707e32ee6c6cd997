"""Help, wrong usage, and what shells complete."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from kafkapy.cli import COMMANDS, command_parser, main
from kafkapy.cli.cluster_start import rack_names
from kafkapy.cli.parser import PAGES, CommandParser
from kafkapy.client.command_line import positive_seconds


def all_parsers() -> Iterator[tuple[str, CommandParser]]:
    for command in COMMANDS:
        parser = command_parser(command)
        yield command, parser
        if parser.subcommands is not None:
            for name, inside in parser.subcommands.choices.items():
                yield f"{command} {name}", inside


def arguments_of(parser: CommandParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]


def test_every_argument_is_explained() -> None:
    """By its help, where its name does not say all."""
    obvious = {"topic", "names", "group", "groups", "settings", "message", "version"}
    for command, parser in all_parsers():
        for action in arguments_of(parser):
            assert action.help or action.dest in obvious, f"{command}: {action.dest}"


def test_every_default_is_explained() -> None:
    """Of every option that takes a value and may be left out, and does not narrow what is done."""
    narrowing = {"--partition", "--include", "--header", "--group", "--topic", "--null-marker", "--config", "--allow"}
    # Nothing happens without them.
    special = {
        "--override",
        "--default",
        "--response-to",
        "--ready-file",
        "--version",
        "--feature",
        "--add-scram",
        "--nodes",
    }
    for command, parser in all_parsers():
        exclusive = {action for group in parser._mutually_exclusive_groups for action in group._group_actions}
        for action in arguments_of(parser):
            takes_a_value = action.option_strings and action.nargs != 0
            if not takes_a_value or action.required or action in exclusive:
                continue
            names = set(action.option_strings)
            if not names & narrowing and not names & special:
                assert "default: " in (action.help or ""), f"{command}: {action.option_strings}"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["topcis"], "kafkapy: there is no command 'topcis' (did you mean 'topics'?); `kafkapy --help` lists them"),
        (
            ["groups", "lst"],
            (
                "kafkapy groups: argument COMMAND: there is no 'lst' (did you mean 'list'?): it is one of list, "
                "describe, delete, delete-offsets, reset-offsets; `kafkapy groups --help` tells what it takes"
            ),
        ),
        (
            ["consume", "t", "--from-begining"],
            (
                "kafkapy consume: there is no option '--from-begining' (did you mean '--from-beginning'?); "
                "`kafkapy consume --help` tells what it takes"
            ),
        ),
        (
            ["topics", "create", "t", "--partitons=3"],
            (
                "kafkapy topics create: there is no option '--partitons' (did you mean '--partitions'?); "
                "`kafkapy topics create --help` tells what it takes"
            ),
        ),
        (
            ["consume", "t", "--isolation-level", "read_comitted"],
            (
                "kafkapy consume: argument --isolation-level: there is no 'read_comitted' (did you mean "
                "'read_committed'?): it is one of read_uncommitted, read_committed; "
                "`kafkapy consume --help` tells what it takes"
            ),
        ),
        (
            ["topics", "list", "orders"],
            (
                "kafkapy topics list: 'orders' is one argument too many; "
                "`kafkapy topics list --help` tells what it takes"
            ),
        ),
        (
            ["log"],
            "kafkapy log: name one of its commands: dump; `kafkapy log --help` tells what it takes",
        ),
        (
            ["produce"],
            (
                "kafkapy produce: the following arguments are required: TOPIC; "
                "`kafkapy produce --help` tells what it takes"
            ),
        ),
        (
            ["completion"],
            (
                "kafkapy completion: the following arguments are required: {bash,zsh,fish}; "
                "`kafkapy completion --help` tells what it takes"
            ),
        ),
    ],
)
def test_wrong_usage_is_one_line_with_the_nearest_word(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == line + "\n"


@pytest.mark.parametrize("text", ["x", "9" * 30, "9" * 5_000, "1.5", "0x10", ""])
def test_every_number_is_checked_as_the_arguments_are_read(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In plain words, and within what its field in a request can hold: what cannot be encoded is not sent."""
    count = 0
    for command, parser in all_parsers():
        for action in arguments_of(parser):
            if action.type in (None, rack_names) or (action.type is positive_seconds and text == "1.5"):
                continue
            count += 1
            with pytest.raises(SystemExit) as end:
                parser.parse_args([*action.option_strings[:1], text])
            said = capsys.readouterr().err
            assert end.value.code == 2
            assert " is not " in said, f"{command}: {action.option_strings}: {said}"
            assert "invalid" not in said, f"{command}: {action.option_strings}: {said}"
            assert said.count("\n") == 1
            assert len(said) < 300, f"{command}: {action.option_strings}: {said}"
    assert count >= 15


def test_partitions_and_replicas_have_the_bounds_of_their_fields(capsys: pytest.CaptureFixture[str]) -> None:
    for option, most in (("--partitions", 2**31 - 1), ("--replication-factor", 2**15 - 1)):
        assert main(["topics", "create", "t", option, str(most + 1)]) == 2
        assert f"is not a number from 1 to {most}; " in capsys.readouterr().err


def test_digits_of_other_scripts_are_no_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "\u0663"]) == 2
    assert "is not a port" in capsys.readouterr().err


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    assert all(f"\n  {command} " in overview for command in COMMANDS)
    assert main(["help", "topics"]) == 0
    helped = capsys.readouterr().out
    assert main(["topics", "--help"]) == 0
    assert capsys.readouterr().out == helped
    assert main(["help", "topcis"]) == 2


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


NAMES = r"""
kafkapy() {
    [[ $1 == topics ]] && echo a-topic
    [[ $1 == groups ]] && printf '    "group": "%s",\n' a-group '$(echo a-command)' '`echo a-command`' 'a b'
}
"""
"""A broker with a topic, and with groups whose names a shell must not take for commands."""


def completed(script: str, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    asking = f'{script}{NAMES}COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kafkapy; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", asking, "bash", *words], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_commands_options_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    bash = script("bash", capsys)
    assert completed(bash, "kafkapy", "") == set(COMMANDS)
    assert completed(bash, "kafkapy", "to") == {"topics"}
    assert completed(bash, "kafkapy", "topics", "de") == {"describe", "delete", "delete-records"}
    assert completed(bash, "kafkapy", "topics", "create", "--part") == {"--partitions"}
    assert completed(bash, "kafkapy", "-b", "localhost:1", "topics", "delete", "a") == {"a-topic"}
    assert completed(bash, "kafkapy", "consume", "--from-beginning", "a") == {"a-topic"}
    assert completed(bash, "kafkapy", "consume", "-g", "a") == {"a-group"}
    assert completed(bash, "kafkapy", "groups", "describe", "a") == {"a-group"}
    assert completed(bash, "kafkapy", "consume", "t", "--isolation-level", "read_c") == {"read_committed"}
    assert completed(bash, "kafkapy", "completion", "f") == {"fish"}
    assert completed(bash, "kafkapy", "--exit") == {"--exit-with-parent"}
    assert completed(bash, "kafkapy", "start", "--exit") == {"--exit-with-parent"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_read_their_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the shell itself where it is installed; its words are those of the parsers in any case."""
    text = script(shell, capsys)
    for command, parser in all_parsers():
        for word in command.split():
            assert word in text
        for action in arguments_of(parser):
            for option in action.option_strings:
                assert option.lstrip("-") in text
    if (path := shutil.which(shell)) is not None:
        done = subprocess.run([path, "-n"], input=text, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


def test_help_says_where_the_pages_are_that_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    told = [name for name in COMMANDS if PAGES in help_of(name, capsys)]
    assert told == [name for name in COMMANDS if "docs/" in help_of(name, capsys).replace(PAGES, "")]
    assert "start" in told


def help_of(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([name, "--help"]) == 0
    return capsys.readouterr().out
