"""The routes, and what is answered when something is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from kafkapy.control.http.arguments import InvalidArgument, read_arguments, read_texts
from kafkapy.control.http.as_json import as_json
from kafkapy.control.http.events import events_of
from kafkapy.control.http.openapi import description
from kafkapy.control.http.signatures import signature_of
from kafkapy.control.operations import OPERATIONS, perform
from kafkapy.control.values import NotYet
from kafkapy.faults import InvalidRule
from kafkapy.nearest import did_you_mean
from kafkapy.recording import InvalidFilter
from kafkapy_wire.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from kafkapy.bugs import Bugs
    from kafkapy.control.http.guard import Guard
    from kafkapy.control.nodes import ControlledNodes

BODY_BYTES_MAX = 64 * 1024 * 1024


def make_app(nodes: ControlledNodes, guard: Guard, bugs: Bugs) -> Starlette:
    """The application that serves the operations on these nodes."""
    door = _Door(nodes, guard, bugs)
    return Starlette(
        routes=[
            Route("/live", door.live),
            Route("/ready", door.ready),
            Route("/openapi.json", door.guarded(door.describe)),
            Route("/events", door.guarded(door.events)),
            Route("/v1/{operation}", door.guarded(door.operate), methods=["GET", "POST"]),
        ]
    )


class _Door:
    def __init__(self, nodes: ControlledNodes, guard: Guard, bugs: Bugs) -> None:
        self._nodes = nodes
        self._guard = guard
        self._bugs = bugs

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
        return StreamingResponse(events_of(self._nodes), media_type="text/event-stream")

    async def operate(self, request: Request) -> Response:
        name = request.path_params["operation"]
        if name not in OPERATIONS:
            return _error(404, "UnknownOperation", f"there is no operation {name!r}{did_you_mean(name, OPERATIONS)}")
        signature = signature_of(name)
        if request.method == "GET" and not signature.only_looks:
            return _error(405, "ChangesState", f"{name!r} changes something: ask for it by POST", allow="POST")
        try:
            positional, named = read_arguments(signature, await _given(request, signature))
            result = await perform(self._nodes, name, tuple(positional), named)
            return JSONResponse(as_json(result))
        except Exception as error:
            return self._refused(name, error)

    def _refused(self, name: str, error: Exception) -> Response:
        match error:
            case InvalidArgument() | InvalidRule() | InvalidFilter():
                found = {"field": error.field, "reason": error.reason, "nearest": error.nearest}
                return _error(400, type(error).__name__, str(error), **found)
            case NotYet():
                return _error(504, "NotYet", str(error))
            case KafkaError():
                return _error(409, error.code.name, str(error), code=int(error.code))
            case LookupError():
                return _error(404, "NotFound", str(error.args[0]) if error.args else str(error))
            case ValueError() | RuntimeError():
                return _error(400, type(error).__name__, str(error))
        self._bugs.report(f"in the control operation {name}", error)
        return _error(500, "Bug", f"{type(error).__name__}: {error}: this is a mistake of kafkapy's")


async def _given(request: Request, signature: Any) -> object:
    """Raises InvalidArgument."""
    if request.method == "GET":
        return read_texts(signature, request.query_params.multi_items())
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise InvalidArgument("body", f"it is longer than {BODY_BYTES_MAX} bytes")
    try:
        return json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("body", f"that is not JSON: {error}") from None


def _error(status: int, kind: str, message: str, *, allow: str | None = None, **more: object) -> Response:
    headers = None if allow is None else {"Allow": allow}
    return JSONResponse({"error": {"kind": kind, "message": message, **more}}, status, headers)
