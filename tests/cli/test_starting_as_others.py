"""`kafkapy --as-kafka` and `--strict`: a broker that is taken for another one, and by the other commands, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trio

from kafkapy.cli import main
from kafkapy_wire.api_keys import ApiKey
from kafkapy_wire.errors import ErrorCode
from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from tests.cli.test_start_command import Broker, refused, started
from tests.shell.running_node import Client, trio_test


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (["start", "--as-kafka", "3.10"], {}, "3.10 is no release of Apache Kafka .*: these are 2.4 to 4.4, .* 3.9$"),
        (["cluster", "--nodes", "2", "--as-kafka", "x"], {}, "x is no release of Apache Kafka .* nearest is 4.4$"),
        (["start"], {"KAFKAPY_AS_KAFKA": "2.3"}, "2.3 is no release of Apache Kafka .* nearest is 2.4$"),
        (["start", "--cap-api", "Fetsh=1"], {}, "there is no API Fetsh: did you mean Fetch?"),
        (["cluster", "--nodes", "2", "--cap-api", "Fetch"], {}, "Fetch is not API=VERSION, such as Fetch=11"),
    ],
)
def test_a_release_that_there_is_not(
    arguments: list[str], variables: dict[str, str], told: str, tmp_path: Path
) -> None:
    line = refused(*arguments, "--port", "0", "--data-dir", tmp_path / "data", **variables)
    assert re.search(told, line), line
    assert not (tmp_path / "data" / "meta.properties").exists()


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (
            ["start", "--strict", "fenced-fetch"],
            {},
            "'fenced-fetch' .*did you mean 'fenced-fetches'.*: there are auto-",
        ),
        (["cluster", "--nodes", "2", "--strict=x,y"], {}, "no kindness 'x' to turn off .*: there are .*, all$"),
        (["start"], {"KAFKAPY_STRICT": "new-coordinators, al"}, "no kindness 'al' .*did you mean 'all'"),
        (
            ["start", "--strict", "server.properties"],
            {},
            "no kindness 'server.properties' .*a file goes before --strict",
        ),
    ],
)
def test_a_kindness_that_there_is_not(
    arguments: list[str], variables: dict[str, str], told: str, tmp_path: Path
) -> None:
    line = refused(*arguments, "--port", "0", "--data-dir", tmp_path / "data", **variables)
    assert re.search(told, line), line
    assert not (tmp_path / "data" / "meta.properties").exists()


@pytest.mark.parametrize(
    ("options", "variable", "is_strict"),
    [
        (["--strict"], "", True),
        ([], "true", True),
        ([], "no", False),
        ([], "fenced-fetches,auto-created-topics", True),
        (["--strict", "fenced-fetches", "--strict=auto-created-topics,new-coordinators"], "", True),
        (["--strict", "fenced-fetches"], "true", False),
    ],
)
def test_what_is_strict_is_said_by_options_or_by_the_environment(
    options: list[str], variable: str, is_strict: bool
) -> None:
    with started("start", "--ephemeral", "--port", "0", *options, KAFKAPY_STRICT=variable) as broker:

        @trio_test
        async def ask() -> None:
            stream = await trio.open_tcp_stream(broker.host, broker.port)
            request = MetadataRequest(topics=[MetadataRequestTopic(name="new")], allow_auto_topic_creation=True)
            answer = await Client(stream).ask(request, MetadataResponse, 9)
            assert (answer.topics[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) is is_strict
            await stream.aclose()

        ask()
        assert broker.stop() == (0, "")


def test_the_release_of_the_environment_is_announced_unless_an_option_names_another(tmp_path: Path) -> None:
    for options, newest_fetch in (((), 12), (("--as-kafka", "2.4"), 11)):
        with started("start", "--ephemeral", "--port", "0", *options, KAFKAPY_AS_KAFKA="2.8") as broker:

            @trio_test
            async def ask(broker: Broker = broker, newest_fetch: int = newest_fetch) -> None:
                stream = await trio.open_tcp_stream(broker.host, broker.port)
                request = ApiVersionsRequest(client_software_name="a-test", client_software_version="1")
                response = await Client(stream).ask(request, ApiVersionsResponse, 3)
                assert {api.api_key: api.max_version for api in response.api_keys}[ApiKey.FETCH] == newest_fetch
                await stream.aclose()

            ask()
            assert broker.stop() == (0, "")


@pytest.mark.parametrize(
    "options",
    [
        ("--as-kafka", "2.4"),
        ("--as-kafka", "2.8"),
        ("--as-kafka", "3.3"),
        ("--strict", "--override", "group.initial.rebalance.delay.ms=0"),
    ],
)
def test_the_other_commands_can_use_such_a_broker(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with started("start", "--ephemeral", "--port", "0", *options) as broker:
        for told, command_line in (
            ("created topic orders", "topics create orders --partitions 2"),
            ("sent 1 record", "produce orders one"),
            ("one", "consume orders --group audit --from-beginning --exit-at-end"),
            ("audit", "groups list"),
            ("orders", "groups describe audit"),
            ("orders", "groups reset-offsets audit --topic orders --to-earliest --execute"),
            ("deleted group audit", "groups delete audit"),
            ("deleted topic orders", "topics delete orders"),
        ):
            assert main([*command_line.split(), "-b", f"{broker.host}:{broker.port}"]) == 0, capsys.readouterr()
            captured = capsys.readouterr()
            assert told in captured.out + captured.err, (command_line, captured)
        assert broker.stop() == (0, "")
