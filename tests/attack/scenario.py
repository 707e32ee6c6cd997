"""What a scenario is, and one run of it: a broker of its own, the attack, and an honest client beside it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.attack.attacker import Attacker, Login
from tests.attack.honest import HonestClient, Waits
from tests.soak.broker import Broker

STANDARD_SETTINGS: Mapping[str, str] = {
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
}


class Ground(NamedTuple):
    """What an attack has to work with. `scale` is 1 in the long form and a part of it in the short one."""

    broker: Broker
    scale: float
    directory: Path
    attackers: list[Attacker]
    """All that were made; they are closed in the end."""

    def attacker(
        self, client_id: str | None = "attacker", *, listener: str | None = None, login: Login | None = None
    ) -> Attacker:
        """`listener`: of this name, else the first one."""
        port = self.broker.port if listener is None else self.broker.port_of(listener)
        attacker = Attacker(port, client_id, login)
        self.attackers.append(attacker)
        return attacker

    def scaled(self, count: int) -> int:
        return max(1, int(count * self.scale))


@dataclass(frozen=True)
class Scenario:
    """One kind of attack. The bounds are those of the short form, which runs with every change.

    `cpu_seconds_max` is the broker's, from when it listens until the attack is over and it has stopped serving it;
    `memory_mb_max` its peak. `log_kb_max` is what it may have written to its log.
    """

    name: str
    says: str
    attack: Callable[[Ground], None]
    cpu_seconds_max: float
    memory_mb_max: float
    log_kb_max: float = 20
    settings: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "warning"
    around: Callable[[], AbstractContextManager[Mapping[str, str]]] = lambda: nullcontext({})
    """What the broker needs beside it, as long as it runs; gives further settings."""
    honest: Callable[[], Login | None] = lambda: None
    """How the honest client logs in at the first listener."""


class Outcome(NamedTuple):
    waits: Waits
    cpu_seconds: float
    peak_mb: float
    log_kb: float


def run(scenario: Scenario, scale: float) -> Outcome:
    """Raises BrokerFailed: the broker has ended, printed a traceback, or does not stop."""
    with tempfile.TemporaryDirectory(prefix="kafkapy-attack-") as name, scenario.around() as needed:
        directory = Path(name)
        settings = {**STANDARD_SETTINGS, **needed, **scenario.settings}
        login = scenario.honest()
        with Broker(directory, settings=settings, log_level=scenario.log_level) as broker:
            begun = broker.usage()
            ground = Ground(broker, scale, directory, [])
            try:
                with HonestClient(broker.port, login) as honest:
                    scenario.attack(ground)
            finally:
                for attacker in ground.attackers:
                    attacker.close()
            ended = broker.usage()
            peak = peak_mb(broker)
            broker.check()
            served = Attacker(broker.port, login=login)  # it still lets people in
            served.create_topic("after-all")
            served.close()
        return Outcome(honest.waits, ended.cpu_seconds - begun.cpu_seconds, peak, len(broker.output().encode()) / 1_000)


def peak_mb(broker: Broker) -> float:
    status = Path(f"/proc/{broker.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None, status
    return int(found[1]) / 1_000
