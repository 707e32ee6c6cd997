"""What the distribution is called and what is in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ("kafkapy", "wire", "log", "controller", "tests", "compat_tests", "benchmarks", "docs", "examples")
FILES = (".ci", "start", "test", "lint", "setup", "conftest.py", "mkdocs.yml", "pyproject.toml", "MANIFEST.in")
TEXTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", "results", "*.egg-info", ".hypothesis")


def test_the_sdist_is_the_whole_checkout(tmp_path: Path) -> None:
    """Documents, examples, changelog, and all that the tests need, data files and executable scripts included."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in (*SOURCES, ".ci"):
        shutil.copytree(ROOT / name, tree / name, ignore=LEFT_OUT)
    for name in (*FILES[1:], *TEXTS):
        shutil.copy(ROOT / name, tree)
    files = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    code = "import sys, setuptools.build_meta as build; build.build_sdist(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / "dist")]
    subprocess.run(command, cwd=tree, check=True, timeout=120, capture_output=True)
    [sdist] = (tmp_path / "dist").iterdir()
    assert re.fullmatch(r"kafkapy_broker-[\d.]+\.tar\.gz", sdist.name)
    with tarfile.open(sdist) as archive:
        packed = {member.name.partition("/")[2]: member for member in archive.getmembers() if member.isfile()}
    assert files <= set(packed), sorted(files - set(packed))[:10]
    assert packed["test"].mode & 0o111


def test_the_distribution_is_not_called_as_that_of_another_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == "kafkapy-broker"
    assert project["scripts"] == {"kafkapy": "kafkapy.cli:main"}
