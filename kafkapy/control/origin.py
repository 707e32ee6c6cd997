"""A data directory of Apache Kafka or kafkapy as the state that a cluster begins with. It is copied, never changed.

It is that of one node, one that holds the directories of its log.dirs, or one that `kafkapy cluster` has made, with a
directory for each node. What belongs to the
broker that has written it is left behind: ports and names of listeners, also those that were set while it ran.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from kafkapy.cluster import CONTROLLER_PORTS_FILE, Member, MemberChanges
from kafkapy.control.nodes import LOOK_AGAIN_SECONDS, check
from kafkapy.errors import StartupError
from kafkapy_log.identity import LOCK, StoreError, read_identity
from kafkapy_wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkapy.control.nodes import ControlledNodes

META_PROPERTIES: Final = "meta.properties"
METADATA: Final = "__cluster_metadata-0"
BOOTSTRAP: Final = "bootstrap.checkpoint"
QUORUM_STATE: Final = "quorum-state"
NODE_PREFIX: Final = "node-"
QUORUM_STATE_BYTES_MAX: Final = 1 << 20
RESERVED_DIRECTORY_IDS: Final = 100
"""Ids below stand for no directory: not assigned, lost, being migrated (KIP-858)."""
BROKER_RESOURCE: Final = 4
DELETE: Final = 1
OF_LISTENERS: Final = ("listeners", "advertised.listeners", "listener.security.protocol.map")
"""Settings that may have been changed while the broker ran, and are in its metadata."""
LEFT_OUT: Final = shutil.ignore_patterns("*-delete", "*.deleted", "*.cleaned", "*.swap.tmp", "*.tmp", LOCK)
FOLLOW_SECONDS: Final = 30
_RECORD_LOCK: Final = struct.Struct("@hhqqi4x")


@dataclass(frozen=True)
class Origin:
    """A copy of the directory, which stays as it was, and the nodes that it is for."""

    given: Path
    copy: Path
    members: tuple[Member, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the nodes need to find their log directories, if they have several."""

    @classmethod
    def take(cls, given: Path, copy: Path, members: Sequence[Member]) -> Origin:
        """Copy the directory. `members`: of the cluster that is asked for. Blocks.

        Raises StartupError: it is no such directory, of other nodes, or cannot be read.
        """
        try:
            return cls._take(given, copy, members)
        except shutil.Error as error:  # a list of what could not be copied, and why
            source, _, why = error.args[0][0]
            raise StartupError(f"{given} cannot be copied: {source}: {why}") from error
        except OSError as error:
            raise StartupError(f"{given} cannot be copied: {error.filename}: {error.strerror}") from error

    @classmethod
    def _take(cls, given: Path, copy: Path, members: Sequence[Member]) -> Origin:
        found = _nodes_in(given)
        for root in found.values():
            _check_root(root)
        copy.mkdir(parents=True)
        for name, root in found.items():
            shutil.copytree(root, copy / (name or NODE_PREFIX), ignore=LEFT_OUT)
        with suppress(FileNotFoundError):
            shutil.copy(given / CONTROLLER_PORTS_FILE, copy)
        if "" not in found:
            changes = MemberChanges.read(given)
            members = changes.applied_to(members, given)
            _check_members(given, found, members, changes)
            return cls(given, copy, tuple(members), _settings_of(next(iter(found.values()))))
        if len(members) > 1:
            raise StartupError(f"{given} is the directory of one node, and a cluster of {len(members)} is asked for")
        try:
            identity = read_identity(_log_directories(copy / NODE_PREFIX)[0])
        except StoreError as error:
            raise StartupError(str(error).replace(str(copy / NODE_PREFIX), str(given))) from None
        assert identity is not None, f"{given} had {META_PROPERTIES}"
        (copy / NODE_PREFIX).rename(copy / f"{NODE_PREFIX}{identity.node_id}")
        _check_voters(given, identity.node_id)
        return cls(given, copy, (members[0]._replace(node_id=identity.node_id),), _settings_of(given))

    def restore_to(self, directory: Path) -> None:
        """Have the nodes below a directory begin with it. Blocks. Raises OSError.

        The files are those of now: what counts from the last write to a log begins with the test.
        """
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(self.copy, directory, copy_function=shutil.copy)

    async def settle(self, nodes: ControlledNodes) -> None:
        """Once the nodes run: forget the listeners of the broker that has written it.

        Raises StartupError: some of its topics are elsewhere; KafkaError.
        """
        self._check_replicas(nodes)
        resources = [
            AlterConfigsResource(
                resource_type=BROKER_RESOURCE,
                resource_name=name,
                configs=[AlterableConfig(name=each, config_operation=DELETE) for each in OF_LISTENERS if each in given],
            )
            for (kind, name), given in nodes.image.configs.items()
            if kind == BROKER_RESOURCE and any(each in given for each in OF_LISTENERS)
        ]
        if not resources:
            return
        answer = await nodes.ask(
            nodes.brokers[0], IncrementalAlterConfigsRequest(resources=resources), IncrementalAlterConfigsResponse
        )
        for response in answer.responses:
            check(response.error_code, response.error_message)
        with trio.fail_after(FOLLOW_SECONDS):
            while any(  # noqa: ASYNC110  # brokers hear of it in a moment
                each in given
                for node in nodes.brokers
                for (kind, _), given in node.broker.metadata.image.configs.items()
                if kind == BROKER_RESOURCE
                for each in OF_LISTENERS
            ):
                await trio.sleep(LOOK_AGAIN_SECONDS)

    def _check_replicas(self, nodes: ControlledNodes) -> None:
        ours = {member.node_id for member in self.members}
        directories = {each for node in nodes.running() for each in node.directories.directory_ids}
        for topic in nodes.image.topics.values():
            for index, partition in enumerate(topic.partitions):
                others = sorted(set(partition.replicas) - ours)
                if others:
                    raise StartupError(
                        f"{self.given} is one node's part of a cluster: {topic.name}-{index} has replicas on the nodes "
                        f"{', '.join(map(str, others))}, whose directories it lacks"
                    )
                for each in partition.directories:
                    if each not in directories and int.from_bytes(each) >= RESERVED_DIRECTORY_IDS:
                        raise StartupError(
                            f"{self.given} is one of several log.dirs: {topic.name}-{index} is in another one; take "
                            "the directory that holds them all"
                        )


def _nodes_in(given: Path) -> Mapping[str, Path]:
    """The data directories: by name those that `kafkapy cluster` has made, or that of one node, under no name.

    Raises StartupError: there are none.
    """
    if not given.is_dir():
        raise StartupError(f"{given} is no directory{'' if given.exists() else ': there is nothing of that name'}")
    if (given / META_PROPERTIES).is_file():
        return {"": given}
    nodes = sorted(each for each in given.iterdir() if each.name.removeprefix(NODE_PREFIX).isdecimal())
    if any(_log_directories(each) for each in nodes):
        return {each.name: each for each in nodes if _log_directories(each)}
    below = _log_directories(given)
    if len(below) > 1 and any(_has_metadata(each) for each in below) and len(set(map(_node_id, below))) == 1:
        return {"": given}
    hint = f" (did you mean {str(below[0])!r}?)" if below else ""
    raise StartupError(
        f"{given} has no {META_PROPERTIES}, so that it is no data directory of a broker, which log.dirs names{hint}"
    )


def _log_directories(root: Path) -> list[Path]:
    """The log directories of a node: its directory, or those below it. Raises OSError."""
    if (root / META_PROPERTIES).is_file():
        return [root]
    return sorted(each for each in root.iterdir() if (each / META_PROPERTIES).is_file()) if root.is_dir() else []


def _has_metadata(directory: Path) -> bool:
    return (directory / METADATA).is_dir() or (directory / BOOTSTRAP).is_file()


def _node_id(directory: Path) -> str:
    """As meta.properties has it, which stays unchanged. Raises OSError."""
    lines = (directory / META_PROPERTIES).read_text(errors="replace").splitlines()
    return next((line.partition("=")[2].strip() for line in lines if line.startswith("node.id=")), "")


def _metadata_directory(root: Path) -> Path:
    """That of the node's log directories which has the metadata log. Raises OSError."""
    directories = _log_directories(root)
    return next((each for each in directories if _has_metadata(each)), directories[0])


def _settings_of(root: Path) -> Mapping[str, str]:
    """Raises OSError."""
    directories = _log_directories(root)
    if directories == [root]:
        return {}
    names = [each.name for each in directories]
    return {"log.dirs": ",".join(names), "metadata.log.dir": _metadata_directory(root).name}


def _check_root(root: Path) -> None:
    """Raises StartupError: it cannot be that of a node, or a broker uses it now; OSError."""
    metadata_directory = _metadata_directory(root)
    if not _has_metadata(metadata_directory):
        text = (metadata_directory / META_PROPERTIES).read_text(errors="replace")
        if "broker.id" in text and "node.id" not in text:
            raise StartupError(f"{root} is of a broker with ZooKeeper: migrate it to KRaft with Apache Kafka 3.9 first")
        raise StartupError(
            f"{root} has no {METADATA}: take the directory that holds all log.dirs of the node, or that of a node that "
            "is a controller, too"
        )
    if any(_is_in_use(each) for each in _log_directories(root)):
        raise StartupError(f"{root} is in use by a broker now: stop it first, so that the copy is whole")


def _is_in_use(root: Path) -> bool:
    """Raises OSError."""
    try:
        fd = os.open(root / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError:  # it cannot be asked; most likely it is another user's, who keeps it
        return False
    try:
        if sys.platform == "linux":
            asked = _RECORD_LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            found: Any = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked)
            return bool(_RECORD_LOCK.unpack(found)[0] != fcntl.F_UNLCK)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return True
        raise
    finally:
        os.close(fd)


def _check_members(given: Path, found: Mapping[str, Path], members: Sequence[Member], changes: MemberChanges) -> None:
    """Raises StartupError."""
    ids = sorted(int(name.removeprefix(NODE_PREFIX)) for name in found)
    if ids != [member.node_id for member in members]:
        raise StartupError(
            f"{given} is of a cluster of the nodes {', '.join(map(str, ids))}, and one of {len(members)} is asked for: "
            f"Kafka(nodes={len(changes.started_with or ids)}), or fewer with `controllers`, as it was started"
        )


def _check_voters(given: Path, node_id: int) -> None:
    """Of a quorum whose voters are in settings (kraft.version 0) this file says who they were. Raises StartupError."""
    try:
        with (_metadata_directory(given) / METADATA / QUORUM_STATE).open("rb") as file:
            state = json.loads(file.read(QUORUM_STATE_BYTES_MAX))
        voters = sorted({int(each["voterId"]) for each in state.get("currentVoters") or ()})
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return  # the node says what is wrong with it
    if voters and voters != [node_id]:
        raise StartupError(
            f"{given} is one node's part of a cluster whose controllers are {', '.join(map(str, voters))}: a directory "
            "of a node that is alone, broker and controller, can be a starting state"
        )
