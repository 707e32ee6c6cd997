"""AlterUserScramCredentials and DescribeUserScramCredentials (KIP-554)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from kafkapy_controller.decision import Decision, Steps
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_controller.metadata_version import SCRAM
from kafkapy_controller.scram import ITERATIONS_MAX, ITERATIONS_MIN, SCRAM_MECHANISMS, salted_credential
from kafkapy_wire.errors import ErrorCode, KafkaError
from kafkapy_wire.messages.alter_user_scram_credentials import ScramCredentialDeletion, ScramCredentialUpsertion
from kafkapy_wire.record_formats.metadata import RemoveUserScramCredentialRecord

MECHANISMS = {mechanism.type: name for name, mechanism in SCRAM_MECHANISMS.items()}


Alteration: TypeAlias = ScramCredentialDeletion | ScramCredentialUpsertion


def decide_alter_credentials(
    image: MetadataImage, deletions: Sequence[ScramCredentialDeletion], upsertions: Sequence[ScramCredentialUpsertion]
) -> Steps[Decision[list[tuple[str, KafkaError | None]]]]:
    """The error, or None, of each user: those without one first, as in Apache Kafka.

    A user is altered once: with a deletion and an upsertion, or several of one kind, nothing of it is carried out.
    """
    errors: dict[str, KafkaError] = {}
    wanted: dict[str, Alteration] = {}
    asked: list[Alteration] = [*deletions, *upsertions]
    for each in asked:
        if each.name not in errors:
            try:
                if wanted.pop(each.name, None) is not None:
                    raise KafkaError(
                        ErrorCode.DUPLICATE_RESOURCE,
                        "A user credential cannot be altered twice in the same request",
                    )
                _check(image, each)
                wanted[each.name] = each
            except KafkaError as error:
                errors[each.name] = error.with_traceback(None)
        yield
    records: list[MetadataRecord] = []
    for user, each in list(wanted.items()):
        if isinstance(each, ScramCredentialDeletion):
            records.append(RemoveUserScramCredentialRecord(name=user, mechanism=each.mechanism))
        elif not each.salted_password:
            # Java has no HMAC with an empty key.
            errors[user] = KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, None)
            del wanted[user]
        else:
            records.append(
                salted_credential(user, MECHANISMS[each.mechanism], each.salt, each.salted_password, each.iterations)
            )
        yield
    return Decision(records, [(user, None) for user in wanted] + list(errors.items()))


def _check(image: MetadataImage, asked: Alteration) -> None:
    """Raises KafkaError: UNSUPPORTED_VERSION, UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM,
    RESOURCE_NOT_FOUND.
    """
    if image.metadata_version < SCRAM:
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, "The current metadata.version does not support SCRAM")
    if not asked.name:
        raise KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Username must not be empty")
    if asked.mechanism not in MECHANISMS:
        raise KafkaError(ErrorCode.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism")
    if isinstance(asked, ScramCredentialUpsertion):
        if asked.iterations < ITERATIONS_MIN:
            raise KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Too few iterations")
        if asked.iterations > ITERATIONS_MAX:
            raise KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Too many iterations")
    elif (asked.name, asked.mechanism) not in image.scram_credentials:
        raise KafkaError(ErrorCode.RESOURCE_NOT_FOUND, "Attempt to delete a user credential that does not exist")


class DescribedUser(NamedTuple):
    """`credentials`: (mechanism, iterations)."""

    name: str
    credentials: list[tuple[int, int]]
    error: KafkaError | None = None


def describe_credentials(image: MetadataImage, users: Sequence[str]) -> Steps[list[DescribedUser]]:
    """Of all users if none is named."""
    by_user: dict[str, list[tuple[int, int]]] = {}
    for (user, mechanism), record in image.scram_credentials.items():
        by_user.setdefault(user, []).append((mechanism, record.iterations))
        yield
    counts: dict[str, int] = {} if users else dict.fromkeys(by_user, 1)
    for user in users:
        counts[user] = counts.get(user, 0) + 1
        yield
    described = []
    for user, count in counts.items():
        error = None
        if count > 1:
            error = KafkaError(
                ErrorCode.DUPLICATE_RESOURCE,
                f"Cannot describe SCRAM credentials for the same user twice in a single request: {user}",
            )
        elif user not in by_user:
            error = KafkaError(
                ErrorCode.RESOURCE_NOT_FOUND, f"Attempt to describe a user credential that does not exist: {user}"
            )
        described.append(DescribedUser(user, [] if error else sorted(by_user[user]), error))
        yield
    return described
