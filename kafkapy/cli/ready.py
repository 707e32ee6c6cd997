"""How a start says that it serves: two lines for people; a line of JSON, and a file with it, for scripts that wait."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from errno import EISDIR
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from kafkapy.client.streams import discard_output, say
from kafkapy.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkapy.cluster import Cluster
    from kafkapy.node import Node
    from kafkapy.settings import Listener


class Announcement:
    """What is said once clients can connect, and to whom."""

    def __init__(
        self,
        *,
        as_json: bool = False,
        ready_file: str | None = None,
        kafka_log_lines: bool = False,
        control_url: str | None = None,
    ) -> None:
        """`control_url`: where the control API is, if it is served. Raises StartupError: the file cannot be made."""
        self._as_json = as_json
        self._control_url = control_url
        self._kafka_log_lines = kafka_log_lines
        self._file: _ReadyFile | None = None
        if ready_file is not None:
            try:
                self._file = _ReadyFile(Path(ready_file))
            except OSError as error:
                raise StartupError(f"cannot write the ready file {ready_file} ({error.strerror})") from None

    @contextmanager
    def made(self, node: Node, address: str | None) -> Iterator[None]:
        """Clients can connect within the block; those on this machine to `address`, None: it resolves none.

        Raises StartupError: the file cannot be written.
        """
        self.say(node, address)
        if self._kafka_log_lines and node.settings.now.quorum.is_broker:
            import trio

            from kafkapy.cli.kafka_log_lines import say_balancing

            metadata = node.parts.metadata
            advertised = metadata.image.brokers[node.node_id].endpoints
            trio.lowlevel.spawn_system_task(say_balancing, node.node_id, metadata, advertised)
        with self._in_file(lambda: ready_line(node, address, self._control_url)):
            yield

    @contextmanager
    def made_of_cluster(self, cluster: Cluster) -> Iterator[None]:
        """The same of a cluster in this process. Raises StartupError: the file cannot be written."""
        if self._as_json:
            lines = [cluster_line(cluster, self._control_url)]
        else:
            lines = _lines_of_cluster(cluster, self._control_url)
        try:
            print("\n".join(lines), flush=True)
        except OSError:
            discard_output()
        with self._in_file(lambda: cluster_line(cluster, self._control_url)):
            yield

    @contextmanager
    def _in_file(self, line: Callable[[], str]) -> Iterator[None]:
        if self._file is None:
            yield
            return
        try:
            self._file.write(line())
        except OSError as error:
            raise StartupError(f"cannot write the ready file ({error.strerror})") from error
        try:
            yield
        finally:
            self._file.remove()

    def say(self, node: Node, address: str | None) -> None:
        """On standard output. Nobody needs to be there to read it."""
        try:
            if self._as_json:
                print(ready_line(node, address, self._control_url), flush=True)
            else:
                print(_two_lines(node, address), flush=True)
                if self._control_url is not None:
                    print(control_line(self._control_url), flush=True)
            if self._kafka_log_lines:
                from kafkapy.cli.kafka_log_lines import log_lines

                print(log_lines(node.node_id, is_broker=node.settings.now.quorum.is_broker), flush=True)
        except OSError:  # a reader that is gone, a full disk
            discard_output()


def control_line(url: str) -> str:
    return f"control API at {url}"


def ready_line(node: Node, address: str | None, control_url: str | None = None) -> str:
    """A JSON object: what a script needs to use the broker, and to stop it."""
    import json

    document = {
        "bootstrap_servers": address or _address(listening(node)[0]),
        **_described(node),
        **_of_process(node, control_url),
    }
    return json.dumps(document, ensure_ascii=False)


def cluster_line(cluster: Cluster, control_url: str | None = None) -> str:
    """The same of a cluster in this process: what differs from node to node is below `nodes`."""
    import json

    nodes = [
        {
            "roles": member.roles,
            "rack": member.rack,
            **_described(cluster.nodes[member.node_id]),
        }
        for member in cluster.members
    ]
    first = cluster.nodes[cluster.members[0].node_id]
    document = {
        "bootstrap_servers": cluster.bootstrap_servers,
        "nodes": nodes,
        "added_nodes": [member.node_id for member in cluster.changes.added],
        "removed_nodes": list(cluster.changes.removed),
        **_of_process(first, control_url),
    }
    return json.dumps(document, ensure_ascii=False)


def _described(node: Node) -> dict[str, object]:
    return {
        "listeners": {listener.name: _address(listener) for listener in listening(node)},
        "advertised_listeners": {
            listener.name: _address(listener) for listener in node.settings.now.advertised_listeners
        },
        "node_id": node.node_id,
        "data_directory": str(node.data_directory.absolute()),
    }


def _of_process(node: Node, control_url: str | None) -> dict[str, object]:
    """What all nodes of this process have in common."""
    return {
        "cluster_id": node.directories.cluster_id,
        "ephemeral": not node.kept,
        "pid": os.getpid(),
        **({} if control_url is None else {"control_url": control_url}),
    }


def listening(node: Node) -> list[Listener]:
    """Where clients connect, with the ports that the system has chosen; if it is no broker, where controllers do."""
    settings = node.settings.now
    return list(settings.broker_listeners if settings.quorum.is_broker else settings.controller_listeners)


def _lines_of_cluster(cluster: Cluster, control_url: str | None) -> list[str]:
    """The line that clients need, and a line for each node."""
    lines = [f"bootstrap: {cluster.bootstrap_servers}"]
    for member in cluster.members:
        node = cluster.nodes[member.node_id]
        listeners = ", ".join(f"{one.name} {one.host}:{one.port}" for one in node.settings.now.listeners)
        rack = "" if member.rack is None else f" in rack {member.rack}"
        kept = f", data in {_directories(node)}" if node.kept else ""
        lines.append(f"node {member.node_id} ({member.roles}){rack}: {listeners}{kept}")
    lines += [
        f"node {member.node_id} was added while the cluster ran, so it has started, too; `kafkapy control remove_node "
        f"node_id={member.node_id}` takes it away"
        for member in cluster.changes.added
    ]
    lines += [
        f"node {node_id} was removed while the cluster ran, so it has not started; `kafkapy control add_node` adds "
        "another"
        for node_id in cluster.changes.removed
    ]
    broker = next(member for member in cluster.members if "broker" in member.roles)
    told = cluster.nodes[broker.node_id].settings.now.listeners[0]
    if told.has_tls or told.has_sasl:
        lines.append(f"clients need security.protocol={told.security_protocol}")
    if control_url is not None:
        lines.append(control_line(control_url))
    return lines


def _directories(node: Node) -> str:
    """All that it uses, first that of the metadata log."""
    return ", ".join(map(str, dict.fromkeys([node.data_directory, *node.log_directories])))


def _two_lines(node: Node, address: str | None) -> str:
    """Where clients find it and how to try it."""
    kept = f"data in {_directories(node)}" if node.kept else "ephemeral"
    if not node.settings.now.quorum.is_broker:
        return f"kafkapy controller {node.node_id} listens at {_address(listening(node)[0])} ({kept}); Ctrl-C stops it"
    listener, told = listening(node)[0], node.settings.now.advertised_listeners[0]
    if listener.port != told.port:
        kept = f"its own port is {listener.port}; {kept}"
    server = "" if address == "localhost:9092" else f" -b {address}"
    command = _command()
    hint = f"try: {command} produce hello 'first record'{server} && {command} consume hello --from-beginning{server}"
    if told.has_tls or told.has_sasl:
        hint = (
            f"clients need security.protocol={told.security_protocol}: {command} topics list{server} "
            "--command-config CLIENT.PROPERTIES"
        )
    if address is None:
        address = node.bootstrap_address
        hint = f"clients here cannot resolve {address}: advertise a host in advertised.listeners that they can, too"
    return f"kafkapy listens at {address} ({kept}); Ctrl-C stops it\n{hint}"


def _address(listener: Listener) -> str:
    """`host:port`, as a client on this machine may write it."""
    host = listener.host or "localhost"
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"[{host}]:{listener.port}" if ":" in host else f"{host}:{listener.port}"


def _command() -> str:
    """What starts kafkapy in the user's shell: what `./start` says it is, `kafkapy`, or else a full path."""
    from shlex import quote
    from shutil import which

    if told := os.environ.get("KAFKAPY_COMMAND"):
        return quote(told)
    if which("kafkapy") is not None:
        return "kafkapy"
    script = Path(sys.argv[0])
    if script.name == "kafkapy":
        return quote(str(script.absolute()))
    return f"{quote(sys.executable)} -m kafkapy"


class _ReadyFile:
    """A file that is there, whole, as long as the broker serves. A pipe or a device is written to instead."""

    def __init__(self, path: Path) -> None:
        """Remove what a killed broker has left there. Raises OSError: the file cannot be made."""
        self._path = path
        self._partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        self._is_file = self._may_be_file()
        if self._is_file:
            path.unlink(missing_ok=True)
            self._partial.touch()
            self._partial.unlink()

    def _may_be_file(self) -> bool:
        """Raises OSError: a directory is in the way."""
        try:
            mode = self._path.stat().st_mode
        except FileNotFoundError:
            return True
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        return stat.S_ISREG(mode)

    def write(self, line: str) -> None:
        """Raises OSError."""
        if self._is_file:
            self._partial.write_text(line + "\n")
            self._partial.replace(self._path)
        else:
            # Opening a pipe waits for who reads it, which must not keep the broker from serving.
            Thread(target=self._write_to_reader, args=(line,), daemon=True).start()

    def _write_to_reader(self, line: str) -> None:
        try:
            self._path.write_text(line + "\n")
        except OSError as error:
            say(f"kafkapy: cannot write the ready file {self._path} ({error.strerror})\n")

    def remove(self) -> None:
        if self._is_file:
            with suppress(OSError):
                self._path.unlink()
