"""The `quorum-state` file: epoch and vote, which a voter must remember so that it does not vote twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kafkapy_wire.errors import MalformedMessage
from kafkapy_wire.uuid import ZERO_UUID, Uuid, parse_uuid, uuid_text

NOBODY = -1
INT32_MAX = 2**31 - 1
EPOCH_MAX = INT32_MAX - 1
"""A node that has seen this epoch stands for no election any more, and believes nobody who says a higher one."""


class QuorumState(NamedTuple):
    """Epoch 0 is the one before the first election."""

    leader_id: int = NOBODY
    leader_epoch: int = 0
    voted_id: int = NOBODY
    voted_directory_id: Uuid = ZERO_UUID


def encode_quorum_state(state: QuorumState, kraft_version: int, voter_ids: Sequence[int]) -> str:
    """The file's content as Apache Kafka writes it: data version 1 goes with kraft.version 1 (KIP-853).

    Up to kraft.version 0 the file lists the voters; later they are in the log.
    """
    if kraft_version > 0:
        return (
            f'{{"leaderId":{state.leader_id},"leaderEpoch":{state.leader_epoch},"votedId":{state.voted_id},'
            f'"votedDirectoryId":"{uuid_text(state.voted_directory_id)}","data_version":1}}'
        )
    voters = ",".join(f'{{"voterId":{voter_id}}}' for voter_id in voter_ids)
    return (
        f'{{"clusterId":"","leaderId":{state.leader_id},"leaderEpoch":{state.leader_epoch},'
        f'"votedId":{state.voted_id},"appliedOffset":0,"currentVoters":[{voters}],"data_version":0}}'
    )


def decode_quorum_state(text: str) -> QuorumState:
    """Raises MalformedMessage: not JSON, or required numbers are missing."""
    import json  # only a restart needs it

    try:
        content = json.loads(text)
        directory = content.get("votedDirectoryId")
        state = QuorumState(
            leader_id=int(content["leaderId"]),
            leader_epoch=int(content["leaderEpoch"]),
            voted_id=int(content["votedId"]),
            voted_directory_id=ZERO_UUID if directory is None else parse_uuid(directory),
        )
    except KeyError as error:
        raise MalformedMessage(f"it has no {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise MalformedMessage("it is not JSON as Kafka writes it") from error
    for name, number in (("leaderId", state.leader_id), ("votedId", state.voted_id)):
        if not NOBODY <= number <= INT32_MAX:
            raise MalformedMessage(f"{name} {number} is no id of a node")
    if not 0 <= state.leader_epoch <= EPOCH_MAX:
        raise MalformedMessage(f"leaderEpoch {state.leader_epoch} is no epoch")
    return state
