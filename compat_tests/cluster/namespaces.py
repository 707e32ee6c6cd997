"""A network of the nodes' own: each node in a network namespace with an address, all on one bridge. Needs root.

The bridge is in a namespace, too: packet filters of the machine (Docker's drop what bridges forward) do not see it.

A cut is made inside the node's namespace: what it sends to an address goes down a hole, a bridge that leads nowhere.
Then no connection between the two works, new or old, as when a cable is out; nobody is told.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

IP_TIMEOUT_SECONDS = 60.0
PREFIX = "kp"
NOBODY = "02:00:00:00:00:01"
_SHARED = Path("/run/netns")


class Namespaces:
    """As many namespaces as nodes, from entering to leaving; `hosts` are their addresses, `host` is the tests' own."""

    def __init__(self, count: int) -> None:
        # Of two runs at a time, each has names and a network of its own.
        self._name = f"{PREFIX}{os.getpid():x}"
        number = os.getpid() % 65_536
        self._network = f"10.{number // 256}.{number % 256}"
        self.host = f"{self._network}.254"
        self.hosts = [f"{self._network}.{n + 1}" for n in range(count)]
        self._cuts: set[tuple[str, str]] = set()

    @staticmethod
    def can_be_made() -> bool:
        """Whether this machine and this user allow it."""
        if os.geteuid() or shutil.which("ip") is None:
            return False
        name = f"{PREFIX}{os.getpid():x}-probe"
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, timeout=IP_TIMEOUT_SECONDS)
        if made.returncode:
            return False
        bridge = ["ip", "-n", name, "link", "add", "probe", "type", "bridge"]
        works = not subprocess.run(bridge, capture_output=True, timeout=IP_TIMEOUT_SECONDS).returncode
        _ip("netns", "del", name)
        return works

    def within(self, host: str) -> list[str]:
        """A command runs in that node's namespace after these words."""
        return ["ip", "netns", "exec", self._namespace(host)]

    def __enter__(self) -> Self:
        _remove_abandoned()
        try:
            _ip("netns", "add", self._middle)
            _ip("-n", self._middle, "link", "add", "bridge", "type", "bridge")
            _ip("-n", self._middle, "link", "set", "bridge", "up")
            _ip("link", "add", self._name, "type", "veth", "peer", "name", "tests", "netns", self._middle)
            _ip("addr", "add", f"{self.host}/24", "dev", self._name)
            _ip("link", "set", self._name, "up")
            _ip("-n", self._middle, "link", "set", "tests", "master", "bridge", "up")
            for n, host in enumerate(self.hosts):
                namespace, cable = self._namespace(host), f"node{n}"
                _ip("netns", "add", namespace)
                _ip(
                    *("-n", self._middle, "link", "add", cable, "type", "veth"),
                    *("peer", "name", "eth0", "netns", namespace),
                )
                _ip("-n", self._middle, "link", "set", cable, "master", "bridge", "up")
                _ip("-n", namespace, "addr", "add", f"{host}/24", "dev", "eth0")
                _ip("-n", namespace, "link", "set", "eth0", "up")
                _ip("-n", namespace, "link", "set", "lo", "up")
                _ip("-n", namespace, "link", "add", "hole", "type", "bridge")
                _ip("-n", namespace, "link", "set", "hole", "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cut(self, host: str, others: Iterable[str]) -> None:
        """What `host` sends to `others` is lost from now on: nodes, or `self.host` for the clients."""
        for other in others:
            if (host, other) not in self._cuts:
                self._cuts.add((host, other))
                in_it = ("-n", self._namespace(host))
                # With a neighbour who is known nobody is asked for, so that no error comes back.
                _ip(*in_it, "neigh", "replace", other, "lladdr", NOBODY, "dev", "hole", "nud", "permanent")
                _ip(*in_it, "route", "add", f"{other}/32", "dev", "hole")

    def mend(self) -> None:
        """Take all cuts back."""
        while self._cuts:
            host, other = self._cuts.pop()
            _ip("-n", self._namespace(host), "route", "del", f"{other}/32", "dev", "hole")

    def close(self) -> None:
        """Take away whatever is there. A namespace lives on as long as the kernel has packets for it to send."""
        for namespace in (*map(self._namespace, self.hosts), self._middle):
            if (_SHARED / namespace).exists():
                _ip("netns", "del", namespace)
        _ip_if_there("link", "del", self._name)

    @property
    def _middle(self) -> str:
        """The namespace of the bridge."""
        return f"{self._name}-middle"

    def _namespace(self, host: str) -> str:
        return f"{self._name}-{host.rpartition('.')[2]}"


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=IP_TIMEOUT_SECONDS)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def _remove_abandoned() -> None:
    """Take away the namespaces of runs that were killed."""
    for path in _SHARED.glob(f"{PREFIX}*-*") if _SHARED.exists() else ():
        owner = re.fullmatch(rf"({PREFIX}([0-9a-f]+))-\w+", path.name)
        if owner is not None and not Path(f"/proc/{int(owner[2], 16)}").exists():
            _ip_if_there("netns", "del", path.name)
            _ip_if_there("link", "del", owner[1])


def _ip_if_there(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, timeout=IP_TIMEOUT_SECONDS)
