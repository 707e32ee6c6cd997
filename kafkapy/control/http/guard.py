"""Who may ask. A web page of somebody else must not be able to drive the nodes, nor another machine without a token.

A browser sends the name that the page was loaded by as Host: a page that points its own name at a loopback address
(DNS rebinding) is known by that. It sends Origin with requests of scripts: none of ours does.
"""

from __future__ import annotations

import re
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_HOST = re.compile(r"^(?:\[([^]]*)\]|([^:]*))(?::[0-9]*)?$", re.ASCII)
"""A name or an address, with or without a port."""
LOCAL_NAMES = ("localhost", "host.docker.internal")


class Guard:
    """Lets requests pass, or answers them."""

    def __init__(self, token: str | None, host: str) -> None:
        """`token`: which requests must have, as `Authorization: Bearer TOKEN`; None: there is none. `host`: where the
        API listens.
        """
        self._token = token
        self._names = {*LOCAL_NAMES, host.lower()}

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that must not pass."""
        if self._token is not None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() == "bearer" and compare_digest(token.strip().encode(), self._token.encode()):
                return None
            return _refusal(401, "NotAuthorized", "send the token of this API: Authorization: Bearer TOKEN")
        name = _HOST.sub(r"\1\2", request.headers.get("host", "")).lower()
        if not self._is_known(name):
            return _refusal(
                403, "UnknownHost", f"this API does not listen as {name!r:.100}: use localhost or its address"
            )
        if "origin" in request.headers:
            return _refusal(403, "CrossOrigin", "this API is not for scripts of web pages, unless it has a token")
        return None

    def _is_known(self, name: str) -> bool:
        if name in self._names:
            return True
        try:
            return bool(ip_address(name))
        except ValueError:
            return False


def _refusal(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"error": {"kind": kind, "message": message}}, status)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
