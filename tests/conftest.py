"""For all tests of this directory."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _level_of_the_log() -> Iterator[None]:
    """A test sees warnings, unless it asks for more: clusters of the session keep lines from INFO on."""
    logger = logging.getLogger("kafkapy")
    before = logger.level
    logger.setLevel(logging.NOTSET)
    yield
    if logger.level == logging.NOTSET:
        logger.setLevel(before)
