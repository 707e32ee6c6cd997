"""AlterUserScramCredentials: the record of a user is that of the password; old levels have no users."""

from __future__ import annotations

import hashlib

from kafkapy_controller.decision import at_once
from kafkapy_controller.image import MetadataImage
from kafkapy_controller.metadata_version import METADATA_VERSION, SCRAM
from kafkapy_controller.scram import credential_record, parse_scram_argument
from kafkapy_controller.scram_credentials import decide_alter_credentials, describe_credentials
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.alter_user_scram_credentials import ScramCredentialDeletion, ScramCredentialUpsertion

from .clusters import apply, cluster

SHA_512 = 2


def upsertion(name: str, password: bytes = b"secret") -> ScramCredentialUpsertion:
    salted = hashlib.pbkdf2_hmac("sha512", password, b"salt", 4_096)
    return ScramCredentialUpsertion(
        name=name, mechanism=SHA_512, iterations=4_096, salt=b"salt", salted_password=salted
    )


def codes(
    image: MetadataImage, deletions: list[ScramCredentialDeletion], upsertions: list[ScramCredentialUpsertion]
) -> tuple[MetadataImage, dict[str, ErrorCode | None]]:
    decision = at_once(decide_alter_credentials(image, deletions, upsertions))
    return apply(image, decision.records), {
        user: None if error is None else error.code for user, error in decision.response
    }


def test_a_credential_is_that_of_kafka_storage_with_the_same_password_and_salt() -> None:
    image, _ = codes(cluster(), [], [upsertion("alice")])
    argument = parse_scram_argument("SCRAM-SHA-512=[name=alice,password=secret,salt=c2FsdA==]")
    assert image.scram_credentials == {("alice", SHA_512): credential_record(argument, b"")}


def test_a_user_is_deleted_and_then_unknown() -> None:
    image, _ = codes(cluster(), [], [upsertion("alice"), upsertion("bob")])
    gone = ScramCredentialDeletion(name="alice", mechanism=SHA_512)
    image, answered = codes(image, [gone], [])
    assert answered == {"alice": None}
    assert [user.name for user in at_once(describe_credentials(image, []))] == ["bob"]
    (alice,) = at_once(describe_credentials(image, ["alice"]))
    assert alice.error is not None
    assert alice.error.code is ErrorCode.RESOURCE_NOT_FOUND
    assert codes(image, [gone], [])[1] == {"alice": ErrorCode.RESOURCE_NOT_FOUND}


def test_a_level_without_scram_refuses_users() -> None:
    image = cluster()
    old = image._replace(features={**image.features, METADATA_VERSION: SCRAM - 1})
    after, answered = codes(old, [], [upsertion("alice")])
    assert answered == {"alice": ErrorCode.UNSUPPORTED_VERSION}
    assert not after.scram_credentials
