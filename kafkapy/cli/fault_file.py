"""`--faults FILE`: faults that a node or a cluster has from its start."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kafkapy.errors import StartupError

if TYPE_CHECKING:
    import argparse

    from kafkapy.faults import FaultEngine

VARIABLE: Final = "KAFKAPY_FAULTS"

logger = logging.getLogger("kafkapy.start")


def add_faults_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--faults",
        metavar="FILE",
        help="what is to go wrong, for tests of clients: rules in YAML, TOML or JSON, see docs/faults.md "
        f"(default: ${VARIABLE}, else none)",
    )


def faults_from_start(arguments: argparse.Namespace) -> FaultEngine | None:
    """None: no file was given. Raises StartupError: it is wrong, and nothing is started."""
    given = arguments.faults if arguments.faults is not None else os.environ.get(VARIABLE)
    if not given:
        return None
    from kafkapy.faults import FaultEngine, InvalidRule
    from kafkapy.faults.files import InvalidFile, load_rules

    option = "--faults" if arguments.faults is not None else VARIABLE
    try:
        rules = load_rules(Path(given))
    except (InvalidFile, InvalidRule) as error:
        raise StartupError(f"{option} {given}: {error}") from error
    engine = FaultEngine()
    engine.add_all(rules)
    return engine


def say_what_never_fired(engine: FaultEngine | None) -> None:
    """At the end: a line for each fault that must fire and has not."""
    for fault in () if engine is None else engine.unfired:
        logger.warning("%s must fire and never did; %d requests have met it", fault, fault.matched)
