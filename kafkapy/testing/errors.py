"""What the test kit raises. All of it can be pickled."""

from __future__ import annotations

from kafkapy.control.values import NotYet

__all__ = ["HangingTeardown", "KafkaNotStarted", "KafkaStopped", "NotYet"]


class KafkaNotStarted(Exception):
    """The cluster could not be started; the message says why and what to do."""


class KafkaStopped(Exception):
    """The cluster has stopped: nothing can be asked of it any more."""


class HangingTeardown(Exception):
    """The cluster did not stop in time; the message says where it hangs."""
