"""Names of principals beside Apache Kafka's own class: distinguished names, and rules that map them."""

from __future__ import annotations

import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from compat_tests.apache_kafka import JVM_FLAGS, compiled_java, jar_directory, require_tool
from compat_tests.tools import need
from kafkapy.settings.errors import SettingsError
from kafkapy.tls import der
from kafkapy.tls.certificate import Certificate
from kafkapy.tls.distinguished_name import name_text
from kafkapy.tls.principal_mapping import NAME_LETTERS_MAX, NoMatchingRule, PrincipalMapping

JAVA = Path(__file__).parents[2] / "compat_tests" / "java"
NAME = "CN=kafka-admin,OU=People+UID=7,O=Example\\, Inc.,L=Köln,ST=NRW,C=DE"

# Rules of Kafka's documentation and of its users, and those at the edges of its parser.
RULES = [
    "DEFAULT",
    "",
    "  ",
    "RULE:^CN=(.*?),OU=People.*$/$1/,DEFAULT",
    "RULE:^CN=(.*?),.*$/$1/L",
    "RULE:^CN=(.*?),.*$/$1/U, DEFAULT",
    "RULE:^CN=(.*?),OU=(.*?),O=(.*)$/$1@$2/L , RULE:^.*$/x/",
    "RULE:^cn=(.*)$/$1/,RULE:^CN=([^,]+),.*$/$1/",
    "RULE:^CN=(.*?),.*$/$2/",
    "RULE:^CN=(.*?),.*$/$12/",
    "RULE:^CN=(.*?),.*$/$0-$1/",
    "RULE:^CN=(.*?),.*$/$5 and $7/",
    r"RULE:^CN=(.*?),.*$/\$1/",
    r"RULE:^CN=(.*?),.*$/a\/b$1/",
    "RULE:^CN=.*$/$1/",
    "RULE:.*/x/",
    "RULE:^CN=(?<who>[a-z]+).*$/${who}/",
    "RULE:^CN=(?<who>[a-z]+).*$/${nobody}/",
    "RULE:^(?i)cn=(.*?),.*$/$1/",
    "RULE:^CN=(a)?(k)?.*$/[$1$2]/",
    "RULE:^CN=\\Qkafka-\\E(.*?),.*$/$1/",
    "RULE:^CN=(.*?),.*$/$1/X",
    "RULE:^CN=(.*?),.*$/$1",
    "RULE:^CN=(.*?),.*$/$1/L,nonsense",
    "DEFAULT,RULE:^CN=(.*?)$/$1/",
    "DEFAULT nonsense",
    "default",
    "RULE:((/x/",
    "RULE://x/",
    "RULE:^CN=(.*)$//",
    "RULE:^CN=(.*)$/$/",
    "RULE:^CN=(.*?),.*$/${1}/",
    ",DEFAULT",
    "RULE:^CN=(.*?),.*$/$1/L\n,DEFAULT",
    "RULE:^CN=(?=k)(.*?),.*$/$1/",
    "RULE:^CN=([a-z-]++),.*$/$1/",
]


def asked(lines: Iterable[str]) -> list[tuple[str, str]]:
    """What Apache Kafka answers to these lines, in one JVM: (kind, name)."""
    jars = need(jar_directory)
    classes = need(lambda: compiled_java("ssl-names", JAVA / "SslNames.java", JAVA / "pom.xml", jars))
    command = [need(lambda: require_tool("java")), *JVM_FLAGS, "-cp", classes, "SslNames"]
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True)
    return [(kind, b64decode(name).decode()) for kind, name in (line.split("\t") for line in done.stdout.splitlines())]


def line(*fields: str) -> str:
    return "\t".join(b64encode(field.encode()).decode() for field in fields)


def ours(rules: str, name: str) -> tuple[str, str]:
    try:
        mapping = PrincipalMapping(rules)
    except SettingsError:
        return "refused", ""
    try:
        return "name", mapping.name_of(name)
    except NoMatchingRule:
        return "none", ""


def test_rules_map_names_as_kafkas_do() -> None:
    """A rule that Kafka reads, and with which every connection fails then, is refused here when the node starts."""
    random = Random(11)
    alphabet = ["CN=", "a", "K", ",", "/", "$1", "$2", "$10", "\\", ".*", "(.*)", "(", ")", "L", "U", "?", "RULE:", " "]
    made = ["RULE:" + "".join(random.choices(alphabet, k=random.randrange(1, 9))) + "/" for _ in range(1_500)]
    cases = [(rules, name) for rules in (*RULES, *made) for name in (NAME, "CN=a", "")]
    answers = asked(line(rules, name) for rules, name in cases)
    differing = [
        (rules, name, theirs, own)
        for (rules, name), theirs in zip(cases, answers, strict=True)
        if (own := ours(rules, name)) != theirs and not names_no_group(rules)
    ]
    assert differing == []
    kinds = {kind for kind, _ in answers}
    assert kinds == {"name", "none", "refused", "failed"}
    assert sum(kind == "name" for kind, _ in answers) > 100


def names_no_group(rules: str) -> bool:
    try:
        PrincipalMapping(rules)
    except SettingsError as error:
        return "there is no group" in str(error) or "names no group" in str(error)
    return False


def attribute(oid: bytes, tag: int, value: bytes) -> bytes:
    return der.encoded(der.SEQUENCE, der.encoded(der.OBJECT_IDENTIFIER, oid), der.encoded(tag, value))


def random_name(random: Random) -> bytes:
    """Of one to four elements, some with several attributes, in the encodings that there are."""
    known = [bytes((0x55, 4, number)) for number in (3, 6, 7, 8, 9, 10, 11, 5, 12, 42)]
    others = [bytes.fromhex(each) for each in ("0992268993f22c640101", "0992268993f22c640119", "2a864886f70d010901")]
    encodings = ((0x0C, "utf-8"), (0x13, "ascii"), (0x16, "ascii"), (0x1E, "utf-16-be"), (0x0C, "utf-8"))
    letters = 'aB 7,+<>;"\\#=äß世-.'

    def one() -> bytes:
        tag, encoding = random.choice(encodings)
        text = "".join(random.choices(letters, k=random.randrange(0, 7)))
        return attribute(random.choice(known + others), tag, text.encode(encoding, "ignore"))

    return der.encoded(
        der.SEQUENCE,
        *(
            der.encoded(der.SET, *(one() for _ in range(random.choice((1, 1, 1, 2)))))
            for _ in range(random.randrange(1, 5))
        ),
    )


def certificate_of(name: bytes) -> bytes:
    """One that parses; its signature is of no use."""
    from tests.tls.certificates import certificates

    whole = der.parse(certificates().authority.certificate)
    body, algorithm, signature = whole.children()
    fields = [each.whole for each in body.children()]
    fields[5] = name
    return der.encoded(der.SEQUENCE, der.encoded(der.SEQUENCE, *fields), algorithm.whole, signature.whole)


def test_distinguished_names_are_javas_to_the_letter() -> None:
    random = Random(13)
    encoded = [certificate_of(random_name(random)) for _ in range(1_500)]
    answers = asked(b64encode(each).decode() for each in encoded)
    differing = [
        (Certificate(each).subject, theirs)
        for each, (_, theirs) in zip(encoded, answers, strict=True)
        if Certificate(each).subject != theirs
    ]
    assert differing == []


@pytest.mark.parametrize("pattern", ["^CN=(a+)+$", "^CN=(([a-z])+.)+[A-Z]$", "^(CN=)?(?i)((a|aa)*)*b$", ".*(.*.*)*X"])
def test_no_name_takes_long(pattern: str) -> None:
    """With a pattern that backtracks this would not end."""
    mapping = PrincipalMapping(f"RULE:{pattern}/$1/,DEFAULT")
    name = "CN=" + (NAME_LETTERS_MAX - 4) * "a" + "-"
    assert mapping.name_of(name) == name


@pytest.mark.parametrize("pattern", ["CN=[a-z&&[^b]]+", "CN=[a[bc]]+", "CN=[^a[b]]"])
def test_a_set_that_python_reads_in_another_way_is_refused(pattern: str) -> None:
    with pytest.raises(SettingsError, match="is not served: write the letters"):
        PrincipalMapping(f"RULE:{pattern}/x/")
    assert PrincipalMapping(r"RULE:CN=[\[&a\]]+&&/x/").name_of("CN=[]&a&&") == "x"


def test_patterns_that_re2_does_not_read_are_matched_all_the_same() -> None:
    for rule, expected in (
        (r"RULE:^CN=(?!root)(.*)$/$1/", "alice"),
        (r"RULE:^CN=(.*?)\b.*$/$1/", ""),
        (r"RULE:\b|[A-Za-z=]+?/<>/", "<>C<><>=<>a<><><><><>"),
    ):
        assert PrincipalMapping(rule).name_of("CN=alice") == expected


def test_a_long_name_matches_no_rule() -> None:
    """A pattern may take long, and a client presents what it likes."""
    mapping = PrincipalMapping("RULE:^CN=(.*)$/$1/,DEFAULT")
    assert mapping.name_of("CN=" + "a" * (NAME_LETTERS_MAX - 3)) == "a" * (NAME_LETTERS_MAX - 3)
    with pytest.raises(NoMatchingRule, match="the name has 4097 letters"):
        mapping.name_of("CN=" + "a" * (NAME_LETTERS_MAX - 2))


def test_a_damaged_certificate_is_told_and_never_a_traceback() -> None:
    """Whatever byte is changed or cut off."""
    from tests.tls.certificates import certificates

    whole = certificates().authority.certificate
    random = Random(17)
    for _ in range(2_000):
        damaged = bytearray(whole)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        del damaged[random.randrange(len(damaged) // 2, len(damaged) + 1) :]
        try:
            certificate = Certificate(bytes(damaged))
        except der.MalformedDer:
            continue
        assert certificate.not_before.tzinfo is UTC
        assert certificate.not_after - datetime.now(UTC) < timedelta(days=4_000_000)


def test_nested_names_are_read_once() -> None:
    """Work is in proportion to the bytes: no element is longer than what holds it."""
    assert name_text(der.parse(der.encoded(der.SEQUENCE))) == ""
    with pytest.raises(der.MalformedDer, match="longer than what holds it"):
        der.parse(b"\x30\x05\x31\x09\x00\x00\x00").children()
