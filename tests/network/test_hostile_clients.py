"""Nothing that clients send makes the node fail; the programs of `tests/fuzz` do the same for as long as asked."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkapy.apis import API_MODULES
from kafkapy_wire.api_keys import API_VERSIONS, request_header_version
from kafkapy_wire.codec import encode
from kafkapy_wire.messages.request_header import RequestHeader
from tests.fuzz import fuzz_broker, fuzz_handshakes
from tests.fuzz.rounds import InternalErrors
from tests.shell.running_node import connect, running_node, trio_test

FRAMES_AT_ONCE_MAX = 4


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


@st.composite
def frames_with_a_header(draw: st.DrawFn) -> bytes:
    """An API key and a version that are served, and any body."""
    key = draw(st.sampled_from(list(API_MODULES)))
    version = draw(st.integers(API_VERSIONS[key].min_version, API_VERSIONS[key].max_version))
    header = RequestHeader(
        request_api_key=key,
        request_api_version=version,
        correlation_id=draw(st.integers(-(2**31), 2**31 - 1)),
        client_id=draw(st.none() | st.text(max_size=5)),
    )
    return framed(encode(header, request_header_version(key, version)) + draw(st.binary(max_size=60)))


BYTES = st.lists(
    st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(framed), frames_with_a_header()),
    min_size=1,
    max_size=FRAMES_AT_ONCE_MAX,
)


@given(st.lists(BYTES, min_size=1, max_size=5))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_any_bytes_leave_the_node_as_it_was(connections: list[list[bytes]]) -> None:
    errors = InternalErrors()

    @trio_test
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with running_node(Path(directory)) as node:
                for pieces in connections:
                    async with connect(node) as odd:
                        await odd.stream.send_all(b"".join(pieces))
                        await odd.stream.send_eof()
                        with trio.move_on_after(1):
                            while not await odd.closed_by_broker():
                                pass
                async with connect(node) as honest:
                    await fuzz_broker.check(honest, "honest")

    with errors.listening():
        run()
    assert not errors.seen


def test_odd_requests_of_every_api(tmp_path: Path) -> None:
    assert trio.run(fuzz_broker.run, 2_026, 60, time.monotonic() + 60, tmp_path) == 60


def test_odd_requests_of_every_api_by_clients_with_some_rights(tmp_path: Path) -> None:
    assert trio.run(fuzz_broker.run, 2_026, 20, time.monotonic() + 60, tmp_path, fuzz_broker.SECURED) == 20


def test_odd_handshakes_and_logins(tmp_path: Path) -> None:
    pytest.importorskip("jwt")
    assert trio.run(fuzz_handshakes.run, 2_026, 8, time.monotonic() + 60, tmp_path) == 8
