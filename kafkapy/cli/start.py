"""`kafkapy start`: a working broker with no arguments, and Kafka's settings for those who have them."""

from __future__ import annotations

import gc
import logging
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from kafkapy.cli.stop_signals import StopSignals
    from kafkapy.cli.watchdog import Watchdog
    from kafkapy.node import Node
    from kafkapy.settings import Settings

DEFAULT_DATA_DIRECTORY = "kafkapy-data"


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
        "--port", type=int, metavar="N", help="port of the first listener for clients (9092); 0 takes a free one"
    )
    parser.add_argument("--host", metavar="HOST", help="host of the first listener for clients (localhost)")
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
    from kafkapy.cli.stop_signals import StopSignals
    from kafkapy.cli.watchdog import Watchdog

    with StopSignals() as signals:
        watchdog = Watchdog(signals)
        watchdog.start()
        settings = _settings(arguments)
        _raise_open_files_limit()
        if not arguments.ephemeral:
            _serve(settings, data_directory(settings), signals, watchdog)
            return 0
        from kafkapy.cli.ephemeral import EphemeralDirectory

        ephemeral = EphemeralDirectory()
        watchdog.last_act = ephemeral.remove
        with ephemeral as directory:
            _serve(settings, directory, signals, watchdog, ephemeral=True)
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    """Override > environment > file > defaults; `--port` and `--host` change the first listener for clients in them."""
    from kafkapy.settings import Settings
    from kafkapy.settings.sources import collect_settings, listen_at

    overrides = list(arguments.override)
    if arguments.data_dir is not None:
        overrides.append(f"log.dirs={arguments.data_dir}")
    given = collect_settings(arguments.config, overrides=overrides)
    if arguments.port is not None or arguments.host is not None:
        listen_at(given, host=arguments.host, port=arguments.port)
    return Settings.parse(given)


def data_directory(settings: Settings) -> Path:
    if "log.dirs" in settings.static or "log.dir" in settings.static:
        return Path(settings.log.directories[0])
    return Path(DEFAULT_DATA_DIRECTORY)


def _serve(
    settings: Settings, data_directory: Path, signals: StopSignals, watchdog: Watchdog, *, ephemeral: bool = False
) -> None:
    """Until a signal comes. What is in an ephemeral directory is not closed cleanly."""
    from time import monotonic

    import trio

    from kafkapy.cli.progress import RecoveryProgress
    from kafkapy.network.advertised import resolving_address
    from kafkapy.node import Node
    from kafkapy.settings import GivenSettings

    given = settings.given if isinstance(settings.given, GivenSettings) else GivenSettings()
    node = Node(
        settings,
        data_directory,
        durable=not ephemeral,
        kept=not ephemeral,
        cluster_id=given.cluster_id,
        topics=given.topics,
    )
    node.on_closing = watchdog.rest
    progress = RecoveryProgress(sys.stderr, monotonic)

    async def main() -> None:
        stop = trio.Event()
        token = trio.lowlevel.current_trio_token()
        watchdog.watch(token)
        signals.tell(lambda: token.run_sync_soon(stop.set, idempotent=True))
        try:
            with trio.CancelScope() as starting:

                def recovering(done: int, count: int) -> None:
                    progress.tell(done, count)
                    if done < count and stop.is_set():
                        starting.cancel()  # the next start goes on from here

                node.on_recovery = recovering
                async with node.started():
                    # What a start has made lives as long as the process: the collector need not walk it again.
                    gc.freeze()
                    watchdog.is_serving = True
                    _announce(node, await resolving_address(node.settings.now.advertised_listeners))
                    if ephemeral:
                        Thread(target=_remove_abandoned, daemon=True).start()
                    await stop.wait()
        finally:
            signals.ignore()

    try:
        if not signals.asked:
            trio.run(main)
    finally:
        watchdog.rest()


def _remove_abandoned() -> None:
    from kafkapy.cli.ephemeral import remove_abandoned

    remove_abandoned()


def _raise_open_files_limit() -> None:
    """As high as this user may, as the JVM does: connections and segments take a descriptor each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS knows a lower bound than it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _announce(node: Node, address: str | None) -> None:
    """Two lines on standard output: where it listens and how to try it. Nobody needs to be there to read them.

    `address` is one that clients on this machine can use, None if there is none.
    """
    kept = f"data in {node.data_directory}" if node.kept else "ephemeral"
    server = "" if address == "localhost:9092" else f" -b {address}"
    command = _command()
    hint = f"try: {command} produce hello 'first record'{server} && {command} consume hello --from-beginning{server}"
    if address is None:
        address = node.bootstrap_address
        hint = f"clients here cannot resolve {address}: advertise a host in advertised.listeners that they can, too"
    try:
        print(f"kafkapy listens at {address} ({kept}); Ctrl-C stops it")
        print(hint, flush=True)
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
