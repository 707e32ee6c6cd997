"""What ends a command. Each error's text is the one line that tells its user what is wrong and what to do."""

from __future__ import annotations

from kafkapy_wire.errors import ErrorCode, error_code


class ClientError(Exception):
    """The command cannot be done."""


class Refused(ClientError):
    """A broker said no, and would say so again."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class TryAgain(ClientError):
    """Not now, perhaps soon: raised by an attempt, ended by `Cluster.retrying`, which raises it when time is up."""

    def __init__(self, text: str, *, refresh_metadata: bool = False) -> None:
        super().__init__(text)
        self.refresh_metadata = refresh_metadata


class ConnectionLost(TryAgain):
    """The peer closed the connection, or never was there. What was asked may have been done."""

    def __init__(self, text: str) -> None:
        super().__init__(text, refresh_metadata=True)


class NotConnected(ConnectionLost):
    """There was no connection: nobody listens there, or nobody answers."""


def check(code: int, what: str, message: str | None = None) -> None:
    """Nothing where `code` is NONE. `what` says what was tried: `topic 'orders'`, `group 'billing'`.

    Raises TryAgain for a code that Kafka calls retriable, otherwise Refused.
    """
    if code == 0:
        return
    error = error_code(code)
    text = f"{what}: {error_text(code, message)}"
    if error.retriable:
        raise TryAgain(text, refresh_metadata=error.refreshes_metadata)
    raise Refused(error, text)


def error_text(code: int, message: str | None = None) -> str:
    """What a code means, in the broker's words if it has said any, and its name."""
    error = error_code(code)
    words = _plain_words(error)
    if words is not NOT_ALLOWED:
        return f"{message or words} ({error.name})"
    # Of some APIs brokers say "Topic authorization failed." here, of others nothing: neither says what to do.
    told = (message or "").rstrip(".")
    return f"{f'{told}: ' if told and not told.lower().endswith(_SAYS_NO_MORE) else ''}{words} ({error.name})"


NOT_ALLOWED = "no ACL allows this user to do it, or one denies it: see `kafkapy acls`"
_SAYS_NO_MORE = "authorization failed"
_WORDS = {
    ErrorCode.UNKNOWN_SERVER_ERROR: "the broker failed, its log says why",
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: "does not exist",
    ErrorCode.LEADER_NOT_AVAILABLE: "has no leader",
    ErrorCode.NOT_LEADER_OR_FOLLOWER: "has moved to another broker",
    ErrorCode.TOPIC_ALREADY_EXISTS: "exists already",
    ErrorCode.INVALID_PARTITIONS: "the number of partitions is below 1, or not above the present one",
    ErrorCode.INVALID_REPLICATION_FACTOR: "more replicas than brokers, or less than 1",
    ErrorCode.INVALID_TOPIC_EXCEPTION: "a name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'",
    ErrorCode.INVALID_GROUP_ID: "the name of a group may not be empty",
    ErrorCode.MESSAGE_TOO_LARGE: "a record is larger than max.message.bytes allows",
    ErrorCode.OFFSET_OUT_OF_RANGE: "there is no such offset",
    ErrorCode.GROUP_ID_NOT_FOUND: "does not exist",
    ErrorCode.BROKER_ID_NOT_REGISTERED: "is not registered",
    ErrorCode.NO_REASSIGNMENT_IN_PROGRESS: "no reassignment is in progress",
    ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE: "its preferred leader is not in sync, or not there",
    ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE: "none of its replicas is there",
    ErrorCode.DUPLICATE_VOTER: "is a voter already",
    ErrorCode.VOTER_NOT_FOUND: "is no voter",
    ErrorCode.NON_EMPTY_GROUP: "has active members: stop them first",
    ErrorCode.UNKNOWN_MEMBER_ID: "has active members: stop them first",
    ErrorCode.COORDINATOR_NOT_AVAILABLE: "has no coordinator yet; if it stays so, the brokers' logs say why",
    ErrorCode.NOT_ENOUGH_REPLICAS: "fewer replicas are in sync than min.insync.replicas asks for",
    ErrorCode.THROTTLING_QUOTA_EXCEEDED: (
        "the quota controller_mutation_rate is used up, wait or see `kafkapy quotas describe`"
    ),
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: NOT_ALLOWED,
    ErrorCode.GROUP_AUTHORIZATION_FAILED: NOT_ALLOWED,
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: NOT_ALLOWED,
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: NOT_ALLOWED,
    ErrorCode.DELEGATION_TOKEN_AUTHORIZATION_FAILED: NOT_ALLOWED,
}


def _plain_words(error: ErrorCode) -> str:
    return _WORDS.get(error) or error.name.lower().replace("_", " ")
