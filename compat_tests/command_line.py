"""kafkapy's command line as its users run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TIMEOUT_SECONDS = 60.0


class ClusterCommand:
    """`kafkapy cluster` of a cluster."""

    def __init__(self, bootstrap: str, command_config: Path | None = None) -> None:
        self.bootstrap = bootstrap
        self._options = ["--bootstrap-server", bootstrap]
        if command_config is not None:
            self._options += ["--command-config", str(command_config)]

    def __call__(self, *arguments: str, code: int = 0, command: str = "cluster") -> str:
        """What it prints, on standard error if it fails as it is expected to."""
        done = subprocess.run(
            [sys.executable, "-m", "kafkapy", command, *arguments, *self._options],
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
        )
        assert done.returncode == code, done
        return done.stderr if code else done.stdout
