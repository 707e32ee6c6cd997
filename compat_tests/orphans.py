"""Brokers that do not outlive the tests, even when those are killed and no fixture can clean up."""

from __future__ import annotations

import shutil


def dying_with_us(command: list[str]) -> list[str]:
    """The command, killed by the kernel when the thread that started it ends; as it is where `setpriv` is missing.

    `setpriv` (util-linux) executes the command in its own place, so the process id is the command's.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else command
