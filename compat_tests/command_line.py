"""kafkapy's command line as its users run it."""

from __future__ import annotations

import subprocess
import sys

TIMEOUT_SECONDS = 60.0


class ClusterCommand:
    """`kafkapy cluster` of a cluster."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def __call__(self, *arguments: str, code: int = 0, command: str = "cluster") -> str:
        """What it prints, on standard error if it fails as it is expected to."""
        done = subprocess.run(
            [sys.executable, "-m", "kafkapy", command, *arguments, "--bootstrap-server", self.bootstrap],
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
        )
        assert done.returncode == code, done
        return done.stderr if code else done.stdout
