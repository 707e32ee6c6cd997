"""Listening: hypercorn on the nodes' own event loop."""

from __future__ import annotations

import logging
import os
import socket
import stat
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import trio

from kafkapy.errors import StartupError, how_to_install

if TYPE_CHECKING:
    from kafkapy.control.nodes import ControlledNodes

logger = logging.getLogger("kafkapy.control")

STOP_SECONDS = 0.1


class ControlApi:
    """Serves operations on nodes at one port, bound from the start so that its number is known."""

    def __init__(self, host: str, port: int, token: str | None) -> None:
        """Raises StartupError: the port is taken, a package is missing, other machines could come without a token."""
        try:
            import hypercorn  # noqa: F401 - looked for before anything is bound
            import starlette  # noqa: F401
        except ImportError:
            raise StartupError(
                f"the control API needs starlette and hypercorn, which are not installed: {how_to_install('control')}"
            ) from None
        from kafkapy.control.http.guard import Guard, is_loopback

        if token is None and not is_loopback(host):
            raise StartupError(
                f"the control API at {host} can be reached by other machines, so it needs a token: set "
                "KAFKAPY_CONTROL_TOKEN"
            )
        try:
            self._socket = socket.create_server((host, port), family=_family(host))
        except OSError as error:
            raise StartupError(f"the control API cannot listen at {host}:{port}: {error.strerror or error}") from None
        self._guard = Guard(token, host)
        self._host = host

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._socket.getsockname()[1]}"

    async def serve(
        self,
        nodes: ControlledNodes,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Until it is cancelled."""
        from hypercorn.config import Config
        from hypercorn.trio import serve

        from kafkapy.control.http.app import make_app

        config = Config()
        config.bind = [f"fd://{self._socket.dup().detach()}"]
        config.graceful_timeout = STOP_SECONDS
        config.shutdown_timeout = STOP_SECONDS
        config.errorlog = logger
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(
                    partial(
                        serve,
                        cast("Any", make_app(nodes, self._guard)),
                        config,
                        shutdown_trigger=trio.sleep_forever,
                    )
                )
                nursery.start_soon(self._hang_up_at_the_end)
                logger.info("the control API is at %s", self.url)
                task_status.started()
        finally:
            self._socket.close()

    async def _hang_up_at_the_end(self) -> None:
        """Break connections, so that no answer to somebody who does not read keeps the API from stopping.

        hypercorn shields what it sends, and tells nobody which connections it has: they are those of this process that
        have the listener's address.
        """
        try:
            await trio.sleep_forever()
        finally:
            address = self._socket.getsockname()
            for name in os.listdir("/dev/fd"):
                with suppress(OSError):  # what is no socket would keep its copy open
                    if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                        with socket.socket(fileno=os.dup(int(name))) as connection:
                            if connection.getsockname() == address:
                                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """If it was not served."""
        self._socket.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
