"""The Python of the pages is run: pytest collects a page as a module made of its `python` blocks.

Tests of a page are tests. Lines that are in no function become a test of their own, named by their line, whose
arguments are fixtures: `directory`, `settings`, `kafka`. A block below `<!-- not run: why -->` is compiled, and what
it imports must exist.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from docs import your_code
from docs.code_blocks import Block, blocks
from kafkapy.settings import Settings

FIXTURES = ("directory", "settings", "kafka", "async_kafka")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def settings() -> Settings:
    return Settings.parse({"listeners": "PLAINTEXT://localhost:0"})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "asyncio: run as by pytest-asyncio, which these tests do without")


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if pyfuncitem.get_closest_marker("asyncio") is None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".md" and blocks(file_path, "python"):
        return PageOfCode.from_parent(parent, path=file_path)
    return None


class PageOfCode(pytest.Module):
    """A page as a module. What fails is shown with the lines of the page."""

    def _getobj(self) -> ModuleType:
        module = ModuleType(f"docs_{self.path.stem.replace('-', '_')}")
        module.__file__ = str(self.path)
        # A guide is read by itself, and so has all that it uses. Other pages leave out what their reader has.
        if self.path.parent.name != "guides":
            vars(module).update(vars(your_code))
        sys.modules[module.__name__] = module
        names: set[str] = set()
        for block in blocks(self.path, "python"):
            tree = parsed(block)
            if block.not_run is None:
                tests = {name for name in defined(tree) if name.startswith(("test_", "Test"))}
                assert not tests & names, f"{block.place}: {tests & names} hides a test of the same name above"
                names |= tests
                exec(compile(as_tests(tree, block), str(self.path), "exec"), vars(module))
        return module

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        yield from super().collect()
        for block in blocks(self.path, "python"):
            if block.not_run is not None:
                yield BlockNotRun.from_parent(self, name=f"line_{block.line}", block=block)


class BlockNotRun(pytest.Item):
    """The imports of a block that is not run."""

    def __init__(self, *, block: Block, **options: Any) -> None:
        super().__init__(**options)
        self.block = block

    def runtest(self) -> None:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compile(self.block.code, self.block.place, "exec", flags)
        for node in ast.walk(parsed(self.block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kafkapy"):
                spec = importlib.util.find_spec(node.module or "")
                assert spec is not None, f"{self.block.place}: there is no {node.module}"
                source = Path(spec.origin or "").read_text(encoding="utf-8")
                for alias in node.names:
                    assert re.search(rf"\b{alias.name}\b", source), f"{alias.name} of {self.block.place}"

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.block.line, self.name


def parsed(block: Block) -> ast.Module:
    """With the line numbers of the page."""
    tree = ast.parse(block.code, block.place)
    ast.increment_lineno(tree, block.line - 1)
    return tree


def defined(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}


def as_tests(tree: ast.Module, block: Block) -> ast.Module:
    """The block with its loose statements in a test; constants and what a test function needs stay where they are."""
    if all(isinstance(node, (*DEFINITIONS, ast.Assign)) for node in tree.body):
        return tree
    kept = [node for node in tree.body if isinstance(node, DEFINITIONS)]
    loose = [node for node in tree.body if not isinstance(node, DEFINITIONS)]
    used = {node.id for node in ast.walk(ast.Module(loose, [])) if isinstance(node, ast.Name)}
    arguments = ", ".join(name for name in FIXTURES if name in used)
    name = f"test_lines_from_{block.line}"
    if any(isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor) for node in ast.walk(tree)):
        frame = f"def {name}({arguments}):\n    import trio\n    async def lines(): pass\n    trio.run(lines)\n"
        outer = ast.parse(frame).body[0]
        assert isinstance(outer, ast.FunctionDef)
        inner = outer.body[1]
    else:
        outer = inner = ast.parse(f"def {name}({arguments}): pass").body[0]
    assert isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
    inner.body = loose
    return ast.fix_missing_locations(ast.Module([*kept, outer], []))
