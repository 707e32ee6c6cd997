"""What an error of the disk means for what may be promised afterwards, and what the user can do about it.

A full disk passes: what was not written is cut off, and the log goes on when there is room. After any other error of a
write, and after any failed fsync, nobody can tell what the file holds: the log takes no more until it is opened anew.
"""

import errno
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
    """KAFKA_STORAGE_ERROR of one partition, or of what is named in its place: the disk has refused something, or holds
    bytes that cannot be right. What was asked for is not done.
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
    """A context in which what the disk refuses, and bytes on it that cannot be right, raise a StorageError.

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
    """Whether what the disk has refused may be asked for again, and be believed then."""
    if isinstance(error, StorageError):
        error = error.cause
    return isinstance(error, OSError) and not isinstance(error, SyncFailed) and error.errno in _PASSING


def what_to_do(error: BaseException | None) -> str:
    """For the end of a line that tells the user of `error`, behind a colon. Bytes that are wrong are no OSError."""
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
    return "check its owner and permissions, or name another directory"
