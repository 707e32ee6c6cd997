"""Tasks of simulated processes: what the shells of a node use of trio, on an event queue instead of a clock.

The decisions of kafkapy are sans-IO, but what lies between two awaits of a shell is where two of them meet: so the
shells run here as they are. Within `in_place_of_trio` their modules find this module under the name `trio`. It has what
they use, with trio's semantics, but for one point: a process that is killed ends without running another line.

A process runs whenever an event of the queue reaches it, until all its tasks wait. A paused process runs nothing; what
reaches it meanwhile is done when it goes on.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace, TracebackType, coroutine
from typing import Any, Self, TypeVar
from unittest.mock import patch

import trio as real_trio

import kafkapy
from kafkapy.clock import Timer, TimerHeap
from tests.simulation.environment import EventQueue

T = TypeVar("T")

EPOCH_MS = 1_700_000_000_000
"""What a node's wall clock shows at the beginning."""
ROOMS = (
    "apis", "coordinators", "fetching", "metadata", "node", "partitions", "peers", "producing", "replication",
    "housekeeping", "pending",
)  # fmt: skip
TURN_SECONDS = 1e9
"""A turn of the event loop is measured in real time, which has no part in a simulation: none ever ends."""

_running: list[Task] = []


class Cancelled(BaseException):
    """Raised in a task whose `CancelScope` was cancelled."""

    def __init__(self, scope: CancelScope) -> None:
        super().__init__()
        self.scope = scope


class Process:
    """The tasks of one process, its clock, and what happens to it. `generation` counts the processes of a node."""

    def __init__(self, queue: EventQueue) -> None:
        self.queue = queue
        self.generation = 0
        self.is_running = False
        self.is_paused = False
        self.is_touched = False
        """Whether it has done something since the auditor has looked."""
        self.clock = SimulatedClock(self)
        self.thread_ms: Callable[[], int] = lambda: 1
        """How long the next piece of work of a worker thread takes."""
        self._ready: deque[Task] = deque()
        self._tasks: dict[Task, None] = {}
        self._held: list[Callable[[], object]] = []

    def boot(self) -> None:
        """Begin a new process."""
        assert not self.is_running
        self.generation += 1
        self.is_running = True
        self.is_paused = False

    def halt(self) -> None:
        """The process ends at once: none of its tasks runs another line."""
        self.is_running = False
        self.generation += 1
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task.drop()
        self._tasks.clear()
        self._held.clear()
        self._ready.clear()
        self.clock.stop()

    def resume(self) -> None:
        if not self.is_paused:
            return
        self.is_paused = False
        held, self._held = self._held, []
        for act in held:
            self.do(act)
        self.run_ready()

    def do(self, act: Callable[[], object]) -> None:
        """Have the process do `act`, and all that comes of it. Ignored if it does not run."""
        if not self.is_running:
            return
        if self.is_paused:
            self._held.append(act)
            return
        self.is_touched = True
        act()
        self.run_ready()

    def soon(self, delay_ms: int, act: Callable[[], object]) -> None:
        """Have the process do `act` after a while, if it is still the same process."""
        generation = self.generation

        def due() -> None:
            if generation == self.generation:
                self.do(act)

        self.queue.after(delay_ms, due)

    def spawn(self, work: Coroutine[Any, Any, Any], nursery: Nursery | None = None) -> Task:
        task = Task(self, work, nursery)
        self._tasks[task] = None
        self._ready.append(task)
        return task

    def run_ready(self) -> None:
        while self._ready and self.is_running and not self.is_paused:
            self._ready.popleft().step()

    def ready(self, task: Task) -> None:
        self._ready.append(task)

    def ended(self, task: Task) -> None:
        self._tasks.pop(task, None)


class Task:
    """A coroutine that runs in turns with the others of its process."""

    def __init__(self, process: Process, work: Coroutine[Any, Any, Any], nursery: Nursery | None) -> None:
        self.process = process
        self.scopes: list[CancelScope] = []
        self._work = work
        self._nursery = nursery
        self._is_waiting = False
        self._error: Cancelled | None = None

    def step(self) -> None:
        error, self._error = self._error, None
        _running.append(self)
        try:
            if error is None:
                self._work.send(None)
            else:
                self._work.throw(error)
        except StopIteration:
            self._end()
        except Cancelled as cancelled:
            if self._nursery is None or cancelled.scope is not self._nursery.cancel_scope:
                raise
            self._end()
        finally:
            _running.pop()

    def _end(self) -> None:
        self.process.ended(self)
        if self._nursery is not None:
            self._nursery.child_ended(self)

    def drop(self) -> None:
        """Close the coroutine without letting it run: what it does when it is closed reaches nobody."""
        self._is_waiting = False
        _running.append(self)
        try:
            self._work.close()
        except (RuntimeError, ValueError, AssertionError):
            pass  # it awaited again, or was running
        finally:
            _running.pop()

    def wake(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self.process.ready(self)

    def cancel(self, scope: CancelScope) -> None:
        if self._is_waiting and self._cancelled_scope() is not None:
            self._is_waiting = False
            self._error = Cancelled(scope)
            self.process.ready(self)

    def _cancelled_scope(self) -> CancelScope | None:
        found = None
        for scope in reversed(self.scopes):
            if scope.is_cancelled:
                found = scope
            if scope.shield:
                return found
        if self._nursery is not None and self._nursery.cancel_scope.is_cancelled:
            mine: CancelScope = self._nursery.cancel_scope
            return mine
        return found

    def begin_to_wait(self) -> None:
        scope = self._cancelled_scope()
        if scope is not None:
            raise Cancelled(scope)
        self._is_waiting = True


def current_task() -> Task:
    return _running[-1]


def running_process() -> Process | None:
    """The process that runs now, if a task of one does."""
    return _running[-1].process if _running else None


@coroutine
def _wait() -> Generator[None, None, None]:
    """Until the task is woken."""
    current_task().begin_to_wait()
    yield


class Event:
    def __init__(self) -> None:
        self._is_set = False
        self._waiting: dict[Task, None] = {}

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        if not self._is_set:
            self._is_set = True
            waiting, self._waiting = self._waiting, {}
            for task in waiting:
                task.wake()

    async def wait(self) -> None:
        while not self._is_set:
            task = current_task()
            self._waiting[task] = None
            try:
                await _wait()
            finally:
                self._waiting.pop(task, None)

    async def wait_until(self, over: Event) -> bool:
        """Wait for this or the other event; whether this one is set."""
        task = current_task()
        while not (self._is_set or over._is_set):
            self._waiting[task] = over._waiting[task] = None
            try:
                await _wait()
            finally:
                self._waiting.pop(task, None)
                over._waiting.pop(task, None)
        return self._is_set


class Lock:
    def __init__(self) -> None:
        self._is_held = False
        self._waiting: deque[Event] = deque()

    async def __aenter__(self) -> None:
        while self._is_held:
            mine = Event()
            self._waiting.append(mine)
            try:
                await mine.wait()
            finally:
                if mine in self._waiting:
                    self._waiting.remove(mine)
        self._is_held = True

    async def __aexit__(self, *_: object) -> None:
        self._is_held = False
        if self._waiting:
            self._waiting.popleft().set()


class CancelScope:
    def __init__(self, *, shield: bool = False, timeout_ms: float | None = None) -> None:
        self.shield = shield
        self.is_cancelled = False
        self.cancelled_caught = False
        self._timeout_ms = timeout_ms
        self._task: Task | None = None
        self._timer: Timer | None = None

    def __enter__(self) -> Self:
        self._task = task = current_task()
        task.scopes.append(self)
        if self._timeout_ms is not None:
            self._timer = task.process.clock.call_later(self._timeout_ms, self.cancel)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        assert self._task is not None
        self._task.scopes.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        self.cancelled_caught = isinstance(error, Cancelled) and error.scope is self
        return self.cancelled_caught

    def cancel(self) -> None:
        self.is_cancelled = True
        if self._task is not None:
            self._task.cancel(self)


def move_on_after(seconds: float) -> CancelScope:
    return CancelScope(timeout_ms=seconds * 1_000)


class NurseryScope:
    """Of a nursery: it cancels the children. That who opened it is cancelled, too, nobody here relies on."""

    shield = False

    def __init__(self, nursery: Nursery) -> None:
        self.is_cancelled = False
        self._nursery = nursery

    def cancel(self) -> None:
        self.is_cancelled = True
        for child in list(self._nursery.children):
            child.cancel(self)  # type: ignore[arg-type]


class Nursery:
    def __init__(self, process: Process) -> None:
        self.cancel_scope: Any = NurseryScope(self)
        self.children: dict[Task, None] = {}
        self._process = process
        self._is_empty = Event()

    def start_soon(self, work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> None:
        self.children[self._process.spawn(work(*arguments), self)] = None

    def child_ended(self, task: Task) -> None:
        self.children.pop(task, None)
        if not self.children:
            self._is_empty.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.cancel_scope.cancel()
            return
        while self.children:
            self._is_empty = Event()
            await self._is_empty.wait()


def open_nursery() -> Nursery:
    return Nursery(current_task().process)


async def sleep_forever() -> None:
    await Event().wait()


async def _checkpoint() -> None:
    """Others may run: here they run whenever a task waits, and no sooner."""


async def _run_sync(work: Callable[..., T], *arguments: Any, **_: Any) -> T:
    """Work of a worker thread: it takes its time, and is done at the end of it, unless the process is killed before."""
    process = current_task().process
    await process.clock.sleep(process.thread_ms())
    return work(*arguments)


to_thread = SimpleNamespace(run_sync=_run_sync)
lowlevel = SimpleNamespace(checkpoint=_checkpoint)
TASK_STATUS_IGNORED = real_trio.TASK_STATUS_IGNORED


class SimulatedClock:
    """A node's clocks: the monotonic one may go fast or slow, the wall clock may leap, too. Fulfils `Clock`."""

    def __init__(self, process: Process) -> None:
        self.bugs: Any = None
        self._process = process
        self._timers = TimerHeap()
        self._in_turn: deque[Timer] = deque()
        self._armed_ms: int | None = None
        self._set = (0.0, 0)  # what the monotonic clock showed at which simulated time
        self._rate = 1.0
        self._wall_offset_ms = EPOCH_MS

    def turn(self, *, rate: float, wall_leap_ms: int) -> None:
        """From now on the clock goes at this rate; the wall clock leaps, perhaps back."""
        self._set = (self.monotonic_ms(), self._process.queue.now_ms)
        self._rate = rate
        self._wall_offset_ms += wall_leap_ms
        self._armed_ms = None
        self._arm()

    def now_ms(self) -> int:
        return int(self.monotonic_ms()) + self._wall_offset_ms

    def monotonic_ms(self) -> float:
        shown_ms, at_ms = self._set
        return shown_ms + (self._process.queue.now_ms - at_ms) * self._rate

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        timer = self._timers.add(self.monotonic_ms() + delay_ms, callback)
        self._arm()
        return timer

    def call_in_turn(self, callback: Callable[[], None]) -> Timer:
        timer = Timer(0.0, callback, None)
        self._in_turn.append(timer)
        self._process.soon(0, self._go_on)
        return timer

    def _go_on(self) -> None:
        if self._in_turn:
            callback = self._in_turn.popleft().take_callback()
            if callback is not None:
                callback()

    async def wait(self, event: Event, timeout_ms: float) -> bool:
        over = Event()
        timer = self.call_later(timeout_ms, over.set)
        try:
            return await event.wait_until(over)
        finally:
            timer.cancel()

    async def sleep(self, delay_ms: float) -> None:
        over = Event()
        timer = self.call_later(delay_ms, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def stop(self) -> None:
        """The process has ended, and its timers with it."""
        self._timers = TimerHeap()
        self._in_turn.clear()
        self._armed_ms = None

    def _arm(self) -> None:
        """Have the queue call when the first timer is due."""
        self._timers.drop_cancelled()
        deadline_ms = self._timers.next_deadline_ms
        if deadline_ms is None:
            return
        now_ms = self._process.queue.now_ms
        at_ms = now_ms + max(int((deadline_ms - self.monotonic_ms()) / self._rate) + 1, 1)
        if self._armed_ms is not None and now_ms < self._armed_ms <= at_ms:
            return
        self._armed_ms = at_ms

        def due() -> None:
            if self._armed_ms == at_ms:
                self._armed_ms = None
                self._fire()

        self._process.soon(at_ms - now_ms, due)

    def _fire(self) -> None:
        for timer in self._timers.take_due(self.monotonic_ms()):
            callback = timer.take_callback()
            if callback is not None:
                callback()
        self._arm()

    def advance(self, milliseconds: int) -> None:
        raise AssertionError("simulated time passes by events")

    def release(self) -> None:
        """Nothing stands still."""

    async def run(self) -> None:
        await sleep_forever()


def _modules() -> list[Any]:
    for room in ROOMS:
        module = importlib.import_module(f"kafkapy.{room}")
        if hasattr(module, "__path__"):
            for found in pkgutil.walk_packages(module.__path__, f"kafkapy.{room}."):
                importlib.import_module(found.name)
    assert kafkapy.__path__
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith(tuple(f"kafkapy.{room}" for room in ROOMS)) and getattr(module, "trio", None) is real_trio
    ]


_found: list[Any] = []


@contextmanager
def in_place_of_trio() -> Iterator[None]:
    """Within it the shells of nodes run on simulated processes."""
    if not _found:
        _found.extend(_modules())
    with ExitStack() as stack:
        me = sys.modules[__name__]
        for module in _found:
            stack.enter_context(patch.object(module, "trio", me))
        stack.enter_context(patch("kafkapy.turns.TURN_SECONDS", TURN_SECONDS))
        yield
