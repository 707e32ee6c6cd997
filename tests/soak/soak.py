"""A soak: all kinds of work at once, for as long as is asked, while the broker's memory and descriptors are noted."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import trio

from tests.soak.asking import administrator
from tests.soak.broker import SETTINGS, Broker, Usage
from tests.soak.churning import record_deleter, short_lived_topic
from tests.soak.connecting import short_connection
from tests.soak.consuming import consumer, patient_consumer
from tests.soak.grouping import group_member, lone_committer
from tests.soak.growth import MEGABYTE, Sample, descriptors_left, left_behind
from tests.soak.producing import idempotent_producer, plain_producer
from tests.soak.records import some_batch
from tests.soak.transacting import transactional_producer
from tests.soak.world import EVENTS, LEDGER, PARTITION_COUNTS, TABLE, World

LIFE_SECONDS_MAX = 120
AFTER_ERROR_SECONDS = 0.2
REFUSAL_CHARACTERS = 300
REST_SECONDS_MAX = 15
REST_CHECK_SECONDS = 0.5

Life = Callable[[World], Awaitable[None]]

KINDS: Mapping[str, tuple[tuple[Life, int], ...]] = {
    "producers": ((plain_producer, 2), (idempotent_producer, 2)),
    "transactions": ((transactional_producer, 4),),
    "consumers": ((consumer, 5), (patient_consumer, 1)),
    "groups": ((group_member, 10), (lone_committer, 1)),
    "topics": ((short_lived_topic, 2), (record_deleter, 1)),
    "connections": ((short_connection, 2),),
    "questions": ((administrator, 1),),
}
"""Kind of work -> who does it, and how many of each at the same time."""


class Plan(NamedTuple):
    """What to do. Times are in seconds; `settle_seconds` is how long work rests before objects are counted."""

    seconds: float
    report_seconds: float
    seed: int = 0
    kinds: Iterable[str] = tuple(KINDS)
    busy_share: float = 0.6
    """Of one core that the broker is to use."""
    settings: Mapping[str, str] = SETTINGS
    counts_heap: bool = False
    traced_frames: int = 0
    settle_seconds: float = 0.0


class Outcome(NamedTuple):
    """`at_rest` has the usage before and after all work."""

    samples: list[Sample]
    at_rest: tuple[Usage, Usage]
    done: Counter[str]
    expected_errors: Counter[str]
    unexpected_errors: Counter[str]


def soak(plan: Plan, report: Callable[[str], None]) -> Outcome:
    """Run the plan on a broker of its own. Raises BrokerFailed."""
    with tempfile.TemporaryDirectory(prefix="kafkapy-soak-") as directory:
        broker = Broker(
            Path(directory), watched=plan.counts_heap, traced_frames=plan.traced_frames, settings=plan.settings
        )
        with broker:
            outcome = trio.run(_Soak(plan, broker, report).run)
            broker.check()
        return outcome


class _Soak:
    def __init__(self, plan: Plan, broker: Broker, report: Callable[[str], None]) -> None:
        self._plan = plan
        self._broker = broker
        self._report = report
        self._world = World(broker.port, seed=plan.seed, busy_share=plan.busy_share)
        self._samples: list[Sample] = []
        self._started = 0.0

    async def run(self) -> Outcome:
        await self._make_topics()
        before = self._broker.usage()
        self._started = trio.current_time()
        if self._plan.counts_heap:
            await self._work_and_count()
        else:
            await self._work(self._plan.seconds)
        after = await self._come_to_rest(before)
        tally = self._world.tally
        return Outcome(self._samples, (before, after), tally.done, tally.expected, tally.unexpected)

    async def _come_to_rest(self, before: Usage) -> Usage:
        """Wait for the broker to be done with clients that are gone: one that waits for records hears of them first."""
        with trio.move_on_after(REST_SECONDS_MAX):
            while True:
                async with self._world.connect() as client:
                    for topic, count in PARTITION_COUNTS.items():
                        for partition in range(count):
                            await client.produce_batch(topic, some_batch(self._world.random)[0], partition)
                await trio.sleep(REST_CHECK_SECONDS)
                usage = self._broker.usage()
                if not descriptors_left(before, usage):
                    return usage
        return self._broker.usage()

    async def _make_topics(self) -> None:
        async with self._world.connect() as client:
            await client.create_topic(EVENTS, PARTITION_COUNTS[EVENTS])
            await client.create_topic(TABLE, PARTITION_COUNTS[TABLE], cleanup_policy="compact")
            await client.create_topic(LEDGER, PARTITION_COUNTS[LEDGER])

    async def _work_and_count(self) -> None:
        """Warm up for a third, then count objects before and after the rest. Both times what expires has expired."""
        await self._work(self._plan.seconds / 3)
        await trio.sleep(self._plan.settle_seconds)
        before, done_before = await trio.to_thread.run_sync(self._broker.heap), Counter(self._world.tally.done)
        await self._work(self._plan.seconds * 2 / 3)
        await trio.sleep(self._plan.settle_seconds)
        after = await trio.to_thread.run_sync(self._broker.heap)
        for line in left_behind(before, after, self._world.tally.done - done_before):
            self._report(line)

    async def _work(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._world.pace.govern, lambda: self._broker.usage().cpu_seconds)
                for kind in self._plan.kinds:
                    for life, count in KINDS[kind]:
                        for _ in range(count):
                            nursery.start_soon(self._repeat, kind, life)
                await self._take_samples()

    async def _take_samples(self) -> None:
        while True:
            self._broker.check()
            sample = Sample(trio.current_time() - self._started, self._broker.usage())
            self._samples.append(sample)
            self._report(self._line(sample))
            await trio.sleep(self._plan.report_seconds)

    async def _repeat(self, kind: str, life: Life) -> None:
        """One life after the other, until cancelled."""
        while True:
            try:
                with trio.fail_after(LIFE_SECONDS_MAX):
                    await life(self._world)
            except trio.TooSlowError:
                self._world.tally.wrong(kind, f"not done in {LIFE_SECONDS_MAX} s")
            except (OSError, EOFError, trio.BrokenResourceError) as error:
                self._world.tally.wrong(kind, f"the broker hung up ({error!r})")
                await trio.sleep(AFTER_ERROR_SECONDS)
            except AssertionError as refusal:  # of the client: an error in the answer to a request made in passing
                self._world.tally.wrong(kind, str(refusal)[:REFUSAL_CHARACTERS])
                await trio.sleep(AFTER_ERROR_SECONDS)

    def _line(self, sample: Sample) -> str:
        usage, tally = sample.usage, self._world.tally
        counts = ", ".join(f"{count} {what}" for what, count in sorted(tally.done.items()))
        return (
            f"{sample.seconds:6.0f} s  {usage.rss_bytes / MEGABYTE:6.1f} MB ({usage.anonymous_bytes / MEGABYTE:.1f} "
            f"anonymous)  {usage.descriptors} fds  {usage.threads} threads  {usage.cpu_seconds:.1f} CPU s  {counts}"
            f"; {tally.expected.total()} expected and {tally.unexpected.total()} unexpected errors"
        )
