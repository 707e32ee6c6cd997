"""kafkapy with a recording that is on: `recording_process.py PORT DIRECTORY`, until SIGTERM."""

from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path

import trio

from kafkapy.node import Node
from kafkapy.recording import Recording
from kafkapy.settings import Settings


async def main(port: int, directory: Path) -> None:
    settings = Settings({"listeners": f"PLAINTEXT://127.0.0.1:{port}"})
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with Node(settings, directory, durable=False, kept=False).started() as node:
            Recording().attach(node.dispatcher, node.node_id, node.broker.metadata)
            gc.freeze()  # as the command does
            await anext(signals)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), Path(sys.argv[2]))
