"""`kafkapy format` beside `kafka-storage format`: the same options, the same words, the same files.

The files of both are read by Apache Kafka's own `kafka-dump-log`. Times, checksums and what is left to chance (ids of
directories, salts) is all that may differ.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from compat_tests.apache_kafka import CLUSTER_ID, DUMP_LOG, STORAGE, java_tools

pytestmark = pytest.mark.usefixtures("java")

FIRST_SNAPSHOT = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"
ONE, TWO = "3Db5QLSqSZieL3rJBUUegA", "Kz0l_VXNQTmFZfDmVVOgSw"
BOOTSTRAP = {"controller.quorum.bootstrap.servers": "localhost:9093"}
OTHERS = {"controller.quorum.bootstrap.servers": "localhost:9094"}
STATIC = {"controller.quorum.voters": "1@localhost:9093,2@other:9093"}
BROKER = {"process.roles": "broker", "listeners": "PLAINTEXT://localhost:9092", **OTHERS}

# Runs `kafkapy` for each line of JSON on standard input, and prints what came of it.
RUN_KAFKAPY = """
import contextlib, io, json, sys
from kafkapy.cli import main
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(json.loads(line))
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


PART_OF_A_SECRET = re.compile(r"(SCRAM argument|SCRAM component|SCRAM configurations|Failed to decode given \w+)\b.*")
"""What Apache Kafka repeats of an argument that it does not understand; here it is not shown."""


@dataclass(frozen=True, slots=True)
class Case:
    """Options for both, and the settings of the file. `ours`: how our refusal begins if it differs on purpose."""

    options: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=lambda: BOOTSTRAP)
    ours: str | None = None


def formatted(*options: str, **settings: str) -> Case:
    return Case(options, settings or BOOTSTRAP)


def scram(*credentials: str) -> Case:
    return Case(("--standalone", *(word for one in credentials for word in ("--add-scram", one))))


FORMATTED = [
    formatted("--standalone"),
    formatted("-s", "-r", "3.9"),
    formatted("--standalone", "--release-version", "3.8"),
    formatted("--standalone", "--feature", "transaction.version=0"),
    formatted("--standalone", "-f", "transaction.version=1", "-f", "transaction.version=2", "-f", "group.version=0"),
    formatted("--standalone", "--release-version", "4.0", "--feature", "group.version=0"),
    formatted("--no-initial-controllers"),
    formatted("-N", "--feature", "kraft.version=1", "--release-version", "3.3-IV3"),
    formatted("--initial-controllers", f"1@localhost:9093:{ONE}"),
    formatted("--initial-controllers", f"2@other:9093:{TWO},1@localhost:9093:{ONE}"),
    formatted("-I", f"2@[other]:9093:{TWO},3@:0:{ONE},"),
    Case(("--release-version", "4.1"), STATIC),
    Case(("--no-initial-controllers",), STATIC),
    Case((), BROKER),
    Case(("--no-initial-controllers",), BROKER),
    Case(("--initial-controllers", f"2@other:9093:{TWO}"), BROKER),
    Case(("--standalone",), {**BOOTSTRAP, "controller.quorum.auto.join.enable": "true"}),
    scram("SCRAM-SHA-256=[name=alice,password=alice-secret]"),
    scram('SCRAM-SHA-256=[name=alice,salt="N3E=",password=alice-secret]'),
    scram(
        'SCRAM-SHA-512=[name="alice",iterations=8192,salt=N3E=,password="grün"]', "SCRAM-SHA-256=[name=b,password=c]"
    ),
    scram('SCRAM-SHA-256=[name=alice,iterations=8192,salt="N3E=",saltedpassword="YCE="]'),
    scram('SCRAM-SHA-512=[name=alice,iterations="16384",salt="N3E=",saltedpassword="YCE="]'),
    scram('SCRAM-SHA-256=[name=a,password=b,password=c=d,salt="N3E=",saltedpassword="YCE="]'),
    scram("SCRAM-SHA-256=[name=a,salt=N3E=,password=b]", "SCRAM-SHA-256=[name=a,salt=N3E=,password=c]"),
    Case(("-s", "-r", "3.5-IV2", "--add-scram", 'SCRAM-SHA-256=[name="x,salt=N3E=,password=y,]')),
]

REFUSED = [
    Case((), OTHERS),
    Case(("--standalone",), STATIC),
    Case(("--initial-controllers", f"1@localhost:9093:{ONE}"), STATIC),
    Case(("--standalone",), BROKER),
    formatted("--standalone", "--release-version", "3.2"),
    formatted("--standalone", "--release-version", "4.5-IV0"),
    formatted("--standalone", "--feature", "metadata.version=34"),
    formatted("--standalone", "--feature", "metadata.version=30", "--release-version", "4.0"),
    formatted("--standalone", "--feature", "nonsense=1"),
    formatted("--standalone", "--feature", "transaction.version=9"),
    formatted("--standalone", "--feature", "kraft.version=0"),
    formatted("--no-initial-controllers", "--feature", "kraft.version=0"),
    Case(("--feature", "kraft.version=1"), STATIC),
    Case(("--standalone", "--no-initial-controllers"), ours="kafkapy format: argument -N/--no-initial-controllers"),
    *(
        formatted("--initial-controllers", voters)
        for voters in (
            "1@localhost:9093",
            "1@localhost",
            f"1@localhost:{ONE}",
            f"1@localhost:x:{ONE}",
            f"1@localhost:-1:{ONE}",
            f"1@localhost:65536:{ONE}",
            f"1@[::1:9093:{ONE}",
            f"1@::1:9093:{ONE}",
            f"x@localhost:9093:{ONE}",
            f"99999999999@localhost:9093:{ONE}",
            f"1:localhost:9093:{ONE}",
            "1@localhost:9093:xx",
            f"1@localhost:9093:{ONE}x",
            f"1@localhost:9093:{ONE},1@localhost:9094:{TWO}",
            ",",
        )
    ),
    formatted(f"--initial-controllers=-1@localhost:9093:{ONE}"),
    *(
        scram(credential)
        for credential in (
            "x",
            "=[name=a,password=b]",
            "SCRAM-SHA-1=[name=a,password=b]",
            "scram-sha-256=[name=a,password=b]",
            "SCRAM-SHA-256[name=a,password=b]",
            "SCRAM-SHA-256=name=a,password=b",
            "SCRAM-SHA-256=[name=a,password=b",
            "SCRAM-SHA-256=",
            "SCRAM-SHA-256=[",
            "SCRAM-SHA-256=[]",
            "SCRAM-SHA-256=[]]",
            'SCRAM-SHA-256=[name=a,password="x,y"]',
            "SCRAM-SHA-256=[password=b]",
            "SCRAM-SHA-256=[name=a]",
            'SCRAM-SHA-256=[name=a,saltedpassword="YCE="]',
            'SCRAM-SHA-256=[name=a,salt="***",saltedpassword="YCE="]',
            'SCRAM-SHA-256=[name=a,salt="N3E=",saltedpassword="**"]',
            "SCRAM-SHA-256=[name=a,password=b,one=1,two=2]",
            "SCRAM-SHA-256=[name=a,iterations=x,password=b]",
            "SCRAM-SHA-256=[name=a,iterations=-1,password=b]",
            "SCRAM-SHA-256=[name=a,iterations=4095,password=b]",
            "SCRAM-SHA-512=[name=a,iterations=16385,password=b]",
            "SCRAM-SHA-512=[iterations=1,nonsense=1]",
        )
    ),
    Case(("-s", "-r", "3.4", "--add-scram", "SCRAM-SHA-256=[name=a,password=b]")),
    Case(("-s", "-r", "3.4", "--add-scram", "nonsense")),
    Case(
        ("-s", "--add-scram", "SCRAM-SHA-256=[name=a,password=]"), ours="kafkapy: the password of --add-scram is empty"
    ),
]


def configuration(settings: dict[str, str], directory: Path) -> Path:
    values = {
        "node.id": "1",
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        "log.dirs": str(directory),
        **settings,
    }
    file = directory.with_suffix(".properties")
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return file


def run_both(cases: list[Case], tmp_path: Path) -> list[tuple[tuple[int, str], tuple[int, str, str]]]:
    """(exit code and output of `kafka-storage format`, exit code, output and complaints of ours) of each case.

    The directories are theirs-0, theirs-1, ... and ours-0, ...
    """
    theirs: list[tuple[str, ...]] = []
    ours: list[list[str]] = []
    for index, case in enumerate(cases):
        for calls, who in ((theirs, "theirs"), (ours, "ours")):
            file = configuration(case.settings, tmp_path / f"{who}-{index}")
            options = ("format", "--cluster-id", CLUSTER_ID, "--config", str(file), *case.options)
            calls.append((STORAGE, *options) if who == "theirs" else list(options))  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-c", RUN_KAFKAPY],
        input="".join(json.dumps(call) + "\n" for call in ours),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    answers = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases), done.stderr
    return list(zip(java_tools(*theirs), answers, strict=True))


def test_both_write_the_same_files(tmp_path: Path) -> None:
    results = run_both(FORMATTED, tmp_path)
    dumps: list[tuple[str, ...]] = []
    for index, ((their_code, their_output), (our_code, our_output, complaints)) in enumerate(results):
        case = FORMATTED[index]
        assert (their_code, our_code) == (0, 0), (case, their_output, complaints)
        their_line = their_output.strip().splitlines()[-1]
        assert our_output.strip() == their_line.replace("theirs-", "ours-"), case
        theirs, ours = tmp_path / f"theirs-{index}", tmp_path / f"ours-{index}"
        files = {str(path.relative_to(theirs)) for path in theirs.rglob("*") if path.is_file()}
        assert {str(path.relative_to(ours)) for path in ours.rglob("*") if path.is_file()} - {".lock"} == files, case
        assert identity(ours).keys() == identity(theirs).keys()
        if FIRST_SNAPSHOT in files:
            dumps += [dump_call(theirs), dump_call(ours)]
    printed = java_tools(*dumps)
    assert {code for code, _ in printed} == {0}
    texts = [text for _, text in printed]
    for call, their_text, our_text in zip(dumps[::2], texts[::2], texts[1::2], strict=True):
        theirs = Path(call[-1]).parent.parent
        ours = theirs.with_name(theirs.name.replace("theirs", "ours"))
        assert comparable(our_text, ours) == comparable(their_text, theirs), call
    assert sum("USER_SCRAM_CREDENTIAL_RECORD" in text for text in texts) == 16


def dump_call(directory: Path) -> tuple[str, ...]:
    return (DUMP_LOG, "--cluster-metadata-decoder", "--files", str(directory / FIRST_SNAPSHOT))


def identity(directory: Path) -> dict[str, str]:
    lines = (directory / "meta.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def comparable(text: str, directory: Path) -> list[str]:
    """The dump without times, checksums, paths, the directory's own id, and salts that are left to chance."""
    text = text.replace(str(directory), "").replace(identity(directory)["directory.id"], "OWN")
    text = re.sub(r"(CreateTime|crc|[lL]astContainedLogTimestamp\"?):? ?\d+", r"\1", text)
    lines = []
    for line in text.splitlines():
        credential = re.search(r'"salt":"([^"]+)"', line)
        if credential is not None and len(credential[1]) > 8:
            line = re.sub(r'"(salt|storedKey|serverKey)":"[^"]+"', r'"\1"', line)
            line = re.sub(r"valueSize: \d+", "valueSize", line)
        lines.append(re.sub(r"(size|position): \d+", r"\1", line) if "| offset" not in line else line)
    return lines


def test_both_refuse_the_same_in_the_same_words(tmp_path: Path) -> None:
    for index, ((their_code, said), (our_code, _, complaints)) in enumerate(run_both(REFUSED, tmp_path)):
        case = REFUSED[index]
        assert their_code != 0, case
        assert our_code == (2 if "argument -N" in complaints else 1), (case, complaints)
        if case.ours is None:
            lines = [line for line in said.splitlines() if not line.startswith(("\tat ", "Bootstrap metadata"))]
            words = re.sub(r"^(?:Exception in thread \"main\" )?[\w.$]+(?:Exception|Failure): ", "", lines[0])
            words = PART_OF_A_SECRET.sub(r"\1", words.strip())
            assert complaints.removeprefix("kafkapy: ").startswith(words), (case, said)
        else:
            assert complaints.startswith(case.ours), case
        assert complaints.count("\n") == 1
        assert not (tmp_path / f"ours-{index}").exists(), case
