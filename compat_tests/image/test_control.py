"""The control API of a container, and files in YAML: what a test in any language does to the broker in the image."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from compat_tests.deadlines import PATIENCE_SECONDS
from compat_tests.image.docker_image import KAFKA_TAG, container
from compat_tests.image.programs import PYTHONPATH, python_program, run_program
from compat_tests.ports import free_port
from compat_tests.tools import need

kafka = pytest.importorskip("kafka")

TOKEN = "secret"
SEED = """
topics:
  orders: 1
records:
  orders: [1 tea]
"""
FAULTS = """
faults:
  - {api: Produce, topic: orders, error: NOT_LEADER_OR_FOLLOWER, times: 1}
"""


def ask(port: int, operation: str, token: str = TOKEN, **arguments: Any) -> Any:
    """Raises HTTPError."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{port}/v1/{operation}"
    request = urllib.request.Request(url, json.dumps(arguments).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_test_in_any_language_drives_the_container(image: str, tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text(SEED)
    (tmp_path / "faults.yaml").write_text(FAULTS)
    tmp_path.chmod(0o755)
    port, control = free_port(), free_port()
    environ = {
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port}",
        "KAFKAPY_CONTROL": "0.0.0.0:9090",
        "KAFKAPY_CONTROL_TOKEN": TOKEN,
        "KAFKAPY_FAULTS": "/mnt/test/faults.yaml",
        "KAFKAPY_SEED": "/mnt/test/seed.yaml",
    }
    options = ("--publish", f"127.0.0.1:{port}:{port}", "--publish", f"127.0.0.1:{control}:9090")
    with container(image, environ=environ, options=(*options, "--volume", f"{tmp_path}:/mnt/test:ro")) as one:
        assert ask(control, "topics") == ["orders"]
        [fault] = ask(control, "faults")
        with closing(kafka.KafkaProducer(bootstrap_servers=f"localhost:{port}", retry_backoff_ms=10)) as producer:
            producer.send("orders", b"2 coffee").get(PATIENCE_SECONDS)
        assert ask(control, "fault", fault_id=fault["fault_id"])["fired"] == 1
        assert [each["value"] for each in ask(control, "records", topic="orders")] == ["1 tea", "2 coffee"]
        assert [each["errors"] for each in ask(control, "recorded", api="Produce")["exchanges"]] == [
            ["NOT_LEADER_OR_FOLLOWER"],
            [],
        ]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(control, "topics", token="another")
        one.exec("python3", "-I", "-S", "/opt/kafkapy/lib/kafkapy/image/health.py")
        assert json.loads(one.exec("kafkapy", "control", "topics", "--json")) == ["orders"]
        assert one.logs()[1] == ""
        assert one.stop() == 0


def test_without_a_token_it_does_not_start(image: str) -> None:
    with container(image, environ={"KAFKAPY_CONTROL": "0.0.0.0:9090"}, ready="") as one:
        assert one.until_ended() == 1
        stderr = one.logs()[1]
        assert stderr.count("\n") == 1
        assert "set KAFKAPY_CONTROL_TOKEN" in stderr


def test_the_container_class_has_the_control_api(image: str) -> None:
    [python, _] = need(python_program)
    program = Path(__file__).parent / "python" / "control_program.py"
    printed = run_program([python, str(program), f"{image}:{KAFKA_TAG}"], {"PYTHONPATH": PYTHONPATH})
    assert json.loads(printed) == {"fired": 1, "read": ["1 tea"]}
