"""The routes, and what is answered when something is wrong."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from kafkapy.control.arguments import InvalidArgument
from kafkapy.control.export import Export
from kafkapy.control.http.arguments import read_arguments, read_json, read_texts
from kafkapy.control.http.as_json import as_json
from kafkapy.control.http.events import events_of
from kafkapy.control.http.openapi import description
from kafkapy.control.http.seeds import JSON_LINES_TYPE, is_json_lines, spooled, to_the_end
from kafkapy.control.http.sessions import pieces_of, wanted_type
from kafkapy.control.operations import OPERATIONS, perform
from kafkapy.control.seeding import apply_seed
from kafkapy.control.signatures import signature_of
from kafkapy.control.values import NotYet
from kafkapy.errors import StartupError
from kafkapy.faults import InvalidRule
from kafkapy.nearest import did_you_mean
from kafkapy.recording import InvalidFilter, Recorded
from kafkapy.seeds import InvalidSeed
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Send

    from kafkapy.control.http.guard import Guard
    from kafkapy.control.nodes import ControlledNodes

BODY_BYTES_MAX = 64 * 1024 * 1024
LENGTH_DIGITS_MAX = len(str(BODY_BYTES_MAX))


def make_app(nodes: ControlledNodes, guard: Guard) -> Starlette:
    """The application that serves the operations on these nodes."""
    door = _Door(nodes, guard)
    return Starlette(
        routes=[
            Route("/live", door.live),
            Route("/ready", door.ready),
            Route("/openapi.json", door.guarded(door.describe)),
            Route("/events", door.guarded(door.events)),
            Route("/v1/{operation}", door.guarded(door.operate), methods=["GET", "POST"]),
        ],
        exception_handlers={404: _nothing_there, 405: _wrong_method},
    )


class BodyTooLong(ValueError):
    def __str__(self) -> str:
        return f"the body is longer than {BODY_BYTES_MAX} bytes"


class _Stream(StreamingResponse):
    """Ends its source with itself, not when the collector finds it."""

    async def stream_response(self, send: Send) -> None:
        source = self.body_iterator
        assert isinstance(source, AsyncGenerator)
        async with aclosing(source):
            await super().stream_response(send)


class _Door:
    def __init__(self, nodes: ControlledNodes, guard: Guard) -> None:
        self._nodes = nodes
        self._guard = guard

    def guarded(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def pass_or_refuse(request: Request) -> Response:
            return self._guard.refusal(request) or await endpoint(request)

        return pass_or_refuse

    async def live(self, _request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, _request: Request) -> Response:
        members = {member.node_id for member in self._nodes.cluster.members}
        missing = sorted(members - set(self._nodes.cluster.running))
        return JSONResponse({"ready": not missing, "not_running": missing}, 503 if missing else 200)

    async def describe(self, _request: Request) -> Response:
        return JSONResponse(description())

    async def events(self, _request: Request) -> Response:
        return _Stream(events_of(self._nodes), media_type="text/event-stream")

    async def operate(self, request: Request) -> Response:
        name = request.path_params["operation"]
        if name not in OPERATIONS:
            return _error(
                404, "UnknownOperation", f"there is no operation {name!r:.100}{did_you_mean(name, OPERATIONS)}"
            )
        signature = signature_of(name)
        if request.method != "POST" and not signature.only_looks:  # HEAD comes with GET
            return _error(405, "ChangesState", f"{name!r} changes something: ask for it by POST", allow="POST")
        try:
            if name == "seed" and is_json_lines(request):
                async with spooled(request) as seed:
                    return JSONResponse(as_json(await apply_seed(self._nodes, seed)))
            positional, named = read_arguments(signature, await _given(request, signature))
            asked = partial(perform, self._nodes, name, tuple(positional), named)
            # What has begun to change something is carried through, whoever listens; a wait is for its asker alone.
            result = await (_while_asked(request, asked) if signature.only_looks else asked())
            if isinstance(result, Export):
                return _Stream(to_the_end(result), media_type=JSON_LINES_TYPE)
            if isinstance(result, Recorded) and (media_type := wanted_type(request)) is not None:
                return _Stream(pieces_of(result, media_type), media_type=media_type)
            return JSONResponse(as_json(result))
        except Exception as error:
            if isinstance(reason := _only(error), ClientDisconnect):
                return Response()  # to nobody
            return self._refused(name, reason)

    def _refused(self, name: str, error: Exception) -> Response:
        match error:
            case BodyTooLong():
                return _error(413, "BodyTooLong", str(error), {"field": "body"})
            case InvalidArgument() | InvalidRule() | InvalidFilter():
                found = {"field": error.field, "reason": error.reason, "nearest": error.nearest}
                return _error(400, type(error).__name__, str(error), found)
            case InvalidSeed():
                at: dict[str, object] = {"field": error.field, "line": error.line}
                at |= {"reason": error.reason, "nearest": error.nearest}
                return _error(400, "InvalidSeed", str(error), at)
            case NotYet():
                return _error(504, "NotYet", str(error))
            case KafkaError():
                return _error(409, error.code.name, str(error), {"code": int(error.code)})
            case LookupError() if not isinstance(error, KeyError | IndexError):  # those are nobody's answer
                return _error(404, "NotFound", str(error.args[0]) if error.args else str(error))
            case ValueError() | RuntimeError() | StartupError():
                return _error(400, type(error).__name__, str(error))
        self._nodes.bugs.report(f"in the control operation {name}", error)
        return _error(500, "Bug", f"{type(error).__name__}: {error}: this is a mistake of kafkapy's")


async def _while_asked(request: Request, asked: Callable[[], Awaitable[object]]) -> object:
    """What is asked for, unless the asker leaves before it comes. Raises ClientDisconnect; what `asked` raises."""
    async with trio.open_nursery(strict_exception_groups=True) as nursery:

        async def leave() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            raise ClientDisconnect

        nursery.start_soon(leave)
        found = await asked()
        nursery.cancel_scope.cancel()
    return found


def _only(error: Exception) -> Exception:
    """The error itself where a nursery has wrapped it; of several the first."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _given(request: Request, signature: Any) -> object:
    """Raises InvalidArgument."""
    if request.method != "POST":
        return read_texts(signature, request.query_params.multi_items())
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > LENGTH_DIGITS_MAX or int(length) > BODY_BYTES_MAX):
        raise BodyTooLong
    body = bytearray()
    stream = request.stream()
    assert isinstance(stream, AsyncGenerator)
    async with aclosing(stream):
        async for part in stream:
            body += part
            if len(body) > BODY_BYTES_MAX:
                raise BodyTooLong
    return read_json(body) if body else {}


def _nothing_there(request: Request, _error_raised: Exception) -> Response:
    where = "operations are at /v1/OPERATION, and /openapi.json describes them"
    return _error(404, "NotFound", f"there is nothing at {request.url.path!r:.100}: {where}")


def _wrong_method(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow", "")
    message = f"{request.url.path!r:.100} cannot be asked for by {request.method}, but by {allowed}"
    return _error(405, "MethodNotAllowed", message, allow=allowed)


def _error(
    status: int, kind: str, message: str, more: Mapping[str, object] | None = None, *, allow: str | None = None
) -> Response:
    headers = None if allow is None else {"Allow": allow}
    return JSONResponse({"error": {"kind": kind, "message": message, **(more or {})}}, status, headers)
