"""`AsyncAsking`: `Asking`, awaited, under trio and asyncio. Made from asking.py by generate.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from kafkapy.control.arguments import check_arguments
from kafkapy.control.operations import NAMES
from kafkapy.testing.awaiting import result_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kafkapy.control.nodes import ControlledNodes
    from kafkapy.testing.running import Running

P = ParamSpec("P")
T = TypeVar("T")


class AsyncAsking:
    """A cluster that is asked while it runs."""

    def __init__(self) -> None:
        self._running: Running | None = None

    async def _call(
        self, operation: Callable[Concatenate[ControlledNodes, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        __tracebackhide__ = True
        name = NAMES[operation]
        check_arguments(name, args, kwargs)
        result: T = await result_of(self._run.submit(name, *args, **kwargs), self._run)
        return result

    @property
    def _run(self) -> Running:
        if self._running is None:
            raise RuntimeError("the Kafka does not run: use it within its `async with` block")
        return self._running
