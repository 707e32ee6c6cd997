"""Recorded requests over HTTP as files: lines of JSON that can be sent again, or a capture for Wireshark."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.control.http.seeds import JSON_LINES_TYPES
from kafkapy.ephemeral import EphemeralDirectory

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from starlette.requests import Request

    from kafkapy.recording import Recorded

PCAPNG_TYPE: Final = "application/x-pcapng"
PIECE_BYTES: Final = 256 * 1024


def wanted_type(request: Request) -> str | None:
    """What the asker accepts, if it is one of these files; None: JSON, as everywhere."""
    accepted = [each.partition(";")[0].strip().lower() for each in request.headers.get("accept", "").split(",")]
    return next((each for each in accepted if each in (*JSON_LINES_TYPES, PCAPNG_TYPE)), None)


async def pieces_of(recorded: Recorded, media_type: str) -> AsyncGenerator[bytes, None]:
    """A file of that type. It is made in a worker thread, as messages are decoded for it."""
    write: Callable[[Path], int] = recorded.write_pcapng if media_type == PCAPNG_TYPE else recorded.write_json_lines
    with EphemeralDirectory() as directory:
        path = directory / "recorded"
        await trio.to_thread.run_sync(partial(write, path))
        async with await trio.open_file(path, "rb") as file:
            while piece := await file.read(PIECE_BYTES):
                yield piece
