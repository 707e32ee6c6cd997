"""Connections that do little and end in every way: politely, within a request, within an answer, with nonsense."""

from __future__ import annotations

import trio

from kafkapy_wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkapy_wire.messages.metadata import MetadataRequest
from tests.shell.running_node import fetch_request
from tests.soak.world import EVENTS, World

PAUSE_SECONDS = 0.03


async def short_connection(world: World) -> None:
    async with world.connect() as client:
        match world.random.randrange(6):
            case 0 | 1:
                request = ApiVersionsRequest(client_software_name="soak", client_software_version="1")
                answer = await client.ask(request, ApiVersionsResponse)
                world.tally.error("ApiVersions", answer.error_code)
            case 2:
                frame = client.frame(MetadataRequest(topics=None))
                await client.stream.send_all(frame[: world.random.randrange(1, len(frame))])
            case 3:
                await client.send(fetch_request({EVENTS: {0: 0}}, max_wait_ms=0, max_bytes=1 << 20), 12)
            case 4:
                await client.send(fetch_request({EVENTS: {0: 0}}, max_wait_ms=3_000, min_bytes=1 << 29), 12)
                await trio.sleep(world.random.uniform(0, 0.05))
            case 5:
                pass
    world.tally.done["connections"] += 1
    await world.pace.pause(PAUSE_SECONDS)
