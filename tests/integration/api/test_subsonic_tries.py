"""Who tries keys and passwords of other people's players. Whoever comes from the same place waits, too: alone here."""

import secrets
from hashlib import md5

import aiohttp

from discovery.rates import KEY_FAILURES, RATES
from tests.integration.api.subsonic_server import Served


async def test_who_tries_passwords_has_to_wait(served: Served) -> None:
    """429 with the time to wait; what is tried is not what is let in. The listener, elsewhere, does not have to."""
    burst = int(RATES[KEY_FAILURES].burst)
    async with aiohttp.ClientSession() as client:
        statuses = []
        for _ in range(3 * burst):
            asked = {"u": served.listener_id, "t": secrets.token_hex(16), "s": "c19b2d", "f": "json"}
            async with client.get(f"{served.url}/rest/ping", params=asked) as answer:
                statuses.append(answer.status)
                waits = answer.headers.get("Retry-After")
                if answer.status == 429:
                    break
    assert statuses[-1] == 429 and statuses.count(200) >= burst and int(waits or 0) >= 1
    token = {
        "u": served.listener_id,
        "t": md5(f"{served.password}c19b2d".encode()).hexdigest(),
        "s": "c19b2d",
        "f": "json",
    }
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))) as client,
        client.get(f"{served.url}/rest/ping", params=token) as answer,
    ):
        assert (await answer.json())["subsonic-response"]["status"] == "ok"
