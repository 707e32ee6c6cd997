"""Client quotas, SCRAM credentials; and what a cluster without authorizer and secret key says of ACLs and tokens."""

from __future__ import annotations

from compat_tests.differential.acl_filters import deletion_of, description_of
from compat_tests.differential.peer import Peer
from compat_tests.differential.registry import scenario
from kafkapy_wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData,
    OpData,
)
from kafkapy_wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from kafkapy_wire.messages.create_acls import AclCreation, CreateAclsRequest
from kafkapy_wire.messages.create_delegation_token import CreatableRenewers, CreateDelegationTokenRequest
from kafkapy_wire.messages.delete_acls import DeleteAclsRequest
from kafkapy_wire.messages.describe_acls import DescribeAclsRequest
from kafkapy_wire.messages.describe_client_quotas import ComponentData, DescribeClientQuotasRequest
from kafkapy_wire.messages.describe_delegation_token import DescribeDelegationTokenOwner, DescribeDelegationTokenRequest
from kafkapy_wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName
from kafkapy_wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from kafkapy_wire.messages.renew_delegation_token import RenewDelegationTokenRequest

Entity = dict[str, str | None]
EXACT, DEFAULT, SPECIFIED = 0, 1, 2
SHA_256, SHA_512 = 1, 2


def alteration(entity: Entity, *operations: tuple[str, float | None]) -> AlterClientQuotasRequestEntryData:
    """None removes a quota."""
    return AlterClientQuotasRequestEntryData(
        entity=[
            AlterClientQuotasRequestEntityData(entity_type=kind, entity_name=name) for kind, name in entity.items()
        ],
        ops=[OpData(key=key, value=value or 0.0, remove=value is None) for key, value in operations],
    )


def describe(peer: Peer, label: str, *components: tuple[str, int, str | None], strict: bool = False) -> None:
    asked = [
        ComponentData(entity_type=kind, match_type=match_type, match=match) for kind, match_type, match in components
    ]
    peer.ask_versions(DescribeClientQuotasRequest(components=asked, strict=strict), f"{label}, strict={strict}")


@scenario
def quotas_are_altered(peer: Peer) -> None:
    def alter(label: str, *entries: AlterClientQuotasRequestEntryData, validate_only: bool = False) -> None:
        for version in (0, 1):
            peer.ask(AlterClientQuotasRequest(entries=list(entries), validate_only=validate_only), version, label)

    produce, consume, request = "producer_byte_rate", "consumer_byte_rate", "request_percentage"
    user: Entity = {"user": "quota-user"}
    alter("only validated", alteration(user, (produce, 9.0)), validate_only=True)
    describe(peer, "nothing yet", ("user", EXACT, "quota-user"))
    alter("a user", alteration(user, (produce, 1_024.0), (request, 12.5)))
    alter("the same again", alteration(user, (produce, 1_024.0)))
    alter("the default user", alteration({"user": None}, (consume, 1e6)))
    alter("a client id", alteration({"client-id": "quota-client"}, ("controller_mutation_rate", 0.5)))
    alter("both", alteration({"user": "quota-user", "client-id": None}, (produce, 2.0)))
    alter("an address", alteration({"ip": "10.1.2.3"}, ("connection_creation_rate", 5.0)))
    alter("an IPv6 address", alteration({"ip": "fe80::1"}, ("connection_creation_rate", 5.0)))
    alter("every address", alteration({"ip": None}, ("connection_creation_rate", 50.0)))
    alter("removed", alteration(user, (request, None)))
    alter("removed, was not there", alteration(user, (consume, None), ("no_such_quota", None)))
    for label, components in {
        "all": (),
        "a user": (("user", EXACT, "quota-user"),),
        "default user": (("user", DEFAULT, None),),
        "any user": (("user", SPECIFIED, None),),
        "any user and client": (("user", SPECIFIED, None), ("client-id", SPECIFIED, None)),
        "user and default client": (("user", EXACT, "quota-user"), ("client-id", DEFAULT, None)),
        "any address": (("ip", SPECIFIED, None),),
        "no such user": (("user", EXACT, "quota-nobody"),),
        "empty name": (("user", EXACT, ""),),
    }.items():
        describe(peer, label, *components)
        describe(peer, label, *components, strict=True)
    # They would hold for the other scenarios, too.
    alter("the default user, removed", alteration({"user": None}, (consume, None)))
    alter("every address, removed", alteration({"ip": None}, ("connection_creation_rate", None)))


@scenario
def wrong_quotas_are_refused(peer: Peer) -> None:
    user: Entity = {"user": "quota-wrong"}
    produce = "producer_byte_rate"
    entities: dict[str, Entity] = {
        "no entity": {},
        "unknown type": {"group": "a"},
        "empty user": {"user": ""},
        "empty client id": {"client-id": ""},
        "empty address": {"ip": ""},
        "an address and a user": {"ip": "10.0.0.1", "user": "a"},
        "an address and a client id": {"ip": None, "client-id": None},
        "no address": {"ip": "no such host.invalid"},
        "an address that is none": {"ip": "1.2.3.4.5"},
    }
    for label, entity in entities.items():
        peer.ask(AlterClientQuotasRequest(entries=[alteration(entity, (produce, 1.0))]), 1, label)
    values: dict[str, tuple[Entity, tuple[tuple[str, float | None], ...]]] = {
        "unknown key": (user, (("no_such_quota", 1.0),)),
        "key of addresses": (user, (("connection_creation_rate", 1.0),)),
        "key of users": ({"ip": "10.0.0.1"}, ((produce, 1.0),)),
        "zero": (user, ((produce, 1e-300 * 1e-300),)),
        "negative": (user, ((produce, -1.0),)),
        "infinite": (user, ((produce, float("inf")),)),
        "not a number": (user, ((produce, float("nan")),)),
        "a fraction of a byte": (user, ((produce, 1.5),)),
        "a tiny fraction": (user, ((produce, 7.0000001),)),
        "a fraction of a per cent": (user, (("request_percentage", 1.5),)),
        "too large for a long": (user, ((produce, 1e19),)),
        "the largest long": (user, ((produce, 9.223372036854776e18),)),
        "too large for an int": ({"ip": "10.0.0.1"}, (("connection_creation_rate", 2147483648.0),)),
        "a key twice": (user, ((produce, 1.0), (produce, 2.0))),
        "one of two is wrong": (user, (("consumer_byte_rate", 3.0), ("no_such_quota", 1.0))),
        "no operation": (user, ()),
    }
    for label, (entity, operations) in values.items():
        peer.ask(AlterClientQuotasRequest(entries=[alteration(entity, *operations)]), 1, label)
    both: Entity = {"user": "quota-wrong", "client-id": "c"}
    twice = [alteration(both, (produce, 1.0)), alteration(both, (produce, 2.0))]
    peer.ask(AlterClientQuotasRequest(entries=twice), 1, "an entity twice")
    mixed = [alteration({"user": "quota-good"}, (produce, 5.0)), alteration(user, ("no_such_quota", 1.0))]
    peer.ask(AlterClientQuotasRequest(entries=mixed), 1, "one entity is wrong")
    peer.ask(AlterClientQuotasRequest(entries=[]), 1, "nothing")
    for name in ("quota-wrong", "quota-good"):
        describe(peer, name, ("user", EXACT, name))
    filters: dict[str, tuple[tuple[str, int, str | None], ...]] = {
        "empty type": (("", EXACT, "a"),),
        "type twice": (("user", EXACT, "a"), ("user", DEFAULT, None)),
        "unknown type": (("group", EXACT, "a"),),
        "unknown match type": (("user", 3, None),),
        "negative match type": (("user", -1, None),),
        "exact without match": (("user", EXACT, None),),
        "default with match": (("user", DEFAULT, "a"),),
        "any with match": (("user", SPECIFIED, "a"),),
        "address and user": (("ip", SPECIFIED, None), ("user", SPECIFIED, None)),
        "address and client id": (("client-id", DEFAULT, None), ("ip", EXACT, "1.2.3.4")),
    }
    for label, components in filters.items():
        describe(peer, label, *components)


def upsertion(
    name: str, mechanism: int = SHA_256, iterations: int = 4_096, salted: bytes = b"salted"
) -> ScramCredentialUpsertion:
    return ScramCredentialUpsertion(
        name=name, mechanism=mechanism, iterations=iterations, salt=b"salt", salted_password=salted
    )


@scenario
def users_of_scram_are_altered(peer: Peer) -> None:
    def alter(label: str, *asked: ScramCredentialUpsertion | ScramCredentialDeletion) -> None:
        request = AlterUserScramCredentialsRequest(
            upsertions=[each for each in asked if isinstance(each, ScramCredentialUpsertion)],
            deletions=[each for each in asked if isinstance(each, ScramCredentialDeletion)],
        )
        peer.ask(request, 0, label)

    def deletion(name: str, mechanism: int = SHA_256) -> ScramCredentialDeletion:
        return ScramCredentialDeletion(name=name, mechanism=mechanism)

    alter("nothing")
    alter("two users", upsertion("scram-a"), upsertion("scram-b", SHA_512, 16_384))
    alter("another mechanism", upsertion("scram-a", SHA_512, 8_192))
    alter("changed", upsertion("scram-a", SHA_256, 5_000))
    for label, users in {"all": None, "none named": [], "one": ["scram-a"], "both": ["scram-b", "scram-a"]}.items():
        named = None if users is None else [UserName(name=user) for user in users]
        peer.ask(DescribeUserScramCredentialsRequest(users=named), 0, label)
    for label, users in {"twice": ["scram-a"] * 2, "nobody": ["scram-x", "scram-a"], "empty": [""]}.items():
        peer.ask(DescribeUserScramCredentialsRequest(users=[UserName(name=user) for user in users]), 0, label)
    alter("an empty name", upsertion(""), deletion(""))
    alter("an empty name deleted", deletion(""))
    alter("unknown mechanisms", upsertion("scram-c", 0), upsertion("scram-d", 3), deletion("scram-e", -1))
    alter("iterations", upsertion("scram-c", iterations=4_095), upsertion("scram-d", iterations=16_385))
    alter("negative iterations", upsertion("scram-c", iterations=-1))
    alter("an empty password", upsertion("scram-c", salted=b""), upsertion("scram-b"))
    alter("twice", upsertion("scram-c"), upsertion("scram-c", SHA_512))
    alter("three times", upsertion("scram-c"), upsertion("scram-c", SHA_512), upsertion("scram-c"))
    alter("deleted and made", deletion("scram-a"), upsertion("scram-a"))
    alter("deleted twice", deletion("scram-a"), deletion("scram-a", SHA_512))
    alter("a wrong one twice", upsertion("scram-c", iterations=1), upsertion("scram-c"))
    alter("deleted, not there", deletion("scram-x"), deletion("scram-b", 7))
    alter("one is wrong", deletion("scram-b", SHA_512), upsertion("scram-c", iterations=1), upsertion("scram-d"))
    peer.ask(DescribeUserScramCredentialsRequest(users=None), 0, "in the end")
    alter("all gone", deletion("scram-a"), deletion("scram-b"), deletion("scram-d"))
    alter("the rest", deletion("scram-a", SHA_512))
    peer.ask(DescribeUserScramCredentialsRequest(users=None), 0, "nobody is left")


@scenario
def without_an_authorizer_there_are_no_acls(peer: Peer) -> None:
    topic, literal, all_operations, allow, any_ = 2, 3, 2, 3, 1
    acl = AclCreation(
        resource_type=topic,
        resource_name="t",
        resource_pattern_type=literal,
        principal="User:a",
        host="*",
        operation=all_operations,
        permission_type=allow,
    )
    peer.ask_versions(CreateAclsRequest(creations=[acl, acl]), "two")
    peer.ask_versions(CreateAclsRequest(creations=[]), "none")
    everything = deletion_of()
    peer.ask_versions(DeleteAclsRequest(filters=[everything]), "all")
    peer.ask_versions(DeleteAclsRequest(filters=[]), "none")
    described = description_of()
    peer.ask_versions(described, "all")
    for field in ("resource_type_filter", "pattern_type_filter", "operation", "permission_type"):
        for number in (0, 99):
            wrong = DescribeAclsRequest(
                resource_type_filter=any_, pattern_type_filter=any_, operation=any_, permission_type=any_
            )
            setattr(wrong, field, number)
            peer.ask(wrong, 3, f"{field} {number}", peer.connect())
    acl.operation = 0
    peer.ask(CreateAclsRequest(creations=[acl]), 3, "unknown operation", peer.connect())
    everything.permission_type = 0
    peer.ask(DeleteAclsRequest(filters=[everything]), 3, "unknown permission type", peer.connect())


@scenario
def clients_that_have_not_authenticated_get_no_tokens(peer: Peer) -> None:
    renewers = [CreatableRenewers(principal_type="User", principal_name="b")]
    peer.ask_versions(CreateDelegationTokenRequest(renewers=renewers, max_lifetime_ms=-1), "own")
    other = CreateDelegationTokenRequest(owner_principal_type="User", owner_principal_name="a")
    peer.ask(other, 3, "of another")
    wrong = [CreatableRenewers(principal_type="Group", principal_name="b")]
    peer.ask_versions(CreateDelegationTokenRequest(renewers=wrong), "a renewer that is no user")
    peer.ask_versions(RenewDelegationTokenRequest(hmac=b"x"), "any")
    peer.ask_versions(ExpireDelegationTokenRequest(hmac=b"x", expiry_time_period_ms=-1), "any")
    for label, owners in {"all": None, "none": [], "one": ["a"]}.items():
        named = None
        if owners is not None:
            named = [DescribeDelegationTokenOwner(principal_type="User", principal_name=owner) for owner in owners]
        peer.ask_versions(DescribeDelegationTokenRequest(owners=named), label)
