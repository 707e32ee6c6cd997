"""Tests that are `async def` run under trio; those that ask for `lab` get a group coordinator without a broker."""

from __future__ import annotations

from inspect import iscoroutinefunction

import pytest
import trio

from tests.coordinators.group_lab import GROUP, GroupLab


@pytest.fixture
def lab() -> GroupLab:
    return GroupLab()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.obj
    if not iscoroutinefunction(test):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run() -> BaseException | None:
        async with trio.open_nursery() as nursery:
            for argument in arguments.values():
                if isinstance(argument, GroupLab):
                    argument.start(nursery)
                    await argument.groups.when_ready(GROUP).wait()
            try:
                await test(**arguments)
            except Exception as failure:  # raised outside: a nursery would hide it in a group
                return failure
            finally:
                nursery.cancel_scope.cancel()
        return None

    failure = trio.run(run)
    if failure is not None:
        raise failure
    return True
