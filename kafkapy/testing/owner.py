"""Which process a cluster of the test kit belongs to."""

from __future__ import annotations

import os

from kafkapy.testing.errors import KafkaStopped


class Owner:
    """The process that has started a cluster: a fork of it has neither its threads nor a pipe of its own."""

    def __init__(self) -> None:
        self._process_id = os.getpid()

    @property
    def is_here(self) -> bool:
        return os.getpid() == self._process_id

    def check(self) -> None:
        """Raises KafkaStopped: this is a fork."""
        if not self.is_here:
            raise KafkaStopped(
                f"the Kafka belongs to process {self._process_id}, and this is a fork of it: ask it there. Clients may "
                "connect from here; a fork that needs a Kafka of its own makes one"
            )
