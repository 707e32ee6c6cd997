"""From a container's environment to a node: `kafkapy start` with the image's defaults and Kafka's lines on stdout."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from kafkapy.client.streams import say
from kafkapy.image.defaults import default_arguments, seed_directory, settings_file

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
    from kafkapy.settings.errors import SettingsError
    from kafkapy.settings.image_variables import image_variables
    from kafkapy.settings.sources import is_known

    try:
        variables = image_variables(environ, is_known)
    except SettingsError as error:
        say(f"kafkapy: {error}\n")
        return 1
    os.environ.clear()
    os.environ.update(variables)
    # As the first process of a container this one inherits the orphans of others: they are to leave no zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    return main(start_arguments(arguments, variables))


def start_arguments(arguments: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    level = _LEVELS.get(variables.get(_LEVEL_VARIABLE, "").strip().upper(), "warning")
    options = ["--kafka-log-lines", "--log-level", level, *default_arguments()]
    file = settings_file()
    if file is not None and not any(argument.endswith(".properties") for argument in arguments):
        options.insert(0, file)
    seed = seed_directory()
    if seed is not None and not variables.get(SEED_VARIABLE):
        options += ["--seed", seed]
    return ["start", *options, *arguments]
