"""Show the log directories of brokers, and the replicas in them, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkapy.client.errors import ClientError
from kafkapy.tools.tool_parser import add_client_settings_arguments, add_servers_arguments, run_tool
from kafkapy_wire.integer_text import INT32_MAX, parse_integer

if TYPE_CHECKING:
    import argparse

    from kafkapy.client.cluster import Cluster
    from kafkapy_wire.messages.describe_log_dirs import DescribeLogDirsResult

_STORAGE_ERROR = "org.apache.kafka.common.errors.KafkaStorageException"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_servers_arguments(parser)
    add_client_settings_arguments(parser)
    parser.add_argument("--describe", action="store_true", required=True)
    parser.add_argument("--topic-list", metavar="TOPIC,TOPIC", default="")
    parser.add_argument("--broker-list", metavar="N,N", default="")


def run(arguments: argparse.Namespace) -> int:
    return run_tool(arguments, _describe)


def _describe(arguments: argparse.Namespace, cluster: Cluster) -> int:
    import json

    from kafkapy.client.log_directories import describe_log_directories

    present = sorted(cluster.broker_ids())
    texts = [text.strip() for text in arguments.broker_list.split(",") if text.strip()]
    wanted = [parse_integer(text, 0, INT32_MAX) for text in texts] or present
    missing = ",".join(text for text, node_id in zip(texts, wanted, strict=False) if node_id not in present)
    if missing:
        raise ClientError(
            f"ERROR: The given brokers do not exist from --broker-list: {missing}. Current existent brokers: "
            f"{','.join(map(str, present))}"
        )
    topics = {topic.strip() for topic in arguments.topic_list.split(",") if topic.strip()}
    node_ids = [node_id for node_id in wanted if node_id is not None]
    print("Querying brokers for log directories information")
    brokers = [
        {
            "broker": node_id,
            "logDirs": [_shown(each, topics) for each in describe_log_directories(cluster, node_id, None)],
        }
        for node_id in node_ids
    ]
    print(f"Received log directory information from brokers {','.join(map(str, node_ids))}")
    print(json.dumps({"brokers": brokers, "version": 1}, separators=(",", ":")))
    return 0


def _shown(directory: DescribeLogDirsResult, topics: set[str]) -> dict[str, object]:
    partitions = [
        {
            "partition": f"{topic.name}-{partition.partition_index}",
            "size": partition.partition_size,
            "offsetLag": partition.offset_lag,
            "isFuture": partition.is_future_key,
        }
        for topic in sorted(directory.topics, key=lambda topic: topic.name)
        if not topics or topic.name in topics
        for partition in sorted(topic.partitions, key=lambda partition: partition.partition_index)
    ]
    error = _STORAGE_ERROR if directory.error_code else None
    return {"partitions": partitions, "error": error, "logDir": directory.log_dir}
