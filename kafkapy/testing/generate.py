"""`python -m kafkapy.testing.generate`: makes async_kafka.py from kafka.py, so that both have the same names; and so
the modules of its base classes.

What asks the cluster becomes a coroutine; everything else stays as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = {"kafka.py": "Kafka", "node_verbs.py": "NodeVerbs", "asking.py": "Asking"}
"""The modules, and their first classes."""

_FUNCTION = re.compile(r"^    def \w+\((?:[^\n]*\n(?:    {2,}[^\n]*\n|    \) [^\n]*\n|\n(?=        ))*)", re.MULTILINE)
_ASKS = (
    *("self._call(", "self._kafka._call(", "outcome_of(", "def __enter__"),
    *("self._stop()", "self.remove()", "running(self", "run.stop()"),
)
_REPLACED = (
    (r"\b(ClientMetrics|Clock|Faults?)\b(?=\(|[,:)\]]| =)", r"Async\1"),
    (r"\b(Kafka|NodeVerbs|Asking)\b(?=[,:)\]]| =)", r"Async\1"),
    (r"__enter__", "__aenter__"),
    (r"__exit__", "__aexit__"),
    (r"`with` block", "`async with` block"),
    (r"(self\._(?:kafka\._)?call)\(", r"await \1("),
    (r"(self\.(?:_stop|remove)\(\))", r"await \1"),
    (r"outcome_of\(", "await result_of("),
    (r"= running\((.*)\)", r"= await in_worker(running, \1)"),
    (r"run\.stop\(\)", "await in_worker(run.stop)"),
)
_IMPORTS = (
    (r"(?<=^from kafkapy.testing.awaiting import )outcome_of$", "result_of"),
    (r"^(?=from kafkapy.testing.clients import)", "from kafkapy.testing.awaiting import in_worker\n"),
    (r"^(from kafkapy.testing.)(asking|node_verbs)( import )", r"\1async_\2\3Async"),
)


def generated(source: str) -> str:
    """The text of the module that is made from this one."""
    text = (HERE / source).read_text(encoding="utf-8")
    text = _FUNCTION.sub(_made_async, text)
    text = re.sub(r"^class (\w+)\b", r"class Async\1", text, flags=re.MULTILINE)
    text = re.sub(r"^(class \w+)\((\w+)\)", r"\1(Async\2)", text, flags=re.MULTILINE)
    for pattern, replacement in _IMPORTS:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    name = SOURCES[source]
    header = f'"""`Async{name}`: `{name}`, awaited, under trio and asyncio. Made from {source} by generate.py."""'
    return header + text[text.index("\n") :]


def target_of(source: str) -> Path:
    return HERE / f"async_{source}"


def _made_async(found: re.Match[str]) -> str:
    function = found.group()
    asks = any(each in function for each in _ASKS)
    for pattern, replacement in _REPLACED:
        function = re.sub(pattern, replacement, function)
    return function.replace("    def ", "    async def ", 1) if asks else function


if __name__ == "__main__":
    for each in SOURCES:
        target_of(each).write_text(generated(each), encoding="utf-8")
