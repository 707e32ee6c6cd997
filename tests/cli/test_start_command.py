"""`kafkapy start` as its users meet it: two lines, a clean stop, and one line for everything that can be wrong."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from compat_tests.ports import free_port
from kafkapy.cli import main, start
from kafkapy.cli.ready import Announcement
from kafkapy.cli.stop_signals import StopSignals, stop_signals
from kafkapy.cli.watchdog import Watchdog
from kafkapy.node import Node
from kafkapy.settings import Settings
from kafkapy_wire.errors import ErrorCode
from tests.cli.ending import ending
from tests.shell.running_node import Client, batch, connect, running_node, trio_test

SECONDS_MAX = 60
LISTENS = re.compile(r"kafkapy listens at (\S+):(\d+) \((.*)\); Ctrl-C stops it")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "kafkapy", *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    return {**clean, **variables}


class Broker:
    """One `kafkapy start` that has said where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines = [process.stdout.readline(), process.stdout.readline()]
        match = LISTENS.fullmatch(self.lines[0].strip())
        assert match, (self.lines, process.communicate(timeout=SECONDS_MAX))
        self.host, self.port, self.where = match[1], int(match[2]), match[3]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """(exit code, everything on standard error)"""
        self.process.send_signal(number)
        rest, errors = self.process.communicate(timeout=SECONDS_MAX)
        assert rest == "", "two lines and no more"
        return self.process.returncode, errors


@contextmanager
def started(*arguments: str | Path, **variables: str) -> Iterator[Broker]:
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )
    with process:
        try:
            yield Broker(process)
        finally:
            if process.poll() is None:
                process.kill()


def refused(*arguments: str | Path, **variables: str) -> str:
    """The one line that a start ends with."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment(**variables), timeout=SECONDS_MAX
    )
    assert done.returncode == 1, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("kafkapy: ")
    return line


def produce_and_read(port: int, *values: bytes) -> list[bytes | None]:
    """Append to the topic `orders`, made if it is not there; everything that is in it afterwards."""

    async def talk() -> list[bytes | None]:
        with trio.fail_after(SECONDS_MAX):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            async with stream:
                client = Client(stream)
                if values[:1] == (b"first",):
                    await client.create_topic("orders")
                for value in values:
                    await client.produce("orders", value)
                return await client.values("orders")

    return trio.run(talk)


def test_records_stay_over_a_clean_stop(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with started("--port", "0", "--data-dir", data) as broker:
        assert broker.host == "localhost"
        assert broker.where == f"data in {data}"
        assert re.match(r"try: (kafkapy|\S+ -m kafkapy) produce hello ", broker.lines[1])
        assert f"-b localhost:{broker.port}" in broker.lines[1]
        produce_and_read(broker.port, b"first")
        assert not (data / ".kafka_cleanshutdown").exists()
        assert broker.stop(signal.SIGTERM) == (0, "")
    assert (data / ".kafka_cleanshutdown").exists()
    with started("start", "--port", "0", "--data-dir", data) as broker:
        assert produce_and_read(broker.port, b"second") == [b"first", b"second"]
        assert broker.stop(signal.SIGINT) == (0, "")


def test_records_that_were_acknowledged_survive_a_kill(tmp_path: Path) -> None:
    with started("--port", "0", "--data-dir", tmp_path) as broker:
        produce_and_read(broker.port, b"first", b"second")
        broker.process.kill()
        broker.process.wait(SECONDS_MAX)
    assert not (tmp_path / ".kafka_cleanshutdown").exists()
    with started("--port", "0", "--data-dir", tmp_path) as broker:
        assert produce_and_read(broker.port, b"third") == [b"first", b"second", b"third"]
        assert broker.stop() == (0, "")


def test_impatience_does_not_spoil_a_clean_stop(tmp_path: Path) -> None:
    with started("--port", "0", "--data-dir", tmp_path) as broker:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            broker.process.send_signal(number)
        assert broker.stop() == (0, "")
    assert (tmp_path / ".kafka_cleanshutdown").exists()


def test_an_ephemeral_broker_leaves_nothing_behind(tmp_path: Path) -> None:
    with started("--ephemeral", "--port", "0", TMPDIR=str(tmp_path)) as broker:
        assert broker.where == "ephemeral"
        assert len(list(tmp_path.iterdir())) == 1
        for _ in range(3):
            broker.process.send_signal(signal.SIGTERM)
        assert broker.stop() == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def stopped_when_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[StopSignals]:
    """A `kafkapy start` in this process gets a SIGTERM as soon as it serves."""
    monkeypatch.setattr(Announcement, "say", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = {number: signal.getsignal(number) for number in stop_signals()}
    with StopSignals() as signals:
        yield signals
    for number, handler in before.items():
        if handler is not None:
            signal.signal(number, handler)
    gc.unfreeze()


@pytest.mark.parametrize("ephemeral", [False, True], ids=["kept", "ephemeral"])
def test_only_logs_that_are_kept_are_closed_cleanly(
    ephemeral: bool, stopped_when_up: StopSignals, tmp_path: Path
) -> None:
    settings = Settings({"listeners": "PLAINTEXT://127.0.0.1:0"})
    start._serve(settings, tmp_path, stopped_when_up, Watchdog(stopped_when_up), Announcement(), ephemeral=ephemeral)
    assert (tmp_path / "__cluster_metadata-0").exists()
    assert (tmp_path / ".kafka_cleanshutdown").exists() is not ephemeral


def test_nobody_needs_to_read_the_two_lines(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    port = free_port()
    process = subprocess.Popen(
        command("--port", str(port), "--data-dir", tmp_path), stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    with process:
        try:
            until_it_accepts(port)
            assert produce_and_read(port, b"first") == [b"first"]
        finally:
            process.terminate()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(SECONDS_MAX) == 0


def until_it_accepts(port: int) -> None:
    async def attempts() -> None:
        with trio.fail_after(SECONDS_MAX):
            while True:
                try:
                    stream = await trio.open_tcp_stream("127.0.0.1", port)
                except OSError:
                    await trio.sleep(0.02)
                else:
                    await stream.aclose()
                    return

    trio.run(attempts)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("--port", str(port), "--data-dir", tmp_path)
    assert f"localhost:{port} is taken" in line
    assert "--port 0" in line


def test_a_directory_that_another_broker_uses(tmp_path: Path) -> None:
    with started("--port", "0", "--data-dir", tmp_path) as broker:
        assert str(tmp_path) in refused("--port", "0", "--data-dir", tmp_path)
        assert broker.stop() == (0, "")


def test_a_directory_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for directory, reason in (
        (tmp_path / "file", "is a file, not a directory"),
        (tmp_path / "file" / "below", "Not a directory"),
    ):
        line = refused("--port", "0", "--data-dir", directory)
        assert line == f"kafkapy: cannot use the data directory {directory} ({reason}): name another directory"


def test_the_log_tells_the_life_of_a_topic(tmp_path: Path) -> None:
    with started("--port", "0", "--data-dir", tmp_path, "--log-level", "debug") as broker:
        produce_and_read(broker.port, b"first")
        code, errors = broker.stop()
    assert code == 0
    lines = [line.split(" ", 2)[2] for line in errors.splitlines()]
    expected = [
        f"INFO kafkapy.node: listener PLAINTEXT: localhost port {broker.port}",
        "DEBUG kafkapy.node: coordinators of groups, transactions and share partitions loaded",
        "INFO kafkapy.node: node 1 started",
        "INFO kafkapy.partitions: topic orders created, partitions: 1",
        "DEBUG kafkapy.partitions: opened orders-0, offsets 0 to 0",
        "INFO kafkapy.node: stopping",
        f"INFO kafkapy.node: stopped: the logs in {tmp_path} are closed",
    ]
    assert [line for line in lines if line in expected] == expected


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory that a node has used and left cleanly."""

    @trio_test
    async def use() -> None:
        async with running_node(tmp_path / "data") as node, connect(node) as client:
            await client.create_topic("orders")
            await client.produce("orders", b"first")

    use()
    return tmp_path / "data"


def test_a_directory_of_another_node(data: Path) -> None:
    line = refused("--port", "0", "--data-dir", data, "--override", "node.id=7")
    assert "belongs to node.id 1, not 7: set node.id=1" in line


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0garbage", b"version=1\nnode.id=1\n", b"version=7\n"])
def test_a_damaged_meta_properties(content: bytes, data: Path) -> None:
    (data / "meta.properties").write_bytes(content)
    assert "meta.properties" in refused("--port", "0", "--data-dir", data)


def test_a_damaged_metadata_log(data: Path) -> None:
    (log,) = (data / "__cluster_metadata-0").glob("*.log")
    content = bytearray(log.read_bytes())
    content[300:340] = os.urandom(40)
    log.write_bytes(content)
    assert "__cluster_metadata-0" in refused("--port", "0", "--data-dir", data)
    assert list(data.glob("orders-0/*.log"))


def test_a_missing_metadata_log(data: Path) -> None:
    (data / "__cluster_metadata-0").rename(data.parent / "elsewhere")
    line = refused("--port", "0", "--data-dir", data)
    assert "__cluster_metadata-0 is missing or empty" in line
    assert list(data.glob("orders-0/*.log"))


@pytest.mark.parametrize("name", ["quorum-state", "00000000000000000000-0000000000.checkpoint"])
def test_garbage_in_the_controller_s_small_files(name: str, data: Path) -> None:
    (data / "__cluster_metadata-0" / name).write_bytes(b"\xff\xfe garbage")
    assert "__cluster_metadata-0" in refused("--port", "0", "--data-dir", data)


def test_garbage_in_files_that_can_be_made_anew_is_no_matter(data: Path) -> None:
    names = [".kafka_cleanshutdown", *(path.name for path in data.glob("*-checkpoint"))]
    for path in [data / name for name in names] + [*data.glob("*/leader-epoch-checkpoint"), *data.glob("*/*index")]:
        path.write_bytes(b"\xff\xfe garbage")
    with started("--port", "0", "--data-dir", data) as broker:
        assert produce_and_read(broker.port, b"second") == [b"first", b"second"]
        code, errors = broker.stop()
    assert code == 0
    assert "Traceback" not in errors


def limited(kibibytes: int, *arguments: str | Path) -> list[str]:
    """A command whose files may not grow beyond a size: a disk that is full, as far as programs can tell."""
    return ["bash", "-c", f'ulimit -f {kibibytes}; exec "$@"', "bash", *command(*arguments)]


def test_a_full_disk_at_the_start_is_told_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        limited(0, "--port", "0", "--data-dir", tmp_path),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=SECONDS_MAX,
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert line.startswith(f"kafkapy: cannot use the data directory {tmp_path}")
    assert "File too large" in line


def test_a_full_disk_refuses_what_does_not_fit_and_spoils_nothing_else(tmp_path: Path) -> None:
    async def fill(port: int) -> None:
        with trio.fail_after(SECONDS_MAX):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                client = Client(stream)
                await client.create_topic("orders")
                await client.create_topic("others")
                await client.produce("orders", b"x" * 50_000)
                answer = await client.produce_batch("orders", batch([b"x" * 50_000]))
                assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
                await client.produce("others", b"fits")
                await client.produce("orders", b"fits")
                assert await client.values("orders") == [b"x" * 50_000, b"fits"]

    with ending(
        subprocess.Popen(
            limited(80, "--port", "0", "--data-dir", tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
    ) as process:
        broker = Broker(process)
        trio.run(fill, broker.port)
        code, errors = broker.stop()
    assert code == 0
    full, takes_again = errors.splitlines()
    assert "orders-0 cannot be written (File too large): raise the limit of the size of files" in full
    assert "takes writes again" in takes_again
    assert (tmp_path / ".kafka_cleanshutdown").exists()
    with started("--port", "0", "--data-dir", tmp_path) as broker:
        assert produce_and_read(broker.port, b"again") == [b"x" * 50_000, b"fits", b"again"]
        assert broker.stop() == (0, "")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("num.partitions=many", "num.partitions"),
        ("num.partitions", "expected name=value"),
        ("listeners=SSL://127.0.0.1:0", "ssl.keystore.location is not given, and a listener with TLS needs a key"),
        ("listeners=nonsense", "nonsense"),
        ("listeners=PLAINTEXT://localhost:99999", "99999 is not a port (0-65535)"),
        ("listeners=PLAINTEXT://no-such-host.invalid:0", "no-such-host.invalid"),
        ("listeners=PLAINTEXT://192.0.2.1:0", "192.0.2.1:0 is not an address of this machine"),
        ("advertised.listeners=PLAINTEXT://0.0.0.0:9092", "0.0.0.0"),
        ("node.id=-1", "Invalid value -1 for configuration node.id: Value must be at least 0"),
        ("process.roles=controller", "controller.quorum.voters must contain a parseable set of controllers"),
        ("authorizer.class.name=com.acme.Authorizer", "Java classes cannot be run"),
    ],
)
def test_a_setting_that_cannot_be(override: str, told: str, tmp_path: Path) -> None:
    arguments = ["--data-dir", str(tmp_path), "--override", override]
    if "listeners" not in override:
        arguments += ["--port", "0"]
    assert told in refused(*arguments)


OF_THREE = (
    "--override=listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
    "--override=controller.quorum.voters=1@127.0.0.1:1,2@127.0.0.1:2,3@127.0.0.1:3",
)


def test_a_node_of_several_does_not_make_up_a_cluster_id(tmp_path: Path) -> None:
    line = refused("--data-dir", str(tmp_path), *OF_THREE)
    assert line.startswith(f"kafkapy: controller.quorum.voters names 3 nodes (1, 2, 3), and {tmp_path} belongs to no ")
    assert "CLUSTER_ID=" in line
    assert not (tmp_path / "meta.properties").exists()


def test_a_directory_of_another_cluster_or_another_node_is_refused(tmp_path: Path) -> None:
    assert main(["format", "--data-dir", str(tmp_path), "--cluster-id", "one", *OF_THREE]) == 0
    told = f"Invalid cluster.id in: {tmp_path}/meta.properties. Expected other, but read one"
    assert told in refused("--data-dir", str(tmp_path), "--cluster-id", "other", *OF_THREE)
    told = f"{tmp_path} belongs to node.id 1, not 2: set node.id=1, or name another directory"
    assert told in refused("--data-dir", str(tmp_path), "--override=node.id=2", *OF_THREE)
    assert "--cluster-id: the cluster id 'two words' is not valid" in refused("--cluster-id", "two words")


def test_a_data_directory_that_only_a_shell_knows() -> None:
    assert "log.dirs=~/data is refused: only a shell replaces ~" in refused("--port", "0", "--data-dir=~/data")


def test_a_setting_that_nobody_knows_is_told_with_the_nearest(tmp_path: Path) -> None:
    with started("--port", "0", "--data-dir", tmp_path, "--override", "num.partitons=3") as broker:
        code, errors = broker.stop()
    assert code == 0
    (line,) = errors.splitlines()
    assert "num.partitons" in line
    assert "did you mean num.partitions?" in line


def test_the_environment_the_file_and_the_override(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text(f"num.partitions=2\nnode.id=5\nlog.dirs={tmp_path / 'data'}\nlisteners=PLAINTEXT://127.0.0.1:0\n")
    with started(file, "--override", "message.max.bytes=100", KAFKA_NODE_ID="6") as broker:
        assert (broker.host, broker.where) == ("127.0.0.1", f"data in {tmp_path / 'data'}")
        assert broker.stop() == (0, "")
    assert "node.id=6" in (tmp_path / "data" / "meta.properties").read_text()
    line = refused("start", tmp_path / "no-such-file")
    assert f"Cannot read {tmp_path / 'no-such-file'}" in line
    assert "KAFKA_NODE_ID" in refused(file, KAFKA_NODE_ID="six")


def test_a_port_goes_with_a_file_and_variables(tmp_path: Path) -> None:
    """Of the first listener for clients, where it listens and what clients are told; the others stay."""
    other = free_port()
    file = tmp_path / "server.properties"
    file.write_text(
        f"listeners=CONTROLLER://:9093,IN://:9092,OUT://localhost:{other}\n"
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,IN:PLAINTEXT,OUT:PLAINTEXT\n"
        "inter.broker.listener.name=IN\n"
        f"log.dirs={tmp_path / 'data'}\n"
    )
    variables = {
        "KAFKA_ADVERTISED_LISTENERS": f"IN://localhost:9092,OUT://127.0.0.1:{other}",
        "CLUSTER_ID": "kraftCluster",
        "KAFKA_CREATE_TOPICS": "orders:2:1",
        "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
    }
    with started(file, "--port", "0", **variables) as broker:
        assert broker.host == "localhost"
        assert broker.port not in (9092, other)
        assert produce_and_read(broker.port, b"second") == [b"second"], "the topic is there"
        assert produce_and_read(other) == [b"second"]
        assert broker.stop() == (0, "")
    assert "cluster.id=kraftCluster" in (tmp_path / "data" / "meta.properties").read_text()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("settings.yaml", "settings are a properties file, a line `name=value` each, and not YAML"),
        ("broker.conf", "to start a broker with the settings of that file: kafkapy start broker.conf"),
        ("no-such-file.conf", "there is no command 'no-such-file.conf'"),
    ],
)
def test_a_file_that_is_no_command(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broker.conf").write_text("num.partitions=2\n")
    assert main([name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kafkapy: ")
    assert told in line


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("localhost:9092", "try: .* produce hello 'first record' && .* consume hello --from-beginning$"),
        ("10.0.0.1:9093", "try: .* produce hello 'first record' -b 10.0.0.1:9093 && .* -b 10.0.0.1:9093$"),
        (None, "clients here cannot resolve kafka:9092: advertise a host in advertised.listeners that they can, too$"),
    ],
)
def test_the_hint_names_an_address_that_works_here(
    address: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Node(Settings({"advertised.listeners": "PLAINTEXT://kafka:9092"}), tmp_path)
    Announcement().say(node, address)
    _, hint = capsys.readouterr().out.splitlines()
    assert re.match(told, hint)


def test_the_hint_of_a_listener_with_tls_or_sasl_says_what_clients_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secure = {"listeners": "X://h:9", "listener.security.protocol.map": "X:SSL", "inter.broker.listener.name": "X"}
    Announcement().say(Node(Settings(secure), tmp_path), "h:9")
    _, hint = capsys.readouterr().out.splitlines()
    assert hint.startswith("clients need security.protocol=SSL: ")
    assert hint.endswith(" topics list -b h:9 --command-config CLIENT.PROPERTIES")
