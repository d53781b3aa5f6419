"""A store's URL is understood exactly or refused with a hint, and never shows a secret."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.errors import UsageError
from storage.address import FileAddress, S3Address, S3Credentials, parse_address
from storage.filesystem import FilesystemStore
from storage.open import describe, open_store


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:store", "store"),
        ("file:./a/../b", "a/../b"),
        ("file:/srv/music", "/srv/music"),
        ("file:///srv/music", "/srv/music"),
        ("file:my music 100%/#1?", "my music 100%/#1?"),
        ("file:s3://x", "s3:/x"),
    ],
)
def test_everything_after_file_is_the_path(url: str, path: str) -> None:
    """No escapes, no query: a path as the shell gives it."""
    assert parse_address(url) == FileAddress(Path(path))


def test_an_s3_url_in_full_and_with_defaults() -> None:
    """Bucket, prefix, endpoint, region; Amazon and us-east-1 where nothing is said."""
    assert parse_address("s3://music/a/b/?endpoint=http://127.0.0.1:8333&region=eu-west-1") == S3Address(
        bucket="music", prefix="a/b", endpoint="127.0.0.1:8333", secure=False, region="eu-west-1"
    )
    assert parse_address("s3://music") == S3Address(
        bucket="music", prefix="", endpoint="s3.amazonaws.com", secure=True, region="us-east-1"
    )
    assert parse_address("s3://music?endpoint=https%3A%2F%2F[::1]:9000/") == S3Address(
        bucket="music", endpoint="[::1]:9000", secure=True
    )


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("/srv/music", "file:/srv/music"),
        ("music", "file:music"),
        ("", "file:"),
        ("file:", "file:PATH"),
        ("file://server/music", "file:server/music"),
        ("file:a\0b", "file:PATH"),
        ("http://example.org/", "s3://bucket"),
        ("s3:/music/prefix", "s3://bucket"),
        ("s3://Music", "lower-case"),
        ("s3://ab", "3 to 63"),
        ("s3://music/../x", "words"),
        ("s3://music/a//b", "words"),
        ("s3://music?endpiont=http://h:1", "endpoint"),
        ("s3://music?secret=x", "endpoint, region"),
        ("s3://music?region=a&region=b", "leave one"),
        ("s3://music?region=", "us-east-1"),
        ("s3://music?endpoint=h:8333", "http://host:port"),
        ("s3://music?endpoint=http://h:8333/path", "http://host:port"),
        ("s3://music?endpoint=http://h:port", "s3://bucket"),
        ("s3://music#x", "s3://bucket"),
    ],
)
def test_anything_else_is_a_usage_error_that_helps(url: str, hint: str) -> None:
    """The hint says what to write instead."""
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert hint in caught.value.hint


@pytest.mark.parametrize("url", ["s3://key:hush@music/x", "s3://music?endpoint=http://key:hush@host:1"])
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    """They would end in logs and histories."""
    with pytest.raises(UsageError) as caught:
        describe(url)
    assert "hush" not in f"{caught.value} {caught.value.hint}"


def test_the_secret_is_not_shown() -> None:
    """Neither by repr nor by str."""
    credentials = S3Credentials(access_key="who", secret_key="hush")
    assert "hush" not in f"{credentials!r} {credentials}"
    assert "who" in repr(credentials)


async def test_a_url_opens_a_store() -> None:
    """A folder needs nothing more; S3 needs credentials."""
    store = open_store("file:nowhere-yet")
    assert isinstance(store, FilesystemStore)
    await store.close()
    with pytest.raises(UsageError) as caught:
        open_store("s3://music")
    assert "secret key" in caught.value.hint


@given(st.text(max_size=60) | st.from_regex(r"(s3|file):/{0,3}[a-z@:?#\[\]&=%/.-]{0,40}", fullmatch=True))
@example("s3://[")
@example("file:////")
@example("s3://a[b]/")
@example("s3://music?endpoint=http://[")
def test_any_text_is_an_address_or_a_usage_error(url: str) -> None:
    """And what describes an address leads to the same one."""
    try:
        address = parse_address(url)
    except UsageError as error:
        assert error.hint
    else:
        assert parse_address(str(address)) == address
        assert describe(url) == str(address)
