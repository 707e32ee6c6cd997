"""The broker of this container, for tools that are told of a ZooKeeper, as scripts for older versions tell them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkapy.image.defaults import IMAGE_VARIABLE
from kafkapy.image.health import listeners, variable

if TYPE_CHECKING:
    from collections.abc import Mapping


def own_broker(environ: Mapping[str, str] = os.environ) -> str | None:
    """Where it takes requests without TLS and logins, as its variables say: `localhost:9092`. None: nowhere."""
    if not environ.get(IMAGE_VARIABLE):
        return None
    of_controllers = (variable(environ, "CONTROLLER_LISTENER_NAMES").strip() or "CONTROLLER").upper().split(",")
    plain = {
        name: port
        for name, (port, protocol) in (listeners(environ) or {"PLAINTEXT": (9092, "PLAINTEXT")}).items()
        if protocol == "PLAINTEXT" and name not in of_controllers
    }
    # A listener for other brokers is advertised at an address of this container; one for the host is not.
    port = plain.get(variable(environ, "INTER_BROKER_LISTENER_NAME").strip().upper(), next(iter(plain.values()), None))
    return None if port is None else f"localhost:{port}"
