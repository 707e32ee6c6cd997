"""Where kafkapy answers otherwise than Apache Kafka 4.3.1, and why. One line a difference; nothing else may differ.

A test fails for a difference that is not here, and for a line here that is no longer true.
"""

from __future__ import annotations

from compat_tests.differential.comparison import Accepted

ACCEPTED: tuple[Accepted, ...] = ()
