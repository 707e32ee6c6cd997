"""The projects here are run by compat_tests/test_examples.py, each in its own directory as its user runs it."""

from pathlib import Path

collect_ignore = [path.name for path in Path(__file__).parent.iterdir() if path.is_dir()]
