"""Requests that leave out whatever may be left out: each API answers, with an authorizer and without one."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from kafkapy.apis import API_MODULES
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class
from kafkapy_wire.emit import FieldPlan
from kafkapy_wire.message import Struct
from tests.apis.test_authorization import AUTHORIZER, OPEN
from tests.shell.running_node import Client, connect, running_node, trio_test


@pytest.mark.parametrize("settings", [{}, AUTHORIZER, OPEN], ids=["no authorizer", "nothing is allowed", "open"])
def test_what_names_nothing_is_answered(tmp_path: Path, settings: dict[str, str]) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, settings) as node:
            for key in API_MODULES:
                for version in range(API_VERSIONS[key].min_version, API_VERSIONS[key].max_version + 1):
                    async with connect(node) as client:
                        await ask_for_nothing(client, key, version)
                        await trio.testing.wait_all_tasks_blocked()
                    assert not node.bugs.kept, (key, version)

    run()


async def ask_for_nothing(client: Client, key: ApiKey, version: int) -> None:
    request = request_class(key)()
    leave_out(request, version, version in request.__schema__.flexible_versions)
    await client.stream.send_all(client.frame(request, version))


def leave_out(struct: Struct, version: int, flexible: bool) -> None:
    """Null is what may be null. Lists have one element, in which the same is left out."""
    for field in struct.__fields__:
        plan = FieldPlan(field, version, flexible)
        if not plan.present:
            continue
        if plan.nullable:
            setattr(struct, field.name, None)
        elif plan.is_array and not isinstance(plan.element, str):
            element = plan.element()
            leave_out(element, version, flexible)
            setattr(struct, field.name, [element])
