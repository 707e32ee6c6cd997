"""What is written from the code is what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("kafkapy", "wire", "log", "controller", "tests", "compat_tests", "benchmarks", "docs", "examples")


@pytest.mark.parametrize("script", ["make_compatibility.py", "make_settings.py"])
def test_a_page_that_is_made_is_up_to_date(script: str) -> None:
    command = [sys.executable, f"docs/{script}", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def python_files() -> set[str]:
    return {str(path.relative_to(ROOT)) for source in SOURCES for path in (ROOT / source).rglob("*.py")}


def test_modules_that_the_documents_name_exist() -> None:
    files = python_files()
    for document in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for name in re.findall(r"[\w/]+\.py\b", document.read_text(encoding="utf-8")):
            exists = any(f"/{file}".endswith(f"/{name.removeprefix('/')}") for file in files)
            assert exists, f"{document.relative_to(ROOT)} names {name}"


def test_the_architecture_has_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)/?` \|", text, re.MULTILINE))
    packages = {path.parent.name for path in (ROOT / "kafkapy").glob("*/__init__.py")}
    rooms = packages | {path.stem for path in (ROOT / "kafkapy").glob("[a-z]*.py")}
    assert rooms <= named, rooms - named
