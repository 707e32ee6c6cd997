"""From a container's environment to a node: `kafkapy start` with the image's defaults and Kafka's lines on stdout.

A new data directory is formatted first if the environment names users of SCRAM: it begins with them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from kafkapy.client.streams import say
from kafkapy.image.defaults import default_arguments, seed_directory, settings_file
from kafkapy.settings.errors import SettingsError

# The names of log4j, and those that `--log-level` has.
_LEVELS = {
    "ALL": "debug",
    "TRACE": "debug",
    "DEBUG": "debug",
    "INFO": "info",
    "WARN": "warning",
    "ERROR": "error",
    "FATAL": "error",
    "OFF": "error",
}
SEED_VARIABLE = "KAFKAPY_SEED"
_LEVEL_VARIABLE = "KAFKA_LOG4J_ROOT_LOGLEVEL"


def launch(arguments: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> int:
    """Serve until a signal comes; the exit code. `arguments` are more of `kafkapy start`."""
    from kafkapy.cli import main

    try:
        variables = adopt_variables(environ)
        users = _scram_users(variables)
    except SettingsError as error:
        say(f"kafkapy: {error}\n")
        return 1
    if users:
        exit_code = _format(arguments, users)
        if exit_code:
            return exit_code
    # As the first process of a container this one inherits the orphans of others: they are to leave no zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    return main(start_arguments(arguments, variables))


def adopt_variables(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Make the environment of this process what a container's one means, and return it. Raises SettingsError."""
    from kafkapy.settings.image_variables import image_variables
    from kafkapy.settings.sources import is_known

    variables = image_variables(environ, is_known)
    os.environ.clear()
    os.environ.update(variables)
    return variables


def _scram_users(variables: Mapping[str, str]) -> list[str]:
    """As `--add-scram` has them. Raises SettingsError."""
    from kafkapy.settings.image_users import users_in

    users = users_in(variables)
    if users is None:
        return []
    if not users.listeners:
        say("kafkapy: users are given (KAFKA_CLIENT_USERS and the like), but no listener has SASL: nobody logs in\n")
        return []
    return [f"{mechanism}=[name={user.name},password={user.password}]" for mechanism, user in users.scram_users()]


def _format(arguments: Sequence[str], users: Sequence[str]) -> int:
    """The exit code."""
    from kafkapy.cli import command_parser
    from kafkapy.cli.format import run

    words = [*_own_file(arguments), *default_arguments(), "--ignore-formatted"]
    words += [f"--add-scram={user}" for user in users]
    return run(command_parser("format").parse_known_args([*words, *arguments])[0])


def start_arguments(arguments: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    level = _LEVELS.get(variables.get(_LEVEL_VARIABLE, "").strip().upper(), "warning")
    options = [*_own_file(arguments), "--kafka-log-lines", "--log-level", level, *default_arguments()]
    seed = seed_directory()
    if seed is not None and not variables.get(SEED_VARIABLE):
        options += ["--seed", seed]
    return ["start", *options, *arguments]


def _own_file(arguments: Sequence[str]) -> list[str]:
    """The mounted file of settings, unless another one is named."""
    file = settings_file()
    return [] if file is None or any(argument.endswith(".properties") for argument in arguments) else [file]
