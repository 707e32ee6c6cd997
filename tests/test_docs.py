"""What is written from the code is what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("kafkapy", "wire", "log", "controller", "tests", "compat_tests", "benchmarks", "docs", "examples")


@pytest.mark.parametrize(
    "script",
    [
        "make_authorization.py",
        "make_compatibility.py",
        "make_faults.py",
        "make_openapi.py",
        "make_settings.py",
        "make_strict.py",
    ],
)
def test_a_page_that_is_made_is_up_to_date(script: str) -> None:
    command = [sys.executable, f"docs/{script}", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_every_kindness_with_a_switch_is_a_difference_and_the_other_way_round() -> None:
    from kafkapy.strictness import SWITCHES

    named = re.findall(r"\(--strict ([a-z-]+)\)", (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8"))
    assert set(named) == SWITCHES.keys()


def python_files() -> set[str]:
    return {str(path.relative_to(ROOT)) for source in SOURCES for path in (ROOT / source).rglob("*.py")}


def test_modules_that_the_documents_name_exist() -> None:
    files = python_files()
    for document in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for name in re.findall(r"[\w/]+\.py\b", document.read_text(encoding="utf-8")):
            exists = any(f"/{file}".endswith(f"/{name.removeprefix('/')}") for file in files)
            assert exists, f"{document.relative_to(ROOT)} names {name}"


def test_the_architecture_has_every_module() -> None:
    """But for modules of one API or command each, the client of the command line, and messages."""
    listed_elsewhere = ("apis", "cli", "client", "documentation", "messages", "record_formats", "records", "schemas")
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    sources = ("kafkapy", "wire/kafkapy_wire", "log/kafkapy_log", "controller/kafkapy_controller")
    missing = [
        str(path.relative_to(ROOT))
        for source in sources
        for path in sorted((ROOT / source).rglob("[a-z]*.py"))
        if not set(path.relative_to(ROOT).parts[:-1]) & set(listed_elsewhere)
        and not re.search(rf"\b{path.stem}\.py\b|`{path.stem}`", text)
    ]
    assert missing == []


def test_the_readme_leads_to_every_command_and_page() -> None:
    from kafkapy.cli import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert re.search(rf"kafkapy {command}\b", text) or command == "start", command
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in text, page.name


def test_the_page_on_testing_lists_what_the_ready_file_holds() -> None:
    from kafkapy.cli import ready

    keys = set(re.findall(r'^ +"(\w+)": ', Path(ready.__file__).read_text(encoding="utf-8"), re.MULTILINE))
    assert {"bootstrap_servers", "pid"} <= keys
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_no_text_says_that_a_package_index_has_kafkapy() -> None:
    """It has none: what is told to be installed is a checkout, in one form, `pip install './kafkapy[control]'`."""
    suffixes = {".py", ".md", ".go", ".java", ".js", ".cjs", ".txt"}
    files = [ROOT / "README.md", *(path for name in SOURCES for path in (ROOT / name).rglob("*"))]
    told = re.compile(r"""pip install ["']?kafkapy-broker""")
    assert [
        str(path.relative_to(ROOT))
        for path in files
        if path.suffix in suffixes
        and "node_modules" not in path.parts
        and path != Path(__file__)
        and told.search(path.read_text(encoding="utf-8"))
    ] == []


def test_the_architecture_has_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)/?` \|", text, re.MULTILINE))
    packages = {path.parent.name for path in (ROOT / "kafkapy").glob("*/__init__.py")}
    rooms = packages | {path.stem for path in (ROOT / "kafkapy").glob("[a-z]*.py")}
    assert rooms <= named, rooms - named
