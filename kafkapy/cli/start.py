"""`kafkapy start`: a working broker with no arguments, and Kafka's settings for those who have them."""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from types import FrameType

    import trio

    from kafkapy.node import Node
    from kafkapy.settings import Settings

DEFAULT_DATA_DIRECTORY = "kafkapy-data"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", metavar="SERVER.PROPERTIES", help="a file of settings by Kafka's names")
    parser.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting that wins over the file and the KAFKA_* variables; may be given more than once",
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="port of the PLAINTEXT listener (9092); 0 takes a free one"
    )
    parser.add_argument("--host", metavar="HOST", help="host of the PLAINTEXT listener (localhost)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--data-dir", metavar="DIR", help=f"where data is kept across restarts (./{DEFAULT_DATA_DIRECTORY})"
    )
    where.add_argument(
        "--ephemeral", action="store_true", help="keep data in a temporary directory and delete it at the end"
    )
    parser.add_argument(
        "--log-level", default="warning", choices=["debug", "info", "warning", "error"], help="what to log (warning)"
    )


def run(arguments: argparse.Namespace) -> int:
    from kafkapy.errors import ShutdownError, StartupError
    from kafkapy.settings import SettingsError

    logging.basicConfig(
        level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.raiseExceptions = False  # where the log itself cannot be written, a traceback cannot either
    try:
        return _run(arguments)
    except (StartupError, ShutdownError, SettingsError, OSError) as error:
        print(f"kafkapy: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    _raise_open_files_limit()
    if arguments.ephemeral:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="kafkapy-") as directory:
            _serve(settings, Path(directory), ephemeral=True)
    else:
        _serve(settings, data_directory(settings), ephemeral=False)
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    """Override > environment > file > defaults; `--port` and `--host` are a short way to write the listener."""
    from kafkapy.settings import Settings
    from kafkapy.settings.sources import collect_settings

    overrides = list(arguments.override)
    if arguments.port is not None or arguments.host is not None:
        host = "localhost" if arguments.host is None else arguments.host
        port = 9092 if arguments.port is None else arguments.port
        overrides.append(f"listeners=PLAINTEXT://{f'[{host}]' if ':' in host else host}:{port}")
    if arguments.data_dir is not None:
        overrides.append(f"log.dirs={arguments.data_dir}")
    return Settings.parse(collect_settings(arguments.config, overrides=overrides))


def data_directory(settings: Settings) -> Path:
    if "log.dirs" in settings.static or "log.dir" in settings.static:
        return Path(settings.log.directories[0])
    return Path(DEFAULT_DATA_DIRECTORY)


def _serve(settings: Settings, data_directory: Path, *, ephemeral: bool) -> None:
    from time import monotonic

    import trio

    from kafkapy.cli.progress import RecoveryProgress
    from kafkapy.node import Node

    node = Node(settings, data_directory, durable=not ephemeral, kept=not ephemeral)
    progress = RecoveryProgress(sys.stderr, monotonic)

    async def main() -> None:
        stop = trio.Event()
        with trio.CancelScope() as starting, _signals_set(stop):

            def recovering(done: int, count: int) -> None:
                progress.tell(done, count)
                if done < count and stop.is_set():
                    starting.cancel()  # the next start goes on from here

            node.on_recovery = recovering
            async with node.started():
                # What a start has made lives as long as the process: the collector need not walk it again and again.
                gc.freeze()
                _announce(node)
                await stop.wait()

    trio.run(main)


@contextmanager
def _signals_set(stop: trio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a clean stop. Impatient repetitions change nothing: it is under way, and bounded."""
    import trio

    token = trio.lowlevel.current_trio_token()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        token.run_sync_soon(stop.set, idempotent=True)

    for number in STOP_SIGNALS:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _raise_open_files_limit() -> None:
    """As high as this user may, as the JVM does: connections and segments take a descriptor each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS knows a lower bound than it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _announce(node: Node) -> None:
    """Two lines on standard output: where it listens and how to try it. Nobody needs to be there to read them."""
    address = node.bootstrap_address
    kept = f"data in {node.data_directory}" if node.kept else "ephemeral"
    server = "" if address == "localhost:9092" else f" -b {address}"
    command = _command()
    try:
        print(f"kafkapy listens at {address} ({kept}); Ctrl-C stops it")
        print(
            f"try: {command} produce hello 'first record'{server} && {command} consume hello --from-beginning{server}",
            flush=True,
        )
    except OSError:  # a reader that is gone, a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _command() -> str:
    """What starts kafkapy in the user's shell: `kafkapy`, or a full path where that is not on the PATH (`./start`)."""
    from shutil import which

    if which("kafkapy") is not None:
        return "kafkapy"
    from shlex import quote

    script = Path(sys.argv[0])
    if script.name == "kafkapy":
        return quote(str(script.absolute()))
    return f"{quote(sys.executable)} -m kafkapy"
