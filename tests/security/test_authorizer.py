"""The authorizer beside Kafka's own StandardAuthorizer, from its jars: the same ACLs, the same decisions."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from random import Random
from time import perf_counter

import pytest

from compat_tests.apache_kafka import JVM_FLAGS, compiled_java, jar_directory, require_tool
from compat_tests.tools import need
from kafkapy.security import acl_index
from kafkapy.security.acl_index import AclIndex
from kafkapy.security.authorizer import StandardAuthorizer
from kafkapy.security.hosts import java_host
from kafkapy_controller.acl import Acl, AclOperation, PatternType, PermissionType, ResourceType, acl_record
from kafkapy_controller.delta import MetadataDelta
from kafkapy_controller.image import EMPTY_IMAGE, MetadataImage
from kafkapy_controller.metadata_records import MetadataRecord
from kafkapy_wire.record_formats.metadata import RemoveAccessControlEntryRecord
from kafkapy_wire.uuid import Uuid

JAVA = Path(__file__).parents[2] / "compat_tests" / "java"
SEEDS = range(40)
RULE_SETS_A_SEED = 50

NAMES = ("a", "ab", "abc", "b", "*", "*a", "kafka-cluster", "hardcode", "é", "x😀")
PRINCIPALS = ("User:alice", "User:bob", "User:*", "Group:alice", "User:a:b")
ASKING = tuple(principal for principal in PRINCIPALS if principal != "User:*")
"""Apache Kafka fails at a client of that name."""
HOSTS = ("1.2.3.4", "10.0.0.1", "::1")
ACL_HOSTS = (*HOSTS, "*", "10.0.0.0/8", "1.2.3.4/32", "::/0", "fd00::/8", "0:0:0:0:0:0:0:1", "nonsense/x")
TYPES = (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.CLUSTER)
OPERATIONS = tuple(operation for operation in AclOperation if operation > AclOperation.ANY)


class Oracle:
    """Kafka's authorizer in a JVM."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def answer(self, lines: Sequence[str]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*lines, "end", sep="\n", file=self._process.stdin, flush=True)
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    jars = need(jar_directory)
    classes = need(lambda: compiled_java("authorizers", JAVA / "Authorizers.java", JAVA / "pom.xml", jars))
    command = [need(lambda: require_tool("java")), *JVM_FLAGS, "-cp", classes, "Authorizers"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)


class Followed:
    """An authorizer with the image that it follows."""

    def __init__(self, super_users: Sequence[str] = (), *, allows_without_acls: bool = False) -> None:
        self.authorizer = StandardAuthorizer(super_users, allows_without_acls=allows_without_acls)
        self._image: MetadataImage = EMPTY_IMAGE
        self._count = 0

    def add(self, *acls: Acl) -> None:
        records: list[MetadataRecord] = []
        for acl in acls:
            self._count += 1
            records.append(acl_record(Uuid(self._count.to_bytes(16, "big")), acl))
        self._replay(records)

    def remove(self, number: int) -> None:
        """The ACL that was added as that one, counted from 0."""
        self._replay([RemoveAccessControlEntryRecord(id=Uuid((number + 1).to_bytes(16, "big")))])

    def _replay(self, records: Sequence[MetadataRecord]) -> None:
        delta = MetadataDelta(self._image)
        for record in records:
            delta.replay(record)
        self._image = delta.apply(self._image.offset + len(records), 1)
        self.authorizer.follow_metadata(self._image, delta)


def random_acl(random: Random) -> Acl:
    return Acl(
        random.choice(TYPES),
        random.choice(NAMES),
        random.choice((PatternType.LITERAL, PatternType.PREFIXED)),
        random.choice(PRINCIPALS),
        random.choice(ACL_HOSTS),
        random.choice(OPERATIONS),
        random.choice((PermissionType.DENY, PermissionType.ALLOW, PermissionType.ALLOW)),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_decisions_are_those_of_kafkas_authorizer(oracle: Oracle, seed: int) -> None:
    """Each seed: 50 rule sets that grow and shrink, with questions after each change."""
    random = Random(seed)
    for _ in range(RULE_SETS_A_SEED):
        super_users = random.choice(([], ["User:bob"], ["User:eve", "Group:alice"]))
        allows = random.random() < 0.3
        ours = Followed(super_users, allows_without_acls=allows)
        lines, decisions = [f"case\t{';'.join(super_users)}\t{str(allows).lower()}"], ""
        acls: list[Acl] = []
        gone: set[int] = set()
        # Rules about the same few things meet each other.
        principals, hosts = random.sample(ASKING, 2), random.sample(HOSTS, 2)
        for _ in range(random.randrange(1, 6)):
            new = {random_acl(random) for _ in range(random.randrange(4))} - set(acls)
            for acl in sorted(new):
                acls.append(acl)
                ours.add(acl)
                lines.append("\t".join(["acl", *map(str, map(plain, acl))]))
            if acls and random.random() < 0.3:
                number = random.randrange(len(acls))
                if number not in gone:
                    gone.add(number)
                    ours.remove(number)
                    lines.append(f"remove\t{number}")
            for principal, host in product(principals, hosts):
                resource_type, name = random.choice(TYPES), random.choice(NAMES)
                operation = random.choice(OPERATIONS[1:])
                arguments = (principal, java_host(host), operation, resource_type)
                lines.append(f"ask\t{principal}\t{host}\t{operation:d}\t{resource_type:d}\t{name}")
                decisions += str(int(ours.authorizer.allows(*arguments, name)))
                if operation not in (AclOperation.ALL, AclOperation.ANY):
                    lines.append(f"some\t{principal}\t{host}\t{operation:d}\t{resource_type:d}")
                    decisions += str(int(ours.authorizer.allows_some(*arguments)))
        assert decisions == oracle.answer(lines), f"seed {seed}:\n" + "\n".join(lines)


def plain(value: object) -> object:
    return int(value) if isinstance(value, int) else value


def test_a_super_user_may_do_everything() -> None:
    ours = Followed(["User:root"])
    deny = Acl(ResourceType.TOPIC, "*", PatternType.LITERAL, "User:*", "*", AclOperation.ALL, PermissionType.DENY)
    ours.add(deny)
    for name, may in (("User:root", True), ("User:other", False)):
        assert ours.authorizer.allows(name, "1.2.3.4", AclOperation.READ, ResourceType.TOPIC, "t") is may
        assert ours.authorizer.allows_some(name, "1.2.3.4", AclOperation.WRITE, ResourceType.TOPIC) is may


def test_a_decision_is_made_again_when_an_acl_changes() -> None:
    ours = Followed()
    allow = Acl(ResourceType.TOPIC, "t", PatternType.LITERAL, "User:a", "*", AclOperation.READ, PermissionType.ALLOW)

    def may_read() -> bool:
        return ours.authorizer.allows("User:a", "1.2.3.4", AclOperation.READ, ResourceType.TOPIC, "t")

    assert not may_read()
    ours.add(allow)
    assert may_read()
    ours.remove(0)
    assert not may_read()


def test_what_many_principals_ask_is_not_remembered_without_bound() -> None:
    ours = Followed()
    for number in range(60_000):
        ours.authorizer.allows(f"User:{number}", "1.2.3.4", AclOperation.READ, ResourceType.TOPIC, "t")
    assert len(ours.authorizer._decisions) <= 50_000


def test_names_that_no_topic_has_are_not_remembered() -> None:
    """A Metadata request may name three thousand of 32 kB each."""
    ours = Followed()
    for number in range(100):
        name = f"{number}{'x' * 32_000}"
        ours.authorizer.allows("User:mallory", "1.2.3.4", AclOperation.READ, ResourceType.TOPIC, name)
    assert sum(len(str(key)) for key in ours.authorizer._decisions) < 32_000


def test_who_may_do_it_to_any_resource_is_not_remembered_without_bound() -> None:
    ours = Followed()
    for number in range(60_000):
        ours.authorizer.allows_some(f"User:{number}", "1.2.3.4", AclOperation.WRITE, ResourceType.TOPIC)
    assert len(ours.authorizer._decisions) <= 50_000


def test_a_decision_does_not_look_at_the_acls_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request may ask for a hundred thousand decisions."""
    index = AclIndex()
    for number in range(1_000):
        who, pattern = f"User:{number}", PatternType.LITERAL if number % 2 else PatternType.PREFIXED
        index.add(Acl(ResourceType.TOPIC, "*", pattern, who, "*", AclOperation.READ, PermissionType.ALLOW))
    looked_at = []

    def takes(acl_host: str, _host: str) -> bool:
        looked_at.append(acl_host)
        return True

    monkeypatch.setattr(acl_index, "_takes", takes)
    for who, allowed in (("User:mallory", False), ("User:7", True)):
        asked = (who, "1.2.3.4", AclOperation.READ, ResourceType.TOPIC, "x")
        assert index.allows(*asked, without_acls=False) is allowed
        assert index.allows_some(*asked[:4]) is allowed
    assert len(looked_at) == 2


def test_removed_prefixes_are_forgotten() -> None:
    index = AclIndex()
    acls = [
        Acl(ResourceType.TOPIC, name, PatternType.PREFIXED, who, "*", AclOperation.READ, PermissionType.ALLOW)
        for name in ("ab", "cd")
        for who in ("User:a", "User:b")
    ]
    for acl in acls:
        index.add(acl)
    for acl in [*acls, *acls]:
        index.remove(acl)
    assert index._by_pattern == {}
    assert index._lengths == {ResourceType.TOPIC: {}}


@pytest.mark.parametrize(
    ("address", "as_java"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "0:0:0:0:0:0:0:1"),
        ("fe80::1%eth0", "fe80:0:0:0:0:0:0:1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_addresses_are_written_as_java_does(address: str, as_java: str) -> None:
    assert java_host(address) == as_java


def figures() -> None:  # pragma: no cover
    """`python -m tests.security.test_authorizer`: the time of a decision with 10,000 ACLs."""
    random = Random(1)
    ours = Followed()
    acls = [
        Acl(
            ResourceType.TOPIC,
            f"topic-{number % 5_000}",
            random.choice((PatternType.LITERAL, PatternType.PREFIXED)),
            f"User:{number}",
            "*",
            AclOperation.WRITE,
            PermissionType.ALLOW,
        )
        for number in range(10_000)
    ]
    started = perf_counter()
    ours.add(*acls)
    print(f"10,000 ACLs indexed in {perf_counter() - started:.3f} s")
    allows = ours.authorizer.allows
    for label, names in (("warm", ["topic-7"]), ("cold", [f"topic-{n}" for n in range(5_000)])):
        ours.authorizer._decisions.clear()
        if label == "warm":
            allows("User:7", "1.2.3.4", AclOperation.WRITE, ResourceType.TOPIC, "topic-7")
        started, count = perf_counter(), 0
        while count < 100_000:
            for name in names:
                allows("User:7", "1.2.3.4", AclOperation.WRITE, ResourceType.TOPIC, name)
                count += 1
            if label == "cold":
                ours.authorizer._decisions.clear()
        print(f"a {label} decision: {(perf_counter() - started) / count * 1e6:.2f} µs")


if __name__ == "__main__":
    figures()
