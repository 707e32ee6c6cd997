"""docs/seeds.md shows what is so; its Python is run as that of every page."""

from __future__ import annotations

import re
from pathlib import Path

from kafkapy.seeds import Seed
from kafkapy.seeds.entries import ACL_FIELDS, COMMITTED_FIELDS, GROUP_FIELDS, RECORD_FIELDS, TOPIC_FIELDS
from kafkapy.seeds.invalid_seed import Place
from kafkapy.testing import Kafka

PAGE = Path(__file__).parent.parent.parent / "docs" / "seeds.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_both_formats_of_the_page_say_the_same(tmp_path: Path) -> None:
    [yaml, acls], [lines] = blocks("yaml"), blocks("jsonl")
    (tmp_path / "seed.yaml").write_text(yaml)
    (tmp_path / "seed.jsonl").write_text(lines)
    read = [
        [entry._replace(place=Place()) for entry in Seed.read(tmp_path / name).entries()]
        for name in ("seed.yaml", "seed.jsonl")
    ]
    assert read[0] == read[1]
    with Kafka(seed=tmp_path / "seed.yaml") as kafka:
        assert kafka.group("shop").total_lag == 0
        assert [record.value for record in kafka.records("customers")] == [b"\x00\x01\xff"]
    (tmp_path / "acls.yaml").write_text(acls)
    authorizer = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer"}
    with Kafka(settings=authorizer) as kafka:
        assert kafka.seed(tmp_path / "acls.yaml").acls == 2


def test_the_page_has_every_field() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for field in {*TOPIC_FIELDS, *RECORD_FIELDS, *GROUP_FIELDS, *COMMITTED_FIELDS, *ACL_FIELDS} - {"timestamp_type"}:
        assert re.search(rf"[`\"]{field}[`\":]", text), field
