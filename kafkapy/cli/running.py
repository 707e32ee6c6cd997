"""From a command to its exit code: one line for what ends it, and standard streams that may be closed or full."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# What comes with an installation, and is missing when a bare checkout is on Python's path.
_NEEDED = frozenset({"cramjam", "google_crc32c", "kafkapy_controller", "kafkapy_log", "kafkapy_wire", "re2", "trio"})


def run_to_exit_code(run: Callable[[], int]) -> int:
    """The exit code of `run`, or of what it raises: SystemExit, KeyboardInterrupt, errors of standard streams."""
    from kafkapy.client.streams import flush_messages

    try:
        return _run(run)
    finally:
        flush_messages()


def _run(run: Callable[[], int]) -> int:
    from kafkapy.client.streams import discard_output, flush_output, prepare_streams, say

    prepare_streams()
    exit_code = 0
    try:
        try:
            exit_code = run()
        except SystemExit as end:  # argparse has said what is wrong, or has printed the help
            exit_code = end.code if isinstance(end.code, int) else 0
        except KeyboardInterrupt as end:
            exit_code = getattr(end, "exit_code", 130)
        flush_output()
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _NEEDED:
            raise
        say(f"kafkapy: the module {module} is not installed: run `pip install .` in the checkout, or ./start\n")
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough. Standard output must not fail again when the interpreter flushes it.
        discard_output()
    except OSError as error:
        discard_output()
        what = f"cannot use {error.filename}" if error.filename else "cannot write to standard output"
        say(f"kafkapy: {what} ({error.strerror})\n")
        return exit_code or 1
    return exit_code
