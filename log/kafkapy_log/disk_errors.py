"""Disk errors: whether the log can still be written afterwards, and what the user can do.

A full disk passes: the incomplete batch is cut off, and the log goes on when there is room. After any other error of a
write, and after any failed fsync, the content of the file is unknown: the log refuses appends until the next start.
"""

import errno
import os
from typing import Final, Self

from kafkapy_log.indexes import CorruptIndexError
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_TOO_MANY_OPEN: Final = frozenset({errno.EMFILE, errno.ENFILE})
_PASSING: Final = _FULL | _TOO_MANY_OPEN | {errno.EFBIG, errno.ENOMEM}

StorageCause = OSError | MalformedMessage | CorruptIndexError
"""What the system said, or which bytes cannot be right."""


class SyncFailed(OSError):
    """An fsync has failed. It is not tried again: the kernel may have dropped the pages and would report success."""


class StorageError(KafkaError):
    """KAFKA_STORAGE_ERROR of one partition, or of the named file: the disk has refused an operation, or has
    damaged bytes. The operation was not done.
    """

    def __init__(self, subject: object, cause: StorageCause) -> None:
        super().__init__(ErrorCode.KAFKA_STORAGE_ERROR, f"{subject}: {cause}")
        self.subject = str(subject)
        self.cause = cause

    @property
    def passes(self) -> bool:
        """See `passes`."""
        return passes(self.cause)

    @property
    def what_to_do(self) -> str:
        """See `what_to_do`."""
        return what_to_do(self.cause)


class StorageErrors:
    """A context that turns errors of the disk, and errors from damaged bytes on it, into StorageError.

    One object serves all uses: it keeps nothing between `__enter__` and `__exit__`.
    """

    __slots__ = ("_subject",)

    def __init__(self, subject: object) -> None:
        self._subject = subject

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, (OSError, MalformedMessage, CorruptIndexError)):
            raise StorageError(self._subject, error) from error


def passes(error: BaseException | None) -> bool:
    """Whether the operation may be tried again after this error, and its success be trusted."""
    if isinstance(error, StorageError):
        error = error.cause
    return isinstance(error, OSError) and not isinstance(error, SyncFailed) and error.errno in _PASSING


def what_to_do(error: BaseException | None) -> str:
    """What the user can do about `error`: the end of its log line, after a colon. Damaged bytes are not an OSError."""
    if isinstance(error, StorageError):
        error = error.cause
    if not isinstance(error, OSError):
        return "restore it from a copy, or name another directory"
    number = error.errno
    if number in _FULL:
        return "make room on the disk"
    if number == errno.ENOENT:
        return "restore what was deleted from a copy, or name another directory"
    if number == errno.EFBIG:
        return "raise the limit of the size of files (`ulimit -f`)"
    if number in _TOO_MANY_OPEN:
        return "raise the limit of open files (`ulimit -n`)"
    if number == errno.EROFS:
        return "make its file system writable, or name another directory"
    if number == errno.EIO:
        return "see what the system's log (`dmesg`) says of the disk"
    if number in (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
        return "name another directory"
    if number in (errno.EACCES, errno.EPERM):
        owner = f"{os.geteuid()}:{os.getegid()}"
        return f"give it to the user of this process (`chown -R {owner}`), or name another directory"
    return "check its owner and permissions, or name another directory"
