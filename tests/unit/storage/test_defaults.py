"""Objects that nobody described get what their suffix stands for, and never a promise too long."""

import pytest

from storage.defaults import default_cache_control, default_media_type


@pytest.mark.parametrize(
    ("key", "media_type", "forever"),
    [
        ("tracks/a/b/aac-64.mp4", "audio/mp4", True),
        ("tracks/a/art/0.jpg", "image/jpeg", True),
        ("tracks/a/b/index.m3u8", "application/vnd.apple.mpegurl", False),
        ("tracks/a/current.json", "application/json", False),
        ("recordings/a/b/index.mpd", "application/dash+xml", False),
        ("tracks/mp4", "application/octet-stream", False),
    ],
)
def test_the_suffix_decides(key: str, media_type: str, forever: bool) -> None:
    """Media is kept for ever, whatever may be replaced is asked for again."""
    assert default_media_type(key) == media_type
    assert ("immutable" in default_cache_control(key)) == forever
    assert (default_cache_control(key) == "no-cache") == (not forever)
