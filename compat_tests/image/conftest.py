"""The image, for all tests of it."""

from __future__ import annotations

import pytest

from compat_tests.image.docker_image import build_image
from compat_tests.tools import need


@pytest.fixture(scope="session")
def image() -> str:
    """The name of the image; its tags are KAFKA_TAG and CONFLUENT_TAG."""
    return need(build_image)
