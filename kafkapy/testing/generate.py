"""`python -m kafkapy.testing.generate`: makes async_kafka.py from kafka.py, so that both have the same names.

What asks the cluster becomes a coroutine; everything else stays as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parent / "kafka.py"
TARGET = Path(__file__).parent / "async_kafka.py"

_HEADER = '"""`AsyncKafka`: `Kafka`, awaited, under trio and asyncio. Made from kafka.py by generate.py."""'
_FUNCTION = re.compile(r"^    def \w+\((?:[^\n]*\n(?:    {2,}[^\n]*\n|    \) [^\n]*\n|\n(?=        ))*)", re.MULTILINE)
_ASKS = (
    *("self._call(", "self._kafka._call(", "outcome_of(", "def __enter__"),
    *("self._stop()", "self.remove()", "running(self", "run.stop()"),
)
_REPLACED = (
    (r"\b(ClientMetrics|Clock|Faults?)\b(?=\(|[,:)\]]| =)", r"Async\1"),
    (r"\bKafka\b(?=[,:)\]]| =)", "AsyncKafka"),
    (r"__enter__", "__aenter__"),
    (r"__exit__", "__aexit__"),
    (r"`with` block", "`async with` block"),
    (r"(self\._(?:kafka\._)?call)\(", r"await \1("),
    (r"(self\.(?:_stop|remove)\(\))", r"await \1"),
    (r"outcome_of\(", "await result_of("),
    (r"= running\((.*)\)", r"= await in_worker(running, \1)"),
    (r"run\.stop\(\)", "await in_worker(run.stop)"),
)
_IMPORT = "from kafkapy.testing.awaiting import outcome_of\n"


def generated() -> str:
    """The text of async_kafka.py."""
    text = SOURCE.read_text(encoding="utf-8")
    text = _FUNCTION.sub(_made_async, text)
    text = re.sub(r"^class (\w+):", r"class Async\1:", text, flags=re.MULTILINE)
    text = _HEADER + text[text.index("\n") :]
    return text.replace(_IMPORT, "from kafkapy.testing.awaiting import in_worker, result_of\n")


def _made_async(found: re.Match[str]) -> str:
    function = found.group()
    asks = any(each in function for each in _ASKS)
    for pattern, replacement in _REPLACED:
        function = re.sub(pattern, replacement, function)
    return function.replace("    def ", "    async def ", 1) if asks else function


if __name__ == "__main__":
    TARGET.write_text(generated(), encoding="utf-8")
