"""`kafkapy completion`: what a shell needs to complete the command line, made from the commands' own parsers.

The scripts hold the words, so that nothing is started while somebody types; but names of topics and groups are asked
for from the broker, with a short timeout.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NamedTuple

from kafkapy.cli import BEFORE_COMMAND, COMMANDS, command_parser

if TYPE_CHECKING:
    from kafkapy.cli.parser import CommandParser

SHELLS = ("bash", "zsh", "fish")
EPILOG = (
    "bash: add `source <(kafkapy completion bash)` to ~/.bashrc. zsh: add `source <(kafkapy completion zsh)` to "
    "~/.zshrc, after compinit. fish: kafkapy completion fish > ~/.config/fish/completions/kafkapy.fish"
)
_TOPICS = "kafkapy topics list --timeout 1 2>/dev/null"
# A group may have any name, and bash expands what it is offered: a name with a command in it must not be run.
_GROUPS = (
    'kafkapy groups list --json --timeout 1 2>/dev/null | sed -n \'s/^ *"group": "\\([A-Za-z0-9._-]*\\)",$/\\1/p\''
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `kafkapy completion`."""
    parser.add_argument(
        "shell", choices=SHELLS, metavar="{" + ",".join(SHELLS) + "}", help="print the script of this shell"
    )


def run(arguments: argparse.Namespace) -> int:
    script = {"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell]
    sys.stdout.write(script(_places()))
    return 0


class _Place(NamedTuple):
    """Where a word may be: behind `kafkapy COMMAND` or `kafkapy COMMAND SUBCOMMAND`."""

    path: tuple[str, ...]
    words: tuple[str, ...]
    """Subcommands, or the values that an argument may have."""
    options: tuple[argparse.Action, ...]
    names: str
    """`topics`, `groups`, `files`, or nothing: what else may stand here."""


def _places() -> list[_Place]:
    places = []
    for command in COMMANDS:
        parser = command_parser(command)
        places.append(_place((command,), parser))
        if parser.subcommands is not None:
            places += [_place((command, name), inside) for name, inside in parser.subcommands.choices.items()]
    return places


def _place(path: tuple[str, ...], parser: CommandParser) -> _Place:
    words: list[str] = []
    names = ""
    for action in parser._actions:
        if not action.option_strings:
            words += [str(choice) for choice in action.choices or ()]
            names = names or _names_of(action)
    options = tuple(action for action in parser._actions if action.option_strings)
    return _Place(path, tuple(words), options, names)


def _names_of(action: argparse.Action) -> str:
    """What an argument names, by its metavar."""
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if metavar in ("TOPIC", "T", "NAME", "NAME[:N,N]", "T[:N,N]") and action.dest != "settings":
        return "topics"
    if metavar in ("GROUP", "G"):
        return "groups"
    return "files" if metavar in ("PATH", "FILE", "DIR", "HISTORY", "SERVER.PROPERTIES") else ""


def _option_words(place: _Place) -> list[str]:
    return [option for action in place.options for option in action.option_strings]


def _bash(places: list[_Place]) -> str:
    started = next(place for place in places if place.path == ("start",))  # `kafkapy --port` is `kafkapy start --port`
    first_options = dict.fromkeys(["--version", *BEFORE_COMMAND, *_option_words(started)])
    lines = [
        "# bash completion for kafkapy: source <(kafkapy completion bash)",
        "_kafkapy() {",
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} place='' at",
        "    for ((at = 1; at < COMP_CWORD; at++)); do",
        "        case ${COMP_WORDS[at]} in",
        f"            {'|'.join(BEFORE_COMMAND)}) ((at++));;",
        "            -*) ;;",
        "            *) place+=\" ${COMP_WORDS[at]}\"; [[ $place == *' '*' '* ]] && break;;",
        "        esac",
        "    done",
        "    local offered='' flags=''",
        "    case $place in",
    ]
    # The longest first: " topics list" before " topics*".
    for place in sorted(places, key=lambda one: -len(one.path)):
        pattern = "".join(f"\\ {word}" for word in place.path)
        lines += [
            f"        {pattern}|{pattern}\\ *)",
            f"            offered='{' '.join(place.words)}'; flags='{' '.join(_option_words(place))}'",
        ]
        values = [
            f"                {'|'.join(action.option_strings)}) COMPREPLY=({_bash_values(action)}); return;;"
            for action in place.options
            if _bash_values(action)
        ]
        if values:
            lines += ["            case $before in", *values, "            esac"]
        if place.names == "topics":
            lines.append(f'            [[ $word == -* ]] || offered+=" $({_TOPICS})"')
        elif place.names == "groups":
            lines.append(f'            [[ $word == -* ]] || offered+=" $({_GROUPS})"')
        elif place.names == "files":
            lines.append('            [[ $word == -* ]] || { COMPREPLY=($(compgen -f -- "$word")); return; }')
        lines.append("            ;;")
    lines += [
        f"        *) offered='{' '.join(COMMANDS)}'; flags='{' '.join(first_options)}';;",
        "    esac",
        '    if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$word"))',
        '    else COMPREPLY=($(compgen -W "$offered" -- "$word")); fi',
        "}",
        "complete -F _kafkapy kafkapy",
    ]
    return "\n".join(lines) + "\n"


def _bash_values(action: argparse.Action) -> str:
    """What completes the value of an option; nothing where anything may stand."""
    if action.choices:
        return f"$(compgen -W '{' '.join(map(str, action.choices))}' -- \"$word\")"
    command = {"topics": _TOPICS, "groups": _GROUPS}.get(_names_of(action))
    if command is not None:
        return f'$(compgen -W "$({command})" -- "$word")'
    return '$(compgen -f -- "$word")' if _names_of(action) == "files" else ""


def _zsh(places: list[_Place]) -> str:
    """zsh takes bash's completions. (Its own variables are not to be used there: path, words, options.)"""
    return (
        "# zsh completion for kafkapy: source <(kafkapy completion zsh), after compinit\n"
        "autoload -U +X bashcompinit && bashcompinit\n" + _bash(places)
    )


def _fish(places: list[_Place]) -> str:
    lines = [
        "# fish completion for kafkapy: kafkapy completion fish > ~/.config/fish/completions/kafkapy.fish",
        "complete -c kafkapy -f",
    ]
    commands = " ".join(COMMANDS)
    for command, (_, summary) in COMMANDS.items():
        lines.append(
            f"complete -c kafkapy -n 'not __fish_seen_subcommand_from {commands}' -a {command} -d {_fish_text(summary)}"
        )
    for place in places:
        inside = " ".join(word for other in places if other.path[:-1] == place.path for word in other.path[-1:])
        condition = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in place.path)
        if inside:
            condition += f"; and not __fish_seen_subcommand_from {inside}"
        begin = f"complete -c kafkapy -n '{condition}'"
        if place.words:
            lines.append(f"{begin} -a '{' '.join(place.words)}'")
        asking = {"topics": _TOPICS, "groups": _GROUPS}.get(place.names)
        if asking is not None:
            lines.append(f"{begin} -a {_fish_text(f'({asking})')}")
        elif place.names == "files":
            lines.append(f"{begin} -F")
        lines += [f"{begin} {_fish_option(action)}" for action in place.options]
    return "\n".join(lines) + "\n"


def _fish_option(action: argparse.Action) -> str:
    words = [f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}" for option in action.option_strings]
    if action.nargs != 0:
        words.append("-r")
        if action.choices:
            words.append(f"-a '{' '.join(map(str, action.choices))}'")
        command = {"topics": _TOPICS, "groups": _GROUPS}.get(_names_of(action))
        if command is not None:
            words.append(f"-a {_fish_text(f'({command})')}")
        elif _names_of(action) == "files":
            words.append("-F")
    if action.help and action.help != argparse.SUPPRESS:
        words.append(f"-d {_fish_text(action.help)}")
    return " ".join(words)


def _fish_text(text: str) -> str:
    """Between single quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
