"""Settings and files of the image: what holds where the user gives nothing, and where files of settings are mounted."""

from __future__ import annotations

import os
from pathlib import Path

IMAGE_VARIABLE = "KAFKAPY_IMAGE"
"""Set in the image, and nowhere else."""

DATA_DIRECTORY = "/var/lib/kafka/data"
BITNAMI_VOLUME = "/bitnami/kafka"

SEED_DIRECTORY = "/etc/kafkapy/seed"
"""Files that are mounted there are what a new broker begins with."""

_FILES = (
    "/mnt/shared/config/server.properties",  # of Apache Kafka's image
    "/bitnami/kafka/config/server.properties",
    "/opt/bitnami/kafka/config/server.properties",
    "/opt/kafka/config/server.properties",
)


def settings_file() -> str | None:
    """The first file of settings that is mounted where one of the images looks for it."""
    return next((file for file in _FILES if Path(file).is_file()), None)


def seed_directory() -> str | None:
    """Where seeds are mounted; None: none are."""
    return SEED_DIRECTORY if Path(SEED_DIRECTORY).is_dir() else None


def default_settings() -> list[str]:
    """NAME=VALUE each."""
    return [
        "listeners=PLAINTEXT://:9092",
        f"log.dirs={data_directory()}",
        "kafkapy.gateway.is.host=true",
    ]


def data_directory() -> str:
    """Where Bitnami's image keeps its data if that is a volume, otherwise where the other images do."""
    in_volume = f"{BITNAMI_VOLUME}/data"
    is_bitnami = any(os.path.ismount(path) for path in (BITNAMI_VOLUME, in_volume))
    return in_volume if is_bitnami else DATA_DIRECTORY


def default_arguments() -> list[str]:
    """For a command that takes `--default`; none outside the image."""
    if not os.environ.get(IMAGE_VARIABLE):
        return []
    return [word for setting in default_settings() for word in ("--default", setting)]
