"""Bodies of any size in bounded memory, and clients of any slowness."""

import asyncio

from origin.state import METRICS
from storage.base import ByteRange
from tests.integration.origin.conftest import Start, until
from tests.integration.origin.published import Published, publish
from tests.integration.origin.slow import get, slow_connection
from tests.integration.origin.watched_store import WatchedStore

MIB = 1 << 20
SEGMENT_BYTES_MAX = 200_000
LONG_SEGMENTS = 42  # four minutes


async def test_a_slow_reader_holds_a_block_or_two(start: Start, store: WatchedStore) -> None:
    """A client that stops reading stops the reads of the store; when it goes on it gets every byte."""
    track = await publish(store, "long", segments=LONG_SEGMENTS)
    whole = track.media["aac-256"]
    assert len(whole) > 7 * MIB
    async with start() as origin:
        reader, writer = await slow_connection(origin.port)
        writer.write(get(f"{track.package_base}/aac-256.mp4"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"Content-Length: {len(whole)}\r\n".encode() in head and b"chunked" not in head
        # One block of ours, and what the kernel's send buffer takes.
        assert await _bytes_read_at_rest(store) < 6 * MIB
        assert await reader.readexactly(len(whole)) == whole
        writer.close()


async def test_every_read_of_a_download_is_bounded(start: Start, store: WatchedStore) -> None:
    """A whole track file is read in blocks, in order, each byte once."""
    track = await publish(store, "long", segments=LONG_SEGMENTS)
    url = f"{track.package_base}/aac-256.mp4"
    async with start(read_ahead_bytes=MIB) as origin, origin.client.get(url) as response:
        assert await response.read() == track.media["aac-256"]
    ranges = [wanted for wanted in store.ranges if wanted is not None]
    assert max(wanted.size_bytes for wanted in ranges) < MIB + SEGMENT_BYTES_MAX
    assert [wanted.start for wanted in ranges] == [0, *(wanted.end for wanted in ranges[:-1])]
    assert store.bytes_read - ranges[-1].end < 100_000  # the record


async def test_a_range_of_a_track_file_is_read_from_its_segment_on(
    start: Start, track: Published, store: WatchedStore
) -> None:
    """A listener who jumps does not wait for what lies before."""
    size = len(track.media["aac-256"])
    last = len(track.segment_of("aac-256", 7))
    async with start() as origin:
        asked = {"Range": f"bytes={size - 1000}-"}
        async with origin.client.get(f"{track.package_base}/aac-256.mp4", headers=asked) as response:
            assert (response.status, await response.read()) == (206, track.media["aac-256"][-1000:])
    assert store.ranges == [None, ByteRange(size - last, size)]


async def test_a_client_that_leaves_ends_its_download(start: Start, store: WatchedStore) -> None:
    """No more reads for a connection that is gone, and the origin answers the next."""
    track = await publish(store, "long", segments=LONG_SEGMENTS)
    async with start() as origin:
        reader, writer = await slow_connection(origin.port)
        writer.write(get(f"{track.package_base}/aac-256.mp4"))
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        await until(lambda: origin.app[METRICS].requests_in_progress == 0)
        assert await _bytes_read_at_rest(store) < len(track.media["aac-256"])
        async with origin.client.get("/healthz") as response:
            assert response.status == 200


async def _bytes_read_at_rest(store: WatchedStore) -> int:
    """What has been read once nothing more is."""
    before = -1
    while before != store.bytes_read:
        before = store.bytes_read
        await asyncio.sleep(0.5)
    return before
