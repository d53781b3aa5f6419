"""The proxy does to a connection what it says, or the tests that use it prove nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.faulty_proxy import FaultyProxy, faulty_proxy

ANSWER = bytes(range(256)) * 400  # 100 kB


@pytest.fixture
async def proxy() -> AsyncIterator[FaultyProxy]:
    """In front of a server that answers each line with ANSWER."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with faulty_proxy(f"{host}:{port}") as made:
        yield made
    server.close()


async def _asked(proxy: FaultyProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"\n")
    return reader, writer


async def test_without_faults_it_is_not_there(proxy: FaultyProxy) -> None:
    """Every byte passes, twice over one connection."""
    reader, writer = await _asked(proxy)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    writer.write(b"\n")
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    assert (proxy.connections, proxy.answered_bytes) == (1, 2 * len(ANSWER))
    writer.close()


async def test_refusing_is_as_if_nobody_listened(proxy: FaultyProxy) -> None:
    """No connection; what was open is reset; and it comes back on the same port."""
    reader, writer = await _asked(proxy)
    await reader.readexactly(1)
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await _asked(proxy)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(2 * len(ANSWER))
    writer.close()
    await proxy.accept()
    reader, writer = await _asked(proxy)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    writer.close()


@pytest.mark.parametrize("gently", [True, False])
async def test_an_answer_is_cut(proxy: FaultyProxy, gently: bool) -> None:
    """After so many bytes the connection ends, by FIN or by RST; healed, the next is whole."""
    proxy.cut_after_bytes, proxy.gently = 50_000, gently
    reader, writer = await _asked(proxy)
    got = b""
    try:
        while data := await reader.read(1000):
            got += data
        ended_well = True
    except ConnectionResetError:
        ended_well = False
    assert ended_well == gently
    assert ANSWER.startswith(got) and len(got) <= 50_000 and (not gently or len(got) == 50_000)
    writer.close()
    proxy.heal()
    reader, writer = await _asked(proxy)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    writer.close()


async def test_it_hangs_and_goes_on(proxy: FaultyProxy) -> None:
    """Nothing comes while it hangs, everything afterwards."""
    proxy.hanging = True
    reader, writer = await _asked(proxy)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await reader.read(1)
    proxy.heal()
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    writer.close()


async def test_it_delays(proxy: FaultyProxy) -> None:
    """Each piece of 16 KiB waits: 100 kB are seven."""
    proxy.delay_s = 0.05
    began_s = asyncio.get_running_loop().time()
    reader, writer = await _asked(proxy)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    assert asyncio.get_running_loop().time() - began_s >= 7 * 0.05
    writer.close()
