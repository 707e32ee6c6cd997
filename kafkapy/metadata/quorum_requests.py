"""Requests of other nodes to the quorum, and its answers, as Kafka's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkapy.pending import Pending, settled
from kafkapy_controller.raft.rpc import decode_request, encode_result
from kafkapy_wire.api_keys import ApiKey, response_class
from kafkapy_wire.errors import ErrorCode, KafkaError, MalformedMessage

if TYPE_CHECKING:
    from kafkapy.metadata.metadata_log import MetadataLog
    from kafkapy_wire.message import Message


def ask_quorum(quorum: MetadataLog, cluster_id: str, message: Message) -> Pending[Message]:
    """The quorum's answer to a message, from which the handler's API key is known.

    Refused as a whole with INCONSISTENT_CLUSTER_ID, a node of another cluster asks; INVALID_REQUEST, it is about
    another partition than `__cluster_metadata-0`.
    """
    asked_for = getattr(message, "cluster_id", None)
    if asked_for not in (None, cluster_id):
        text = f'The given id "{asked_for}" doesn\'t match the cluster id "{cluster_id}"'
        return settled(error_response(message, KafkaError(ErrorCode.INCONSISTENT_CLUSTER_ID, text)))
    try:
        request = decode_request(message)
    except MalformedMessage:
        return settled(error_response(message, KafkaError(ErrorCode.INVALID_REQUEST)))
    return quorum.ask(request).map(lambda result: encode_result(request, result))


def error_response(message: Message, error: KafkaError) -> Message:
    """The answer with an error of the whole request: every message of the quorum has a place for it."""
    response: Any = response_class(ApiKey(message.__schema__.api_key))()
    response.error_code = error.code
    if error.message is not None and hasattr(response, "error_message"):
        response.error_message = error.message
    return response  # type: ignore[no-any-return]
