"""Kafka's own classes, asked in one JVM: programs of compat_tests/java that answer each line with a line of JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compat_tests.apache_kafka import JVM_FLAGS, compiled_java, jar_directory, require_tool
from compat_tests.tools import need

JAVA = Path(__file__).parents[1] / "compat_tests" / "java"


class Oracle:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: dict[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def kafkas_own(program: str) -> Iterator[Oracle]:
    """`program` is the name of its class and of its file."""
    jars = need(jar_directory)
    classes = need(lambda: compiled_java(program, JAVA / f"{program}.java", JAVA / "pom.xml", jars))
    command = [need(lambda: require_tool("java")), *JVM_FLAGS, "-cp", classes, program]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)
