"""Every API and version: an error can be put at each place that its answer has for one, and the answer be encoded."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kafkapy.apis import API_MODULES, CONTROLLER_API_MODULES
from kafkapy.apis.served import Api
from kafkapy.bugs import Bugs
from kafkapy.context import Client, NodeContext
from kafkapy.errors import CloseConnection
from kafkapy.faults import Rule
from kafkapy.faults.fault import Fault
from kafkapy.faults.injection import Firing, Injection
from kafkapy.faults.layout import TOP, Layout, layouts_of
from kafkapy.faults.message_fields import find_field
from kafkapy.faults.timers import RealTimers
from kafkapy_controller.image import EMPTY_IMAGE
from kafkapy_wire.api_keys import API_VERSIONS, ApiKey, request_class, response_class
from kafkapy_wire.codec import decode, encode
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.message import Message, Struct, parse_versions
from kafkapy_wire.uuid import Uuid, parse_uuid, uuid_text

SERVED = sorted({**CONTROLLER_API_MODULES, **API_MODULES}.items())
TOPIC_ID = Uuid(bytes(15) + b"\x07")


def filled(struct: type[Struct], version: int) -> Any:
    """With one element in every array, and texts that are not empty."""
    values: dict[str, Any] = {}
    for field in struct.__fields__:
        if version not in parse_versions(field.versions):
            continue
        kind = field.kind
        if isinstance(kind, list):
            element = kind[0]
            values[field.name] = [filled(element, version) if isinstance(element, type) else _simple(str(element))]
        elif isinstance(kind, type):
            values[field.name] = filled(kind, version)
        elif kind in ("string", "uuid", "records"):
            values[field.name] = _simple(kind)
    return struct(**values)


def _simple(kind: str) -> object:
    return {"string": "x", "uuid": TOPIC_ID, "bytes": b"", "records": b""}.get(kind, 0)


def answered(
    api: Api, layout: Layout, rule: dict[str, object], request: Message, done: Message | None = None
) -> Message | None:
    """What a request comes to whose handler answers `done`, else nothing; None: its connection is closed."""
    context = NodeContext(
        cast(Any, SimpleNamespace(node_id=1, metadata=SimpleNamespace(image=EMPTY_IMAGE))), Client("L", "::1", 1, "::1")
    )
    context.api_version = layout.version
    fault = Fault(1, Rule.parse({"sender": "anyone", **rule}))
    met = fault.meet(api.key, request, context)
    assert met is not None, "the rule meets the request"
    injection = Injection(api, request, context, RealTimers(Bugs()), lambda: True)
    injection.add(Firing(fault, *met))
    try:
        response = _result(injection.before())
        if response is None:
            response = done or response_class(api.key)()
        return _result(injection.after(response))
    except CloseConnection:
        return None


def _result(steps: Any) -> Message | None:
    try:
        next(steps)
    except StopIteration as end:
        return cast("Message | None", end.value)
    raise AssertionError("nothing is to be waited for")


def errors_at(layout: Layout, response: Message, place: str) -> list[int]:
    if place == TOP:
        assert layout.top_error is not None
        return [getattr(response, layout.top_error)]
    structs: list[Any] = [response]
    for level in layout.levels:
        assert level.answered is not None
        structs = [entry for struct in structs for entry in getattr(struct, level.answered.name)]
        if level.kind == place:
            assert level.error is not None
            return [getattr(entry, level.error) for entry in structs]
    raise AssertionError(place)


REFUSED_AS_A_WHOLE = {"CreateAcls", "DeleteAcls", "AlterClientQuotas", "AlterUserScramCredentials"}
"""What they answer about has no name of one field, so that no rule selects of it: all of it is refused or nothing."""


@pytest.mark.parametrize("key", [key for key, _ in SERVED if API_VERSIONS[key].message_name in REFUSED_AS_A_WHOLE])
def test_an_error_in_every_entry_of_the_answer(key: ApiKey) -> None:
    api = Api(key, dict(SERVED)[key])
    for layout in layouts_of(key):
        version = layout.version
        request = decode(request_class(key), encode(filled(request_class(key), version), version), version)
        rule: dict[str, object] = {"api": API_VERSIONS[key].message_name, "error": "CLUSTER_AUTHORIZATION_FAILED"}
        with pytest.raises(KafkaError) as caught:
            answered(api, layout, rule, request)
        response = api.error_response(request, caught.value)
        response = decode(response_class(key), encode(response, version), version)
        (entries,) = (value for value in vars_of(response).values() if isinstance(value, list))
        assert {each.error_code for each in entries} == {ErrorCode.CLUSTER_AUTHORIZATION_FAILED}


def vars_of(struct: Struct) -> dict[str, Any]:
    return {field.name: getattr(struct, field.name) for field in struct.__fields__}


@pytest.mark.parametrize(("key", "module"), SERVED, ids=[API_VERSIONS[key].message_name for key, _ in SERVED])
def test_an_error_at_each_place_of_the_answer(key: ApiKey, module: str) -> None:
    api = Api(key, module)
    name = API_VERSIONS[key].message_name
    for layout in layouts_of(key):
        version = layout.version
        request = decode(request_class(key), encode(filled(request_class(key), version), version), version)
        for place in layout.errors_at:
            rule = {
                "api": name,
                "version": version,
                "error": "CLUSTER_AUTHORIZATION_FAILED",
                "at": place,
                "message": "m",
            }
            response = answered(api, layout, rule, request)
            if response is None:
                assert key is ApiKey.PRODUCE, "only acks=0 has no answer"
                continue
            response = decode(response_class(key), encode(response, version), version)
            codes = errors_at(layout, response, place)
            assert set(codes) <= {ErrorCode.CLUSTER_AUTHORIZATION_FAILED}, (version, place)
            depth = layout.depth_of(place)
            assert codes or depth > layout.requested_depth, f"{name} v{version} at {place}: the entry is in the answer"


def test_the_fields_that_select_something_of_each_api() -> None:
    """Whoever adds an API sees what rules can select of it."""
    found = {}
    for key, _ in SERVED:
        layout = layouts_of(key)[-1]
        kinds = [kind for kind, _ in layout.asked]
        found[API_VERSIONS[key].message_name] = (sorted(layout.given_once), kinds, list(layout.errors_at))
    assert found["Produce"] == (["transactional_id"], ["topic", "partition"], ["partition"])
    assert found["Fetch"] == ([], ["topic", "partition"], ["top", "partition"])
    assert found["Metadata"] == ([], ["topic"], ["top", "topic", "partition"])
    assert found["OffsetFetch"] == ([], ["group", "topic", "partition"], ["group", "partition"])
    assert found["TxnOffsetCommit"] == (["group", "member", "transactional_id"], ["topic", "partition"], ["partition"])
    assert found["LeaveGroup"] == (["group"], ["member"], ["top", "member"])
    assert found["AddPartitionsToTxn"] == ([], ["transactional_id", "topic", "partition"], ["top", "partition"])
    assert found["WriteTxnMarkers"] == ([], ["producer", "topic", "partition"], ["partition"])
    assert found["FindCoordinator"] == ([], ["key"], ["key"])
    assert found["DescribeConfigs"] == ([], ["resource"], ["resource"])
    assert found["DeleteGroups"] == ([], ["group"], ["group"])
    assert found["JoinGroup"] == (["group", "member"], [], ["top"])
    without_place = {name for name, (_, _, places) in found.items() if not places}
    assert without_place == REFUSED_AS_A_WHOLE


def leaves(struct: type[Struct], version: int, above: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of an answer that have no fields of their own, by path, with a value to write into each."""
    for field in struct.__fields__:
        if version not in parse_versions(field.versions):
            continue
        path = above + field.json_name
        kind: Any = field.kind[0] if isinstance(field.kind, list) else field.kind
        if isinstance(kind, type):
            yield from leaves(kind, version, path + ".")
        elif kind not in ("records", "bytes"):
            value = {"string": "new", "uuid": uuid_text(TOPIC_ID), "bool": True, "float64": 1.5}.get(kind, 7)
            yield path, [value] if isinstance(field.kind, list) else value


@pytest.mark.parametrize(("key", "module"), SERVED, ids=[API_VERSIONS[key].message_name for key, _ in SERVED])
def test_every_field_of_an_answer_can_be_edited(key: ApiKey, module: str) -> None:
    api = Api(key, module)
    for layout in layouts_of(key):
        version = layout.version
        request = decode(request_class(key), encode(filled(request_class(key), version), version), version)
        edits = dict(leaves(response_class(key), version))
        rule: dict[str, object] = {"api": API_VERSIONS[key].message_name, "version": version, "edit": edits}
        whole = filled(response_class(key), version)
        response = answered(api, layout, rule, request, whole)
        assert response is not None
        again = decode(response_class(key), encode(response, version), version)
        for path, value in edits.items():
            field_path = find_field("edit", path, response_class(key))
            found = list(field_path.values(again))
            wanted = value[0] if isinstance(value, list) else value
            assert found == [parse_uuid(wanted) if found[0].__class__ is bytes else wanted], (version, path)
