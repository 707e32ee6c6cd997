"""Seeds over HTTP: the body of a request is kept in a file until it is applied, an export is sent as it is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from kafkapy.ephemeral import EphemeralDirectory
from kafkapy.seeds import InvalidSeed, Seed
from kafkapy.seeds.json_lines import broken_off_line
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from kafkapy.control.export import Export

JSON_LINES_TYPE: Final = "application/jsonl"
JSON_LINES_TYPES: Final = (JSON_LINES_TYPE, "application/x-ndjson", "application/json-lines")


async def to_the_end(export: Export) -> AsyncGenerator[bytes, None]:
    """An export in pieces. If it cannot go on, its last line says so: the answer has begun, and cannot be an error."""
    try:
        async with aclosing(export.pieces()) as pieces:
            async for piece in pieces:
                yield piece
    except (KafkaError, LookupError) as error:
        yield broken_off_line(str(error.args[0]) if isinstance(error, LookupError) else str(error))


def is_json_lines(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in JSON_LINES_TYPES


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[Seed]:
    """The seed that is sent, while the block runs. Raises InvalidSeed: it cannot be kept; ClientDisconnect."""
    with EphemeralDirectory() as directory:
        path = directory / "seed.jsonl"
        stream = request.stream()
        assert isinstance(stream, AsyncGenerator)
        try:
            async with await trio.open_file(path, "wb") as file, aclosing(stream):
                async for part in stream:
                    await file.write(part)
            seed = Seed.spooled(path)
        except OSError as error:
            raise InvalidSeed("", f"there is no room for it in {directory}: {error.strerror}") from None
        yield seed
