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

VARIANTS = (1, 0), (0, 0), (0, 1), (0, 2), (1, 1), (1, 2)
"""How many elements lists have, and the number of a kind, such as that of a coordinator."""


@pytest.mark.parametrize("settings", [{}, AUTHORIZER, OPEN], ids=["no authorizer", "nothing is allowed", "open"])
def test_what_names_nothing_is_answered(tmp_path: Path, settings: dict[str, str]) -> None:
    @trio_test
    async def run() -> None:
        async with running_node(tmp_path, settings) as node:
            for key in API_MODULES:
                versions = API_VERSIONS[key].min_version, API_VERSIONS[key].max_version
                for version in range(versions[0], versions[1] + 1):
                    for of_lists, number in VARIANTS if version in versions else VARIANTS[:1]:
                        async with connect(node) as client:
                            await ask_for_nothing(client, key, version, of_lists, number)
                            await trio.testing.wait_all_tasks_blocked()
                        assert not node.bugs.kept, (key, version, of_lists, number)

    run()


async def ask_for_nothing(client: Client, key: ApiKey, version: int, of_lists: int, number: int) -> None:
    request = request_class(key)()
    leave_out(request, version, version in request.__schema__.flexible_versions, of_lists, number)
    await client.stream.send_all(client.frame(request, version))


def leave_out(struct: Struct, version: int, flexible: bool, of_lists: int, number: int) -> None:
    """Null is what may be null. Lists have so many elements, in which the same is left out; kinds are `number`."""
    for field in struct.__fields__:
        plan = FieldPlan(field, version, flexible)
        if not plan.present:
            continue
        if plan.nullable:
            setattr(struct, field.name, None)
        elif plan.is_array and not isinstance(plan.element, str):
            elements = [plan.element() for _ in range(of_lists)]
            for element in elements:
                leave_out(element, version, flexible, of_lists, number)
            setattr(struct, field.name, elements)
        elif field.kind == "int8":
            setattr(struct, field.name, number)
