"""The Kafka modules of testcontainers for Rust, unmodified, with our image:

    python -m compat_tests.image.rust_modules

It is no part of the other tests, since it takes longest to compile; `test_testcontainers_by_hand` goes through the same
steps without it. It needs cargo and Docker.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from compat_tests.apache_kafka import MissingTool
from compat_tests.image.docker_image import CONFLUENT_TAG, KAFKA_TAG, build_image
from compat_tests.image.librdkafka import VALUES, addresses_told, send_and_read
from compat_tests.image.programs import SECONDS_MAX, SWITCHES, rust_program

TAGS = {"apache": KAFKA_TAG, "confluent": CONFLUENT_TAG}


@contextmanager
def started(program: list[str], module: str, image: str) -> Iterator[str]:
    """The bootstrap address of a container that is there within the block."""
    command = [*program, module, image, TAGS[module]]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **SWITCHES}) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        bootstrap = process.stdout.readline().strip()  # the module itself waits for a minute at most
        assert bootstrap, f"{module}: no container, see above"
        try:
            yield bootstrap
        finally:
            process.stdin.close()
            assert process.wait(SECONDS_MAX) == 0


def main() -> int:
    try:
        program, image = rust_program(), build_image()
    except MissingTool as missing:
        print(missing, file=sys.stderr)
        return 1
    for module in TAGS:
        with started(program, module, image) as bootstrap:
            assert addresses_told(bootstrap) == [bootstrap]
            read = send_and_read(bootstrap)
            assert read == VALUES, read
        print(f"{module}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
