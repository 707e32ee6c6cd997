"""Delete the records of partitions below an offset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_connection_arguments, run_tool

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster
    from kafkapy.client.offsets import Partition


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    parser.add_argument("--offset-json-file", required=True, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    return run_tool(arguments, _delete, failed="Error: ")


def _delete(arguments: argparse.Namespace, cluster: Cluster) -> int:
    from kafkapy.client.records import delete_records

    print("Executing records delete operation")
    starts = delete_records(cluster, _read(arguments.offset_json_file))
    print("Records delete operation completed:")
    for (topic, index), start in starts.items():
        print(f"partition: {topic}-{index}\tlow_watermark: {start}")
    return 0


def _read(file: str) -> dict[Partition, int]:
    """`{"partitions": [{"topic": "t", "partition": 0, "offset": 3}], "version": 1}`. Raises ClientError."""
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
        return {(str(one["topic"]), int(one["partition"])): int(one["offset"]) for one in document["partitions"]}
    except OSError as error:
        raise ClientError(f"cannot read {file} ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ClientError(
            f'{file} is not {{"partitions": [{{"topic": "t", "partition": 0, "offset": 3}}], "version": 1}}'
        ) from None
