"""Django's own test runner knows no fixtures: this has pytest make its database. pytest-django does the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import django
import pytest

if TYPE_CHECKING:
    from kafkapy.testing import Kafka

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()


@pytest.fixture
def shop(kafka: Kafka) -> Iterator[Kafka]:
    """The project with an empty database and an empty Kafka."""
    from django.test.utils import (
        override_settings,
        setup_databases,
        setup_test_environment,
        teardown_databases,
        teardown_test_environment,
    )

    setup_test_environment()
    with override_settings(KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers):
        made = setup_databases(verbosity=0, interactive=False)
        yield kafka
        teardown_databases(made, verbosity=0)
    teardown_test_environment()
