"""`kafkapy random-uuid`: an id for a cluster or a directory, as `kafka-storage random-uuid` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(_: argparse.ArgumentParser) -> None:
    """None: it takes no arguments."""


def run(_: argparse.Namespace) -> int:
    from kafkapy_wire.uuid import random_uuid, uuid_text

    print(uuid_text(random_uuid()))
    return 0
