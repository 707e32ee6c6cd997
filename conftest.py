"""For all tests: what they start is stopped by Ctrl-C, also when they themselves were started in the background."""

from __future__ import annotations

import signal

# A shell without job control has its background programs ignore SIGINT, and so would every program that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
