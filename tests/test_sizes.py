"""A module is read in one sitting, a class in half of one: 600 lines and 400, docstrings included."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ("kafkapy", "wire", "log", "controller", "tests", "compat_tests", "benchmarks", "docs", "examples")
MODULE_LINES_MAX = 600
CLASS_LINES_MAX = 400
GENERATED_MARK = "Written by `python -m "
"""In the first lines of a generated module: nobody reads those from top to bottom."""


def written_modules() -> list[tuple[str, str]]:
    """(path, text) of every module that people write."""
    modules = []
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if GENERATED_MARK not in "\n".join(text.splitlines()[:3]):
                modules.append((str(path.relative_to(ROOT)), text))
    assert modules
    return modules


def test_no_module_is_too_long() -> None:
    sizes = {path: len(text.splitlines()) for path, text in written_modules()}
    too_long = {path: size for path, size in sizes.items() if size > MODULE_LINES_MAX}
    assert not too_long, f"above {MODULE_LINES_MAX} lines: {too_long}"


def test_no_class_is_too_long() -> None:
    too_long = {}
    for path, text in written_modules():
        for node in ast.walk(ast.parse(text, path)):
            if isinstance(node, ast.ClassDef):
                assert node.end_lineno is not None
                size = node.end_lineno - node.lineno + 1
                if size > CLASS_LINES_MAX:
                    too_long[f"{path}: {node.name}"] = size
    assert not too_long, f"above {CLASS_LINES_MAX} lines: {too_long}"
