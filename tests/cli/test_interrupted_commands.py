"""A signal may end a command at any moment: a member of a group leaves it, and the exit code names the signal."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from kafkapy.client.cluster import Cluster
from kafkapy.client.connection import Connection
from kafkapy.client.errors import ConnectionLost
from kafkapy.client.group_member import GroupMember
from kafkapy.client.interrupts import Interrupted, interruptible, uninterrupted
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.message import Message
from kafkapy_wire.messages.find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse
from kafkapy_wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
from kafkapy_wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataResponse, MetadataResponseBroker
from tests.cli.conftest import Kafkapy
from tests.cli.ending import ending
from tests.cli.fake_broker import FakeBroker

SECONDS_MAX = 60


class InterruptedSocket:
    """A socket that sends this process a signal around one of all calls that send or receive."""

    calls = 0
    at = -1
    number = signal.SIGTERM
    is_after = False

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def fileno(self) -> int:
        return self._inner.fileno()

    def sendall(self, data: bytes) -> None:
        self._around(lambda: self._inner.sendall(data))

    def recv(self, size: int) -> bytes:
        received: list[bytes] = []
        self._around(lambda: received.append(self._inner.recv(size)))
        return received[0]

    def _around(self, call: Callable[[], None]) -> None:
        cls = InterruptedSocket
        number, cls.calls = cls.calls, cls.calls + 1
        if number == cls.at and not cls.is_after:
            signal.raise_signal(cls.number)
        call()
        if number == cls.at and cls.is_after:
            signal.raise_signal(cls.number)


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> type[InterruptedSocket]:
    connect = socket.create_connection

    def create_connection(address: tuple[str, int], timeout: float) -> InterruptedSocket:
        return InterruptedSocket(connect(address, timeout))

    monkeypatch.setattr("kafkapy.client.connection.socket.create_connection", create_connection)
    InterruptedSocket.calls, InterruptedSocket.at = 0, -1
    return InterruptedSocket


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_member_that_is_interrupted_at_any_call_leaves_its_group(
    kafkapy: Kafkapy,
    topic: str,
    group: str,
    number: signal.Signals,
    is_after: bool,
    interrupting: type[InterruptedSocket],
) -> None:
    """Every call that sends or receives is interrupted once, in a run of its own."""
    kafkapy("produce", topic, "a", "b")
    interrupting.number, interrupting.is_after = number, is_after
    at = 0
    while True:
        of_this_run = f"{group}-{at}"
        interrupting.calls, interrupting.at = 0, at
        result = kafkapy("consume", topic, "-g", of_this_run, "--from-beginning", "-n", "2", "--print-offset")
        interrupting.at = -1
        if interrupting.calls <= at:  # there are no more calls
            assert (result.exit_code, result.err) == (0, "")
            break
        assert result.err == ""
        assert result.exit_code == 128 + number, at
        described = kafkapy("groups", "describe", of_this_run, "--json")
        committed = 0
        if described.exit_code == 0:
            (document,) = json.loads(described.out)
            assert (document["state"], document["members"]) == ("Empty", []), at
            committed = sum(offset["committed"] for offset in document["offsets"])
        assert committed == len(result.lines), at
        at += 1
    assert at > 20


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_records_are_sent_once_or_not_at_all_when_producing_is_interrupted_at_any_call(
    kafkapy: Kafkapy, topic: str, is_after: bool, interrupting: type[InterruptedSocket]
) -> None:
    interrupting.number, interrupting.is_after = signal.SIGTERM, is_after
    outcomes = set()
    at = 0
    while True:
        of_this_run = f"{topic}-{at}"
        kafkapy("topics", "create", of_this_run)
        interrupting.calls, interrupting.at = 0, at
        result = kafkapy("produce", of_this_run, "a", "b", "--quiet")
        interrupting.at = -1
        assert result.err == ""
        if interrupting.calls <= at:
            assert result.exit_code == 0
            break
        assert result.exit_code == 128 + signal.SIGTERM, at
        sent = kafkapy("consume", of_this_run, "--from-beginning", "--exit-at-end").lines
        assert sent in ([], ["a", "b"]), at
        outcomes.add(len(sent))
        at += 1
    assert outcomes == {0, 2}


def test_lines_that_were_read_are_sent_before_a_signal_ends_producing(
    kafkapy: Kafkapy, bootstrap: str, topic: str
) -> None:
    kafkapy("topics", "create", topic)
    command = [sys.executable, "-m", "kafkapy", "produce", topic, "-b", bootstrap]
    with ending(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) as producer:
        assert producer.stdin is not None
        producer.stdin.write("first\n")
        producer.stdin.flush()
        assert kafkapy("consume", topic, "--from-beginning", "-n", "1").lines == ["first"]
        producer.send_signal(signal.SIGTERM)
        _, err = producer.communicate(timeout=SECONDS_MAX)
    err = re.sub(r"kafkapy produce: waiting for an answer of .*\n", "", err)  # on a busy machine it says so
    assert (producer.returncode, err) == (128 + signal.SIGTERM, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_waiting_member_that_leaves(
    kafkapy: Kafkapy, bootstrap: str, topic: str, group: str, number: signal.Signals
) -> None:
    kafkapy("produce", topic, "first")
    command = [sys.executable, "-m", "kafkapy", "consume", topic, "-b", bootstrap, "-g", group, "--from-beginning"]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) as consumer:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "first\n"
        consumer.send_signal(number)
        out, err = consumer.communicate(timeout=SECONDS_MAX)
    assert (consumer.returncode, out, err) == (128 + number, "", "")
    (document,) = json.loads(kafkapy("groups", "describe", group, "--json").out)
    assert (document["state"], document["members"]) == ("Empty", [])


def test_a_signal_that_is_ignored_stays_ignored(kafkapy: Kafkapy, topic: str) -> None:
    """As `nohup` asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_only_the_first_signal_interrupts() -> None:
    ended = []

    def command() -> None:
        with interruptible():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGINT)
                ended.append("in order")

    with pytest.raises(Interrupted) as interrupted:
        command()
    assert (interrupted.value.exit_code, ended) == (143, ["in order"])


def test_a_signal_waits_for_the_end_of_what_is_not_interrupted() -> None:
    ended = []

    def command() -> None:
        with interruptible():
            with uninterrupted():
                signal.raise_signal(signal.SIGINT)
                ended.append("the block")
            ended.append("what follows")

    with pytest.raises(Interrupted):
        command()
    assert ended == ["the block"]


def test_a_member_id_that_is_on_its_way_is_waited_for() -> None:
    """The broker expects a member from the moment it has given it an id (KIP-394): that one must leave, too."""
    left: list[str] = []

    def answer(request: Message) -> Message | None:
        if isinstance(request, MetadataRequest):
            own = MetadataResponseBroker(node_id=1, host="127.0.0.1", port=broker.port)
            return MetadataResponse(brokers=[own])
        if isinstance(request, FindCoordinatorRequest):
            found = Coordinator(key="g", node_id=1, host="127.0.0.1", port=broker.port)
            return FindCoordinatorResponse(coordinators=[found])
        if isinstance(request, JoinGroupRequest):
            signal.raise_signal(signal.SIGTERM)  # its handler runs in the main thread, which waits for this answer
            return JoinGroupResponse(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id="m-1")
        assert isinstance(request, LeaveGroupRequest)
        left.extend(member.member_id for member in request.members)
        return LeaveGroupResponse()

    def command() -> None:
        with Cluster([("127.0.0.1", broker.port)], timeout_seconds=5) as cluster, interruptible():
            member = GroupMember(cluster, "g", ["t"])
            try:
                member.join()
            finally:
                member.leave()

    with FakeBroker(answer) as broker, pytest.raises(Interrupted):
        command()
    assert left == ["m-1"]


def test_a_connection_whose_request_was_interrupted_is_of_no_more_use(
    interrupting: type[InterruptedSocket], bootstrap: str
) -> None:
    """The answer to that request must never be taken for the answer to the next one."""
    host, _, port = bootstrap.rpartition(":")
    connection = Connection(host, int(port), timeout_seconds=SECONDS_MAX)
    interrupting.at, interrupting.is_after = interrupting.calls, True
    with pytest.raises(Interrupted), interruptible():
        connection.send(MetadataRequest(), timeout_seconds=SECONDS_MAX)
    with pytest.raises(ConnectionLost, match="gave up waiting"):
        connection.send(MetadataRequest(), timeout_seconds=SECONDS_MAX)
    assert not connection.is_open
