"""`kafkapy quotas`, `kafkapy users` and `kafkapy acls`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkapy.testing import IdentityProvider, Kafka
from tests.cli.conftest import Kafkapy, Result
from tests.cli.ending import ending

AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"


@pytest.fixture(scope="module")
def authorized_broker() -> Iterator[str]:
    """`host:port` of a broker with an authorizer, on which everybody may do what no ACL is about."""
    options = (f"authorizer.class.name={AUTHORIZER}", "allow.everyone.if.no.acl.found=true")
    command = [sys.executable, "-m", "kafkapy", "start", "--ephemeral", "--port", "0"]
    for option in options:
        command += ["--override", option]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout is not None
        found = re.search(r"localhost:\d+", process.stdout.readline())
        assert found, "the broker did not start"
        yield found.group()
        process.terminate()


def test_quotas_are_set_shown_and_deleted(kafkapy: Kafkapy, topic: str) -> None:
    user = ("--user", topic)
    changed = kafkapy("quotas", "set", "producer_byte_rate=1048576", "request_percentage=12.5", *user)
    assert changed.lines == [f"user {topic!r}: producer_byte_rate=1048576", f"user {topic!r}: request_percentage=12.5"]
    assert kafkapy("quotas", "set", "consumer_byte_rate=5", *user, "--client-id-default").exit_code == 0
    described = kafkapy("quotas", "describe", *user)
    assert [line.split()[-2:] for line in described.lines[1:]] == [
        ["consumer_byte_rate", "5"],
        ["producer_byte_rate", "1048576"],
        ["request_percentage", "12.5"],
    ]
    assert "every other client-id, user" in described.out
    (entry,) = json.loads(kafkapy("quotas", "describe", *user, "--client-id-default", "--json").out)
    assert entry == {"entity": {"client-id": None, "user": topic}, "quotas": {"consumer_byte_rate": 5.0}}
    deleted = kafkapy("quotas", "delete", "consumer_byte_rate", *user, "--client-id-default")
    assert deleted.lines == [f"user {topic!r}, every other client-id: consumer_byte_rate is not limited any more"]
    assert kafkapy("quotas", "describe", "--user", "nobody").out == "there are no such quotas\n"


def test_wrong_quotas_are_one_line(kafkapy: Kafkapy) -> None:
    for arguments, told in (
        (("set", "producer_byte_rate=5"), "say whose quotas"),
        (("set", "producer_byte_rate=5", "--user", "a", "--user", "b"), "--user is given more than once"),
        (("set", "producer_byte_rate=much", "--user", "a"), "'much' is not a number"),
        (
            ("set", "no_such_rate=5", "--user", "a"),
            "Invalid configuration key no_such_rate (INVALID_REQUEST): there are producer_byte_rate, ",
        ),
        (("delete", "producer_byte_rat", "--user", "a"), "(did you mean 'producer_byte_rate'?)"),
        (("set", "connection_creation_rate=5", "--ip", "no such"), "not a valid IP or resolvable host"),
        (("set", "producer_byte_rate=-1", "--user-default"), "must be greater than 0"),
    ):
        refused = kafkapy("quotas", *arguments)
        assert (refused.exit_code, refused.out) == (1, "")
        assert told in refused.err
        assert refused.err.count("\n") == 1


def test_users_are_added_listed_and_removed(kafkapy: Kafkapy, topic: str) -> None:
    added = kafkapy("users", "add", topic, "--password", "secret")
    assert added.lines == [
        f"user {topic!r} can authenticate with SCRAM-SHA-256",
        f"user {topic!r} can authenticate with SCRAM-SHA-512",
    ]
    assert "secret" not in added.out
    again = kafkapy("users", "add", topic, "--mechanism", "SCRAM-SHA-256", "--iterations", "4096", stdin=b"other\n")
    assert again.exit_code == 0
    mine = [line.split() for line in kafkapy("users", "list").lines if topic in line]
    assert mine == [[topic, "SCRAM-SHA-256", "4096"], [topic, "SCRAM-SHA-512", "8192"]]
    removed = kafkapy("users", "remove", topic, "--mechanism", "SCRAM-SHA-256")
    assert removed.out == f"user {topic!r} cannot authenticate with SCRAM-SHA-256 any more\n"
    assert kafkapy("users", "remove", topic).exit_code == 0
    gone = kafkapy("users", "remove", topic)
    assert (gone.exit_code, f"there is no user {topic!r}" in gone.err) == (1, True)
    weak = kafkapy("users", "add", topic, "--password", "x", "--iterations", "100")
    assert "Too few iterations" in weak.err
    other_bytes = kafkapy("users", "add", topic, "--password", "x\udcff")
    assert other_bytes.err.endswith("the password is not UTF-8\n")
    assert other_bytes.err.count("\n") == 1
    empty = kafkapy("users", "add", topic)
    assert "the password is empty" in empty.err


def test_acls_are_added_listed_and_removed(run: Kafkapy, authorized_broker: str, topic: str) -> None:
    def acls(command: str, *arguments: str) -> Result:
        return run("acls", command, *arguments, "-b", authorized_broker)

    added = acls("add", "--allow", "User:a", "--topic", topic, "-o", "read", "-o", "write", "--host", "10.0.0.0/8")
    assert added.lines == [
        f"allow User:a from 10.0.0.0/8 to read topic {topic!r}",
        f"allow User:a from 10.0.0.0/8 to write topic {topic!r}",
    ]
    denied = acls("add", "--deny", "User:*", "--group", topic, "--prefixed", "-o", "all")
    assert denied.out == f"deny User:* to all group '{topic}*'\n"
    assert acls("list", "--topic", topic).lines[1:] == [
        f"topic     {topic}  allow       User:a     10.0.0.0/8  read",
        f"topic     {topic}  allow       User:a     10.0.0.0/8  write",
    ]
    (entry,) = json.loads(acls("list", "--deny", "User:*", "--json").out)
    assert (entry["resource_name"], entry["pattern"], entry["operation"]) == (topic, "prefixed", "all")
    refused = acls("add", "--allow", "nobody", "--cluster", "-o", "alter")
    assert refused.err == "kafkapy acls add: 'nobody' is no principal: write User:nobody\n"
    refused = acls("add", "--allow", "User:a", "--group", topic, "-o", "read", "-o", "write")
    assert "'write' has no meaning for a group: it has read, describe, delete" in refused.err
    assert acls("remove").err.endswith("say which ACLs, or --all\n")
    removed = acls("remove", "--allow", "User:a", "-o", "read")
    assert removed.lines == [f"allow User:a from 10.0.0.0/8 to read topic {topic!r}", "1 ACL removed"]
    assert acls("remove", "--all").lines[-1] == "2 ACLs removed"
    assert acls("list").out == "there are no such ACLs\n"


def test_options_of_acls_that_are_repeated_are_all_meant(run: Kafkapy, authorized_broker: str, topic: str) -> None:
    """An ACL that is silently left out, or stays when it should go, would be noticed late."""
    names = ("--topic", f"{topic}-1", "--topic", f"{topic}-2")
    where = ("-b", authorized_broker)
    made = run("acls", "add", "--allow", "User:a", "--allow", "User:b", *names, "-o", "read", "-o", "read", *where)
    told = [f"allow User:{user} to read topic '{topic}-{number}'" for number in (1, 2) for user in "ab"]
    assert made.lines == told
    assert len(run("acls", "list", *names, *where).lines) == 5
    assert set(run("acls", "remove", "--allow", "User:a", *names, *where).lines) == {*told[::2], "2 ACLs removed"}
    assert set(run("acls", "remove", *names, *where).lines) == {*told[1::2], "2 ACLs removed"}
    refused = run("acls", "add", "--allow", "User:a", "--cluster", "--prefixed", "-o", "alter", *where)
    assert refused.err == "kafkapy acls add: --prefixed is for names, and the cluster has none: leave it out\n"


def test_who_may_not_see_settings_makes_a_topic_all_the_same(run: Kafkapy, authorized_broker: str, topic: str) -> None:
    where = ("-b", authorized_broker)
    assert (
        run("acls", "add", "--deny", "User:ANONYMOUS", "--topic", topic, "-o", "describe-configs", *where).exit_code
        == 0
    )
    assert run("topics", "create", topic, *where).out == f"created topic {topic}\n"
    assert run("acls", "add", "--deny", "User:ANONYMOUS", "--topic", topic, "-o", "read", *where).exit_code == 0
    refused = run("consume", topic, "--exit-at-end", *where)
    assert (refused.exit_code, refused.err.count("\n")) == (1, 1)
    assert f"topic {topic!r}: no ACL allows this user to do it, or one denies it: see `kafkapy acls`" in refused.err


def test_who_may_not_see_settings_sees_all_else_of_a_topic(run: Kafkapy, authorized_broker: str, topic: str) -> None:
    where = ("-b", authorized_broker)
    assert run("topics", "create", topic, *where).exit_code == 0
    assert run("acls", "add", "--allow", "User:ANONYMOUS", "--topic", topic, "-o", "describe", *where).exit_code == 0
    described = run("topics", "describe", topic, *where)
    assert (described.exit_code, described.err) == (0, "")
    assert "no ACL allows this user to describe-configs" in described.lines[1]
    assert described.lines[2].startswith("PARTITION")
    (entry,) = json.loads(run("topics", "describe", topic, "--json", *where).out)
    assert (entry["configs"], len(entry["partitions"])) == (None, 1)
    assert "all replicas in sync" in run("cluster", "describe", *where).out
    refused = run("configs", "describe", "--topic", topic, *where)
    assert refused.err.endswith("or one denies it: see `kafkapy acls` (TOPIC_AUTHORIZATION_FAILED)\n")


def test_a_listener_with_sasl_wants_settings(run: Kafkapy, tmp_path: Path) -> None:
    with Kafka(users={"alice": "secret"}) as kafka:
        where = ("-b", kafka.bootstrap_servers, "--timeout", "1")
        bare = run("topics", "list", *where)
        assert "a listener with TLS or SASL does so to a client without its settings" in bare.err
        assert "start a broker there" not in bare.err
    with Kafka(users={"alice": "secret"}, tls=True) as kafka:
        login = ("security.protocol", "sasl.mechanism", "sasl.jaas.config")
        config = {name: value for name, value in kafka.config_for("java").items() if name not in login}
        encrypted = tmp_path / "encrypted.properties"
        encrypted.write_text("".join(f"{name}={value}\n" for name, value in config.items()) + "security.protocol=SSL\n")
        plain = tmp_path / "plain.properties"
        config = {**kafka.config_for("java"), "security.protocol": "SASL_PLAINTEXT"}
        plain.write_text("".join(f"{name}={value}\n" for name, value in config.items()))
        where = ("-b", kafka.bootstrap_servers, "--timeout", "1")
        bare = run("topics", "list", "--command-config", str(plain), *where)
        assert "give it security.protocol=SASL_SSL and ssl.truststore.*" in bare.err
        bare = run("topics", "list", "--command-config", str(encrypted), *where)
        assert "give it security.protocol=SASL_SSL, sasl.mechanism and sasl" in bare.err


def test_tokens_come_from_a_provider_or_a_file(run: Kafkapy, tmp_path: Path) -> None:
    """sasl.oauthbearer.token.endpoint.url, as Kafka's own tools take it."""
    file, token = tmp_path / "client.properties", tmp_path / "token"

    def listed(url: str, secret: str) -> Result:
        oidc = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.jaas.config": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
            "sasl.oauthbearer.token.endpoint.url": url,
            "sasl.oauthbearer.client.credentials.client.id": "shop",
            "sasl.oauthbearer.client.credentials.client.secret": secret,
        }
        file.write_text("".join(f"{name}={value}\n" for name, value in oidc.items()))
        return run("topics", "list", "-b", kafka.bootstrap_servers, "--command-config", str(file))

    with IdentityProvider({"shop": "s3cret"}) as provider, Kafka(settings=provider.settings()) as kafka:
        kafka.create_topic("orders")
        assert listed(provider.token_url, "s3cret").lines[-1].split()[0] == "orders"
        token.write_text(provider.token("shop"))
        assert listed(token.as_uri(), "s3cret").exit_code == 0
        for refused, told in (
            (listed(provider.token_url, "guessed"), f"no token from {provider.token_url}"),
            (listed(provider.token_url, ""), "sasl.oauthbearer.client.credentials.client.secret has to be set"),
            (listed(f"file:{tmp_path}/nothing", "s3cret"), "cannot be read"),
            (listed("ftp://provider", "s3cret"), "does not begin with https://"),
            (listed("http://provider:port/token", "s3cret"), "is no URL"),
            (listed("http://[::1/token", "s3cret"), "is no URL"),
            (listed("http://shop:s3cret@provider/token", "s3cret"), "has a user name or a password before the host"),
        ):
            assert refused.exit_code == 1
            assert refused.err.count("\n") == 1
            assert told in refused.err
            assert "s3cret" not in refused.err


def test_the_log_says_why_scram_is_refused_and_the_client_does_not_know(run: Kafkapy, tmp_path: Path) -> None:
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    file = tmp_path / "client.properties"
    told = set()
    with Kafka(users={"alice": "secret"}, mechanisms=["SCRAM-SHA-256"]) as kafka:
        for user in ("alice", "carol"):
            file.write_text(
                "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n"
                f'sasl.jaas.config={module} required username="{user}" password="guessed";\n'
            )
            told.add(run("topics", "list", "-b", kafka.bootstrap_servers, "--command-config", str(file)).err)
        of_alice, of_carol = (line for line in kafka.log if "refused authentication" in line)
    assert "user='alice'" in of_alice
    assert of_alice.endswith("reason='wrong password'")
    assert "this user has no credentials for SCRAM-SHA-256: make them with kafkapy users add" in of_carol
    assert of_carol.endswith("or those of the first user with kafkapy format --add-scram'"), "the line is not cut"
    assert len({line.partition(" refuses ")[2] for line in told}) == 1, "who guesses does not learn which it was"


def test_acls_need_an_authorizer(kafkapy: Kafkapy) -> None:
    refused = kafkapy("acls", "list")
    assert refused.exit_code == 1
    assert "No Authorizer is configured" in refused.err
