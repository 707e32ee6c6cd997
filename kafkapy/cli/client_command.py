"""Commands that are clients of a cluster: from their arguments to connections, and to an exit code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkapy.cli.client_login import login_of
from kafkapy.cli.client_settings import client_settings, security_of
from kafkapy.client import command_line
from kafkapy.client.cluster import Cluster, parse_bootstrap
from kafkapy.client.command_line import BOOTSTRAP_VARIABLE, DEFAULT_TIMEOUT_SECONDS, complain
from kafkapy.client.errors import ClientError
from kafkapy.client.interrupts import interruptible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping


def run_command(command: str, arguments: argparse.Namespace, body: Callable[[argparse.Namespace, Cluster], int]) -> int:
    """The exit code of `body`; 1 after one line on standard error where it raises ClientError.

    Raises Interrupted: a signal has ended it.
    """
    try:
        with interruptible(), _connect(arguments, lambda text: complain(command, text)) as cluster:
            return body(arguments, cluster)
    except ClientError as error:
        complain(command, str(error))
        return 1


def _connect(arguments: argparse.Namespace, tell: Callable[[str], None]) -> Cluster:
    """The cluster that the connection arguments name; nothing is sent yet. Raises ClientError: they are not valid."""
    settings = client_settings(getattr(arguments, "command_config", None))
    return Cluster(
        _bootstrap(arguments, settings),
        timeout_seconds=getattr(arguments, "timeout", DEFAULT_TIMEOUT_SECONDS),
        tell=tell,
        security=security_of(settings),
        login=login_of(settings),
    )


def _bootstrap(arguments: argparse.Namespace, settings: Mapping[str, str]) -> list[tuple[str, int]]:
    """From the option, else from the file of client settings, else from the variable that applications have, else where
    a broker listens by default.
    """
    option: str | None = getattr(arguments, "bootstrap_server", None)
    if option is None:  # an empty one is no broker, as that of a variable that is not set
        option = settings.get("bootstrap.servers")
    if option is not None:
        return parse_bootstrap(option)
    variable = os.environ.get(BOOTSTRAP_VARIABLE, "")
    if not variable.strip():
        return parse_bootstrap(command_line.DEFAULT_BOOTSTRAP)
    try:
        return parse_bootstrap(variable)
    except ClientError as error:
        raise ClientError(f"the variable {BOOTSTRAP_VARIABLE}: {error}") from None
