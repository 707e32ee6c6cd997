"""ZooKeeper: Kafka has none any more. Scripts that start it first go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


TAKES_ANYTHING = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(arguments: argparse.Namespace) -> int:
    del arguments
    print("There is no ZooKeeper here, and the broker needs none: nothing is done.")
    return 0
