"""The documentation as a site, and the blocks of its pages that are not Python: `docs/conftest.py` runs those."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.code_blocks import ROOT, Block, blocks, pages
from kafkapy.cli import COMMANDS, command_parser

LANGUAGES = {
    "c",
    "dockerfile",
    "go",
    "groovy",
    "ini",
    "java",
    "javascript",
    "json",
    "jsonl",
    "properties",
    "python",
    "sh",
    "text",
    "toml",
    "xml",
    "yaml",
}
# Besides `kafkapy`: what a reader has or is told to install, and the words of the shell.
PROGRAMS = {
    *("cd", "export", "source", "until", "do", "done", "sleep", "cat", "kill"),
    *("curl", "docker", "git", "go", "jq", "mvn", "node", "npm", "pip", "pytest", "python"),
}
KAFKAS_TOOLS = re.compile(r"bin/(kafka-[a-z-]+|connect-mirror-maker)\.sh")
BUILD_SECONDS_MAX = 120


def build_site(tree: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # of the theme, about another program
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX, check=False
    )


def test_the_site_is_built_without_a_broken_link(tmp_path: Path) -> None:
    done = build_site(ROOT, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").exists()
    home = (tmp_path / "site" / "testing.html").read_text(encoding="utf-8")
    assert 'href="repository/examples/test_orders.py.txt"' in home, "files outside docs/ are part of the site"
    assert (tmp_path / "site" / "repository" / "examples" / "test_orders.py.txt").exists()


def test_a_broken_link_or_anchor_and_a_page_outside_the_navigation_fail_the_build(tmp_path: Path) -> None:
    """So that a site which was built says something."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    index = tmp_path / "docs" / "index.md"
    index.write_text("[a](no-such-page.md) [b](faults.md#no-such-heading) [c](../no-such-file.py)\n", encoding="utf-8")
    (tmp_path / "docs" / "forgotten.md").write_text("# Forgotten\n", encoding="utf-8")
    done = build_site(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    for trouble in ("no-such-page.md", "no-such-heading", "no-such-file.py", "forgotten.md"):
        assert trouble in done.stderr


def test_links_of_the_files_in_the_root_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md"), ROOT / "benchmarks" / "README.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_the_example_of_the_readme_is_the_one_that_is_run() -> None:
    in_readme = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert in_readme == [block.code for block in blocks(ROOT / "docs" / "index.md", "python")]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT / "docs").as_posix())
def test_the_blocks_of_a_page_are_what_they_say(page: Path) -> None:
    assert not re.findall(r"^(?:    )* {1,3}```\w", page.read_text(encoding="utf-8"), re.MULTILINE), (
        "a block within a list is indented by 4 spaces, or the site ends the list before it"
    )
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block.place}: name the language, as in ```sh or ```text"
        match block.language:
            case "sh":
                check_shell(block)
            case "json":
                json.loads(block.code)
            case "toml":
                tomllib.loads(block.code)
            case "yaml":
                for script in scripts(yaml.safe_load(block.code)):
                    check_shell(replace(block, code=script))
            case "java" | "go" | "javascript":
                assert is_in_an_example(block), f"{block.place} is in no file below examples/"


def whole_help(parser: argparse.ArgumentParser) -> str:
    """Of the command and of those below it, such as `kafkapy acls add`."""
    below = [one for action in parser._actions if isinstance(action.choices, dict) for one in action.choices.values()]
    return parser.format_help() + "".join(map(whole_help, below))


def test_options_within_the_text_are_those_of_the_command() -> None:
    seen = 0
    for page in [*pages(), ROOT / "README.md"]:
        text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for found in re.findall(r"(?<!`)`kafkapy ([^`]+)`(?!`)", text):
            words = found.split()
            takes = whole_help(command_parser(words[0] if words[0] in COMMANDS else "start"))
            for option in re.findall(r"(?<!\S)--[\w-]+", found):
                assert re.search(rf"{option}\b", takes), f"{page.name}: {found}: there is no {option}"
                seen += 1
    assert seen


def is_in_an_example(block: Block) -> bool:
    """Line by line, whatever the indentation there: code in other languages is run where it is an example."""
    suffix = {"java": "java", "go": "go", "javascript": "*js"}[block.language]
    wanted = [line.strip() for line in block.code.splitlines() if line.strip()]
    for path in (ROOT / "examples").rglob(f"*.{suffix}"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if any(lines[at : at + len(wanted)] == wanted for at in range(len(lines))):
            return True
    return False


def scripts(configuration: Any) -> Iterator[str]:
    """What a CI job runs in a shell: `run` of GitHub's steps, `script` of GitLab's jobs."""
    if isinstance(configuration, dict):
        for name, value in configuration.items():
            if name == "run":
                yield value
            elif name == "script":
                yield from value
            else:
                yield from scripts(value)
    elif isinstance(configuration, list):
        for each in configuration:
            yield from scripts(each)


def check_shell(block: Block) -> None:
    """The shell takes it, and each command in it is known; ours with its options."""
    done = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0, f"{block.place}: {done.stderr}"
    for command in commands(block.code):
        name, *arguments = command
        if name == "kafkapy":
            check_kafkapy(arguments, block.place)
        elif name == "curl":
            check_control_url(arguments, block.place)
        else:
            assert name in PROGRAMS or KAFKAS_TOOLS.fullmatch(name), f"{block.place}: {name} is no known command"


def commands(script: str) -> list[list[str]]:
    """The simple commands of a script, without assignments before them and redirections behind them."""
    found: list[list[str]] = [[]]
    for line in script.replace("\\\n", " ").splitlines():
        line = re.sub(r"^\w+=\$\((.*)\)$", r"\1", line)  # what a variable gets is a command, too
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split = True
        redirected = False
        for token in lexer:
            if re.fullmatch(r"[;&|]+", token):
                found.append([])
            elif re.fullmatch(r"[<>&]+", token):
                redirected = True
            elif redirected:
                redirected = False
            elif found[-1] or not re.match(r"\w+=", token):
                found[-1].append(token)
        found.append([])
    return [command for command in found if command and command[0] != "["]


def check_kafkapy(arguments: list[str], place: str) -> None:
    if not arguments or arguments[0].startswith("-") or arguments[0].endswith(".properties"):
        arguments = ["start", *arguments]
    name, *rest = arguments
    assert name in COMMANDS, f"{place}: there is no kafkapy {name}"
    parser = command_parser(name)
    try:
        if "--help" not in rest:
            parser.parse_args(rest) if parser.has_subcommands else parser.parse_intermixed_args(rest)
    except SystemExit:
        pytest.fail(f"{place}: kafkapy {' '.join(arguments)} is refused")


def check_control_url(arguments: list[str], place: str) -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    for path in re.findall(r"localhost:9090(/[\w/]+)", " ".join(arguments)):
        assert path in paths, f"{place}: the control API has no {path}"
