"""Who may use a data directory: its lock, and meta.properties with its cluster, its node and its own id (KIP-858)."""

import errno
import fcntl
import os
import re
import struct
import sys
from pathlib import Path
from typing import Final, NamedTuple

from kafkapy_log.checkpoint_files import META_PROPERTIES, CorruptFileError, parse_properties, properties
from kafkapy_log.durable_files import read_file, replace_file
from kafkapy_wire.uuid import Uuid, parse_uuid, random_uuid, uuid_text

LOCK: Final = ".lock"
_RECORD_LOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit Linux: type, whence, start, length (0: all), pid
_CLUSTER_ID: Final = re.compile(r"[!-~]+")
_RESTORE: Final = "restore it from a copy, or name another directory"


class StoreError(Exception):
    """The directory cannot be used. The message is one line: why, and what to do."""


class UnusableDirectory(StoreError):
    """The disk has an error there: what is in the other directories of the node can be used all the same."""


class Identity(NamedTuple):
    """The content of meta.properties."""

    cluster_id: str
    node_id: int
    directory_id: Uuid


def read_identity(directory: Path) -> Identity | None:
    """The identity in the directory; None if it was never used. Adds a directory.id if Kafka before 3.7 has made it.

    Raises StoreError, OSError.
    """
    path = directory / META_PROPERTIES
    try:
        content = parse_properties(read_file(path))
    except FileNotFoundError:
        return None
    except CorruptFileError as error:
        raise StoreError(f"{path} cannot be read ({error}): {_RESTORE}") from error
    if content.get("version") != "1" or "cluster.id" not in content or "node.id" not in content:
        raise StoreError(f"{path} is not of version 1 with cluster.id and node.id: {_RESTORE}")
    cluster_id, node_id = content["cluster.id"], content["node.id"]
    if not _CLUSTER_ID.fullmatch(cluster_id):
        raise StoreError(f"{path} cannot be read (cluster.id is {cluster_id[:40]!r}): {_RESTORE}")
    if not (node_id.isascii() and node_id.isdecimal() and len(node_id) <= 10):
        raise StoreError(f"{path} cannot be read (node.id is {node_id[:40]!r}): {_RESTORE}")
    try:
        directory_id = parse_uuid(content["directory.id"]) if "directory.id" in content else random_uuid()
    except ValueError:
        raise StoreError(
            f"{path} cannot be read (directory.id is {content['directory.id'][:40]!r}): {_RESTORE}"
        ) from None
    identity = Identity(cluster_id, int(node_id), directory_id)
    if "directory.id" not in content:
        write_identity(directory, identity, fsync=True)
    return identity


def check_cluster_id(cluster_id: str) -> None:
    """Raises StoreError: the cluster id cannot be written into meta.properties."""
    if not _CLUSTER_ID.fullmatch(cluster_id) or set(cluster_id) & set("\\:=#!"):
        raise StoreError(
            f"the cluster id {cluster_id[:40]!r} is not valid: it may hold visible ASCII characters, no spaces"
        )


def write_identity(directory: Path, identity: Identity, *, fsync: bool) -> None:
    """Raises StoreError: the cluster id cannot be written into the file; OSError."""
    check_cluster_id(identity.cluster_id)
    content = {
        "version": "1",
        "cluster.id": identity.cluster_id,
        "node.id": str(identity.node_id),
        "directory.id": uuid_text(identity.directory_id),
    }
    replace_file(directory / META_PROPERTIES, properties(content), fsync=fsync)


def take_identity(directory: Path, cluster_id: str | None, node_id: int, *, fsync: bool) -> Identity:
    """The directory's identity; a new directory gets one, with `cluster_id` if that is given.

    Raises StoreError: it belongs to another node or cluster; OSError.
    """
    identity = read_identity(directory)
    if identity is None:
        identity = Identity(uuid_text(random_uuid()) if cluster_id is None else cluster_id, node_id, random_uuid())
        write_identity(directory, identity, fsync=fsync)
        return identity
    if identity.node_id != node_id:
        raise StoreError(
            f"{directory} belongs to node.id {identity.node_id}, not {node_id}: set node.id={identity.node_id}, or "
            "name another directory"
        )
    if cluster_id is not None and identity.cluster_id != cluster_id:
        raise StoreError(
            f"{directory} belongs to cluster.id {identity.cluster_id}, not {cluster_id}: name the directory of that "
            "cluster, or an empty one"
        )
    return identity


def lock_directory(directory: Path) -> int:
    """Lock the directory until the descriptor is closed, also against Apache Kafka and other stores of this process."""
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if sys.platform == "linux":
            # A record lock of the open file description: it conflicts with the record lock that Java takes, yet is not
            # lost when this process closes some other descriptor of the file.
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _RECORD_LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise StoreError(
                f"the data directory {directory} is in use by another broker: stop it, or name another directory"
            ) from error
        raise
    return fd


def why_lost(directory: Path, lock_fd: int) -> str | None:
    """Why `directory` is no longer the directory that was locked with `lock_fd`, in words; None if it still is."""
    lock = directory / LOCK
    try:
        found = lock.stat()
    except FileNotFoundError:
        return f"{lock if directory.exists() else f'the data directory {directory}'} is gone"
    except OSError as error:
        return f"the data directory {directory} cannot be used any more ({error.strerror})"
    if os.path.samestat(found, os.fstat(lock_fd)):
        return None
    return f"the data directory {directory} was replaced by another"
