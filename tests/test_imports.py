"""Imports run one way: wire <- log <- kafkapy, wire <- controller <- kafkapy; log and controller apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOTS = {
    "kafkapy_wire": ROOT / "wire" / "kafkapy_wire",
    "kafkapy_log": ROOT / "log" / "kafkapy_log",
    "kafkapy_controller": ROOT / "controller" / "kafkapy_controller",
    "kafkapy": ROOT / "kafkapy",
}
MAY_IMPORT = {
    "kafkapy_wire": {"kafkapy_wire"},
    "kafkapy_log": {"kafkapy_wire", "kafkapy_log"},
    "kafkapy_controller": {"kafkapy_wire", "kafkapy_controller"},
    "kafkapy": set(ROOTS),
}
SANS_IO = {
    "kafkapy_wire": {"trio", "socket", "asyncio"},
    "kafkapy_controller": {"trio", "socket", "asyncio", "os", "time"},
}


def imported_packages(path: Path) -> set[str]:
    """Top-level names of every import in a file, those for type checking and inside functions included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: a relative import hides where it goes"
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", ROOTS)
def test_imports_run_one_way(package: str) -> None:
    sources = sorted(ROOTS[package].rglob("*.py"))
    assert sources
    for path in sources:
        ours = {name for name in imported_packages(path) if name in ROOTS}
        assert ours <= MAY_IMPORT[package], f"{path} imports {ours - MAY_IMPORT[package]}"


@pytest.mark.parametrize("package", SANS_IO)
def test_cores_do_no_io(package: str) -> None:
    for path in sorted(ROOTS[package].rglob("*.py")):
        forbidden = imported_packages(path) & SANS_IO[package]
        assert not forbidden, f"{path} imports {forbidden}"


def test_compat_tests_stay_outside() -> None:
    """They use the command line and the wire package (to speak the protocol), never the broker's insides."""
    for path in sorted((ROOT / "compat_tests").rglob("*.py")):
        inside = imported_packages(path) & {"kafkapy", "kafkapy_log", "kafkapy_controller"}
        assert not inside, f"{path} imports {inside}"
