"""How long a test of a cluster may take: on a busy machine elections and sessions take their time, too."""

from __future__ import annotations

from functools import partial

from tests.shell.running_node import trio_test

SECONDS_MAX = 90

cluster_test = partial(trio_test, seconds_max=SECONDS_MAX)
