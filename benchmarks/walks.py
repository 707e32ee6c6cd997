"""How many Python functions a request passes on its way through the broker: `python -m benchmarks.walks`.

The broker runs in this process and without fsync, its client in another thread. `sys.setprofile` reports, on the
broker's thread, every Python function, method and comprehension that is entered and every coroutine or generator that
is resumed: its `call` events, one each. Functions written in C are not counted, what they call in Python is, whatever
package it belongs to (trio, the standard library, codecs compiled from text).

Counted, as `all`, is what lies between the return of the `recv` that brought the request and the last `send` or
`sendfile` of its answer. What wakes the broker is counted apart, as `wake`: from the return of the `poll` that the
request ended to that `recv`.

One request is under way at a time, on the only connection, in steady state: each walk is taken SAMPLE_COUNT times
after as many that only warm up, and the one of middle length counts. So what comes round less often (an index entry
each 4 kB, a background task) is left out. Nothing is created but the group. A static member joins, since it needs one
request only: any other is first told its member id (KIP-394).
"""

from __future__ import annotations

import argparse
import itertools
import logging
import socket
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

import trio

from benchmarks.raw_client import (
    ACKS_LEADER,
    FETCH_VERSION,
    Address,
    Connection,
    UnexpectedAnswer,
    ask_api_versions,
    decode_answer,
    one_record_batch,
    produce_request,
    produce_version,
    ready_topic,
    request_frame,
)
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from kafkapy_wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from kafkapy_wire.messages.produce import ProduceResponse
from kafkapy_wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse

SAMPLE_COUNT = 15
TIMEOUT_SECONDS = 30.0
TOPIC = "walks"
FIND_COORDINATOR_VERSION = 4
JOIN_GROUP_VERSION = 9
SYNC_GROUP_VERSION = 5
RECEIVES = frozenset({"recv", "recv_into", "recvmsg", "recvmsg_into"})
SENDS = frozenset({"send", "sendall", "sendmsg", "sendfile"})
PACKAGES = ("kafkapy", "kafkapy_wire", "kafkapy_log", "kafkapy_controller", "trio")
OTHERS = "others"

SUBSCRIPTION = b"\x00\x01" + b"\x00\x00\x00\x01\x00\x05walks" + b"\xff\xff\xff\xff" + bytes(4)  # of a consumer, v1

M = TypeVar("M", bound=Message)
Step = tuple[str, str]  # package, and "module:function"


@asynccontextmanager
async def _broker() -> AsyncIterator[Address]:
    """A broker in this process and thread, its data in a directory that goes with it."""
    from kafkapy.node import Node
    from kafkapy.settings import Settings

    with tempfile.TemporaryDirectory(prefix="kafkapy-walks-") as directory:
        # One partition of __consumer_offsets: the group that warms up has opened it for the next one.
        settings = Settings({"listeners": "PLAINTEXT://127.0.0.1:0", "offsets.topic.num.partitions": "1"})
        async with Node(settings, Path(directory), durable=False).started() as node:
            yield ("127.0.0.1", node.settings.now.advertised_listeners[0].port)


@dataclass(frozen=True, slots=True)
class Walk:
    """What the broker passed for one request, in order."""

    wake: list[Step]
    request: list[Step]


class Recorder:
    """Follows the broker's thread, on which it is started; `expect()` and `walk()` are for the client's."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._steps: list[Step] = []
        self._polling = threading.Event()
        self._waking = self._receiving = False
        self._received_at = self._sent_at = 0  # how many steps had been taken

    def start(self) -> None:
        sys.setprofile(self._note)

    def stop(self) -> None:
        sys.setprofile(None)

    def expect(self) -> None:
        """The next request of the client is about to be sent. Waits until the broker has nothing left to do."""
        if not self._polling.wait(TIMEOUT_SECONDS):
            raise UnexpectedAnswer(f"the broker has been busy for {TIMEOUT_SECONDS:.0f} s")
        self._steps = []
        self._waking = self._receiving = True

    def walk(self) -> Walk:
        """Of the request whose answer has just been received."""
        return Walk(self._steps[: self._received_at], self._steps[self._received_at : self._sent_at])

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self._steps.append(_step(frame))
            return
        name = getattr(argument, "__name__", "")
        if event == "c_return":  # a receive that finds nothing is a `c_exception`
            if name == "poll":
                self._polling.clear()
                if self._waking:
                    self._steps = []
                    self._waking = False
            elif name in RECEIVES and self._receiving and self._is_clients(argument):
                self._received_at = len(self._steps)
                self._waking = self._receiving = False
        elif event == "c_call":
            if name == "poll":
                self._polling.set()
            elif name in SENDS and self._is_clients(argument):
                self._sent_at = len(self._steps)

    def _is_clients(self, function: object) -> bool:
        """Whether a socket's method belongs to a connection of the broker; trio wakes itself by a socket, too."""
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, socket.SocketType):
            return True  # os.sendfile
        return owner.family == socket.AF_INET and owner.getsockname()[1] == self._port


def _step(frame: FrameType) -> Step:
    code = frame.f_code
    if code.co_filename.startswith("<decode ") or code.co_filename.startswith("<encode "):
        return "kafkapy_wire", f"kafkapy_wire:{code.co_filename}"  # a codec, compiled from text
    module = str(frame.f_globals.get("__name__", code.co_filename))
    return module.partition(".")[0], f"{module}:{code.co_qualname}"


class Client:
    """Takes the walks: sends one request, awaits its answer, and asks the recorder what the broker passed for it."""

    def __init__(self, connection: Connection, recorder: Recorder, served: dict[int, range]) -> None:
        self._connection = connection
        self._recorder = recorder
        self._produce_version = produce_version(served)
        self._group_numbers = itertools.count()
        self._member: tuple[str, str] | None = None  # group and member id of the one that joins again

    def produce(self) -> Walk:
        """One record of 100 bytes, acks=1."""
        request = produce_request([TOPIC], one_record_batch(), acks=ACKS_LEADER)
        response, walk = self._ask(ApiKey.PRODUCE, request, self._produce_version, ProduceResponse)
        _check("Produce", response.responses[0].partition_responses[0].error_code)
        return walk

    def fetch(self) -> Walk:
        """One partition without a session, its records there."""
        partition = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
        topic = FetchTopic(topic=TOPIC, partitions=[partition])
        request = FetchRequest(max_wait_ms=500, min_bytes=1, max_bytes=1 << 20, session_epoch=-1, topics=[topic])
        response, walk = self._ask(ApiKey.FETCH, request, FETCH_VERSION, FetchResponse)
        (data,) = response.responses[0].partitions
        _check("Fetch", response.error_code or data.error_code)
        if not data.records:
            raise UnexpectedAnswer("Fetch: no records")
        return walk

    def find_coordinator(self) -> None:
        """Without it there is no `__consumer_offsets`, and no group can be joined."""
        find = FindCoordinatorRequest(coordinator_keys=["walks"])
        response, _ = self._ask(ApiKey.FIND_COORDINATOR, find, FIND_COORDINATOR_VERSION, FindCoordinatorResponse)
        _check("FindCoordinator", response.coordinators[0].error_code)

    def join_new_group(self) -> Walk:
        """The first member of a group that was not there before."""
        response, walk = self._join(f"walks-{next(self._group_numbers)}", "")
        _check("JoinGroup", response.error_code)
        return walk

    def rejoin(self) -> Walk:
        """The only member of a stable group, its leader, joins again."""
        if self._member is None:
            group_id = f"walks-{next(self._group_numbers)}"
            response, _ = self._join(group_id, "")
            _check("JoinGroup", response.error_code)
            self._member = group_id, response.member_id
            self._sync(group_id, response.member_id, response.generation_id)
        response, walk = self._join(*self._member)
        _check("JoinGroup", response.error_code)
        self._sync(*self._member, response.generation_id)
        return walk

    def _join(self, group_id: str, member_id: str) -> tuple[JoinGroupResponse, Walk]:
        request = JoinGroupRequest(
            group_id=group_id,
            member_id=member_id,
            # A static member: another that comes without a member id is first told one, and comes again (KIP-394).
            group_instance_id=group_id,
            session_timeout_ms=45_000,
            rebalance_timeout_ms=300_000,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=SUBSCRIPTION)],
        )
        return self._ask(ApiKey.JOIN_GROUP, request, JOIN_GROUP_VERSION, JoinGroupResponse)

    def _sync(self, group_id: str, member_id: str, generation_id: int) -> None:
        request = SyncGroupRequest(
            group_id=group_id,
            generation_id=generation_id,
            member_id=member_id,
            group_instance_id=group_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[SyncGroupRequestAssignment(member_id=member_id, assignment=bytes(6))],
        )
        response, _ = self._ask(ApiKey.SYNC_GROUP, request, SYNC_GROUP_VERSION, SyncGroupResponse)
        _check("SyncGroup", response.error_code)

    def _ask(self, api_key: ApiKey, request: Message, version: int, response_class: type[M]) -> tuple[M, Walk]:
        frame = request_frame(api_key, request, version)
        self._recorder.expect()
        self._connection.socket.sendall(frame)
        answer = self._connection.receive_bytes()
        return decode_answer(api_key, version, answer, response_class), self._recorder.walk()


def _check(what: str, error_code: int) -> None:
    if error_code != ErrorCode.NONE:
        raise UnexpectedAnswer(f"{what}: error {error_code}")


def take_walks() -> dict[str, Walk]:
    """The functions that each request of the table passes, in order. Raises UnexpectedAnswer."""
    walks: dict[str, Walk] = {}

    async def serve() -> None:
        async with _broker() as address:
            recorder = Recorder(address[1])
            recorder.start()
            try:
                walks.update(await trio.to_thread.run_sync(_take_with_client, address, recorder))
            finally:
                recorder.stop()

    trio.run(serve)
    return walks


def _take_with_client(address: Address, recorder: Recorder) -> dict[str, Walk]:
    served = ask_api_versions(address, timeout_seconds=TIMEOUT_SECONDS)
    with Connection(address) as connection:
        ready_topic(connection, TOPIC, served)
        client = Client(connection, recorder, served)
        client.find_coordinator()
        requests = {
            "Produce, one record, acks=1": client.produce,
            "Fetch, one partition, records there": client.fetch,
            "JoinGroup, a known member again": client.rejoin,
            "JoinGroup, first member of a new group": client.join_new_group,
        }
        return {title: _usual(take) for title, take in requests.items()}


def _usual(take: Callable[[], Walk]) -> Walk:
    """Of several the one of middle length, on either side of the receive."""
    for _ in range(SAMPLE_COUNT):
        take()
    samples = [take() for _ in range(SAMPLE_COUNT)]
    wakes = sorted((sample.wake for sample in samples), key=len)
    requests = sorted((sample.request for sample in samples), key=len)
    return Walk(wakes[SAMPLE_COUNT // 2], requests[SAMPLE_COUNT // 2])


def table(walks: dict[str, Walk]) -> str:
    """One line a request: how many functions, and of which packages; `wake` is not in `all`."""
    columns = ("wake", "all", *PACKAGES, OTHERS)
    lines = [f"{'functions passed':<40}" + "".join(f"{name:>{len(name) + 2}}" for name in columns)]
    for title, walk in walks.items():
        counts = Counter(package if package in PACKAGES else OTHERS for package, _ in walk.request)
        numbers = (len(walk.wake), len(walk.request), *(counts[name] for name in (*PACKAGES, OTHERS)))
        cells = "".join(f"{count:>{len(name) + 2}}" for name, count in zip(columns, numbers, strict=True))
        lines.append(f"{title:<40}{cells}")
    return "\n".join(lines)


def _list(title: str, steps: list[Step]) -> str:
    numbered = (f"{number:>5}  {function}" for number, (_, function) in enumerate(steps, 1))
    return "\n".join([f"{title}: {len(steps)}", *numbered, ""])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.walks", description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="the functions of each walk, in order")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    walks = take_walks()
    if arguments.list:
        for title, walk in walks.items():
            print(_list(f"{title}, wake", walk.wake))
            print(_list(title, walk.request))
    print(table(walks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
