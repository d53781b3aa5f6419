"""What S3Store does with a real service beyond the contract: rights, buckets, headers, foreign objects, listings."""

import asyncio
import hashlib
import logging
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from model.errors import StorageDenied, StorageError
from scripts.s3_server import S3Server
from storage.address import S3Credentials
from storage.base import ByteRange
from storage.open import open_store
from storage.s3 import S3Store

KEY = "tracks/a/current.json"


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test uses."""
    return f"s3-only/{uuid.uuid4().hex}"


@pytest.fixture
async def store(s3_server: S3Server, prefix: str) -> AsyncIterator[S3Store]:
    """An empty store with the limits of everyday."""
    made = S3Store(s3_server.address(prefix), s3_server.writer)
    yield made
    await made.close()


async def _failures(store: S3Store, tmp_path: Path) -> list[StorageError]:
    errors = []
    for call in (
        store.head(KEY),
        store.read(KEY),
        store.fetch(KEY, tmp_path / "target"),
        store.put(KEY, b"x", media_type="x/y", cache_control="no-cache"),
        store.delete(KEY),
        _walk(store),
    ):
        with pytest.raises(StorageError) as caught:
            await call
        errors.append(caught.value)
    await store.close()
    return errors


async def _walk(store: S3Store) -> list[str]:
    return [entry.key async for entry in store.walk("")]


async def test_a_wrong_secret_is_denied_on_every_call(
    s3_server: S3Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """StorageDenied at once, with a hint, and the secret nowhere in what is shown or logged."""
    wrong = S3Credentials(access_key=s3_server.writer.access_key, secret_key="hush-hush-hush")
    with caplog.at_level(logging.DEBUG):
        errors = await _failures(S3Store(s3_server.address(), wrong), tmp_path)
    assert all(type(error) is StorageDenied for error in errors)
    assert all("secret key" in error.hint for error in errors)
    shown = [repr(wrong), caplog.text, *(f"{error} {error.hint} {error.__cause__!r}" for error in errors)]
    assert not any("hush" in text for text in shown)


async def test_an_unknown_access_key_is_denied(s3_server: S3Server, tmp_path: Path) -> None:
    """As with a wrong secret."""
    nobody = S3Credentials(access_key="nobody", secret_key="none")
    assert all(
        type(error) is StorageDenied for error in await _failures(S3Store(s3_server.address(), nobody), tmp_path)
    )


async def test_who_may_only_read_cannot_write(s3_server: S3Server, store: S3Store, prefix: str) -> None:
    """Reading works; writing and deleting are StorageDenied."""
    await store.put(KEY, b"x", media_type="x/y", cache_control="no-cache")
    reader = S3Store(s3_server.address(prefix), s3_server.reader)
    assert (await reader.read(KEY)).data == b"x"
    with pytest.raises(StorageDenied):
        await reader.put(KEY, b"y", media_type="x/y", cache_control="no-cache")
    with pytest.raises(StorageDenied):
        await reader.delete(KEY)
    await reader.close()
    assert (await store.read(KEY)).data == b"x"


async def test_a_missing_bucket_is_named_on_every_call(s3_server: S3Server, tmp_path: Path) -> None:
    """Not ObjectNotFound: an empty answer would hide the wrong name. The hint says what to do."""
    store = S3Store(s3_server.address(bucket="no-such-bucket"), s3_server.writer)
    for error in await _failures(store, tmp_path):
        assert type(error) is StorageError
        assert "no such bucket" in str(error)
        assert "create" in error.hint


async def test_the_headers_are_real_ones(s3_server: S3Server, store: S3Store, prefix: str, tmp_path: Path) -> None:
    """A bucket that serves players by itself sends our media type and cache control, for objects of many parts too."""
    big = tmp_path / "big"
    big.write_bytes(bytes(17 << 20))
    for key, body in (("small.mp4", b"123"), ("big.mp4", big)):
        await store.put(key, body, media_type="audio/mp4", cache_control="public, max-age=31536000, immutable")
        url = s3_server.client().presigned_get_object(s3_server.bucket, f"{prefix}/{key}")
        answer = await asyncio.to_thread(_headers, url)
        assert answer["Content-Type"] == "audio/mp4"
        assert answer["Cache-Control"] == "public, max-age=31536000, immutable"


def _headers(url: str) -> dict[str, str]:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Range": "bytes=0-2"}), timeout=10) as answer:
        return dict(answer.headers)


async def test_a_file_that_has_not_the_hash_it_is_given_with_is_refused(store: S3Store, tmp_path: Path) -> None:
    """It is sent once and not read before, but the last of it only if it is what was meant."""
    body = tmp_path / "body"
    body.write_bytes(b"123")
    for sha256, good in ((hashlib.sha256(b"124").hexdigest(), False), (hashlib.sha256(b"123").hexdigest(), True)):
        with nullcontext() if good else pytest.raises(StorageError, match="changed while it was stored"):
            await store.give("a.mp4", body, sha256=sha256, media_type="audio/mp4", cache_control="no-cache")
        assert [entry.key async for entry in store.walk("")] == ["a.mp4"] * good
    assert (await store.read("a.mp4")).data == b"123"


async def test_an_object_that_something_else_wrote_has_its_hash_too(
    s3_server: S3Server, store: S3Store, prefix: str, tmp_path: Path
) -> None:
    """Without our metadata the hash comes from the bytes, and a new version gets a new one."""
    client = s3_server.client()
    for data in (b"by hand", b"by hand again"):
        client.put_object(s3_server.bucket, f"{prefix}/a.m3u8", BytesIO(data), len(data), content_type="text/plain")
        sha256 = hashlib.sha256(data).hexdigest()
        assert (await store.head("a.m3u8")).sha256 == sha256
        assert (await store.read("a.m3u8", ByteRange(3, 7))).info.sha256 == sha256
        fetched = await store.fetch("a.m3u8", tmp_path / "target")
        assert fetched == await store.head("a.m3u8")
        assert (fetched.sha256, fetched.media_type, fetched.cache_control) == (sha256, "text/plain", "no-cache")


async def test_foreign_names_are_left_out_of_a_walk(s3_server: S3Server, store: S3Store, prefix: str) -> None:
    """What is no key of ours, and what lies beside our prefix, is not shown."""
    client = s3_server.client()
    for name in (f"{prefix}/with space", f"{prefix}/.hidden", f"{prefix}-beside/a", f"{prefix}/é"):
        client.put_object(s3_server.bucket, name, BytesIO(b"x"), 1)
    await store.put("ours", b"x", media_type="x/y", cache_control="no-cache")
    assert await _walk(store) == ["ours"]


async def test_an_object_beside_its_folder_is_listed_in_order(store: S3Store) -> None:
    """S3 has `a` beside `a/b`; both are found and sorted, with what competes in between."""
    keys = ["a", "a-b", "a.b", "a/b", "a/b/c", "a0"]
    for key in reversed(keys):
        await store.put(key, key.encode(), media_type="x/y", cache_control="no-cache")
    assert await _walk(store) == keys
    for key in keys:
        assert (await store.read(key)).data == key.encode()


async def test_a_listing_of_several_pages_is_whole(s3_server: S3Server, store: S3Store, prefix: str) -> None:
    """More objects than a service lists at once: all of them, once, in order."""
    keys = [f"n{n:04}/{name}" for n in range(360) for name in ("a", "a-b", "a.b/c")]
    client = s3_server.client()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put_object(s3_server.bucket, f"{prefix}/{key}", BytesIO(b"x"), 1), keys))
    assert await _walk(store) == sorted(keys)


async def test_a_file_that_changes_while_it_is_stored_is_refused(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is sent before the bytes, so bytes that do not have it must not arrive; the old object stays."""
    source = tmp_path / "source"
    source.write_bytes(b"a" * (18 << 20))  # two parts
    await store.put(KEY, b"old", media_type="x/y", cache_control="no-cache")
    upload = store._client.put_object

    def change_first(*args: object, **kwargs: object) -> object:
        source.write_bytes(b"b" * (18 << 20))
        return upload(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(store._client, "put_object", change_first)
    with pytest.raises(StorageError, match="changed while"):
        await store.put(KEY, source, media_type="x/y", cache_control="no-cache")
    assert (await store.read(KEY)).data == b"old"


async def test_connections_are_reused_and_given_back(store: S3Store) -> None:
    """Hundreds of calls, refused ones among them, use no more connections than they may."""
    await store.put(KEY, b"x" * 1000, media_type="x/y", cache_control="no-cache")
    await asyncio.gather(*(store.read(KEY, ByteRange(n, n + 1)) for n in range(300)))
    await asyncio.gather(*(store.head(KEY) for _ in range(300)))
    for _ in range(100):
        with pytest.raises(StorageError):
            await store.read("nothing")
        async with store.open(KEY) as stream:
            assert (
                stream.end == 1000
            )  # and away without its bytes: where they are still to come, that ends a connection
    await store.read(KEY)
    connections = store._reads._connections
    assert 1 <= len(connections._open) == len(connections._free) <= 64
    pool = store._http.pools.get(next(iter(store._http.pools.keys())))
    assert pool is not None
    assert 1 <= pool.num_connections <= 16
    assert pool.num_requests >= 300


async def test_a_url_opens_the_store(s3_server: S3Server, store: S3Store, prefix: str) -> None:
    """What an operator types leads to the same objects."""
    await store.put(KEY, b"x", media_type="x/y", cache_control="no-cache")
    opened = open_store(s3_server.url(prefix), s3_credentials=s3_server.writer)
    assert [entry.key async for entry in opened.walk("tracks/")] == [KEY]
    info = await opened.head(KEY)
    assert info == replace(await store.head(KEY), key=KEY)
    await opened.close()
