"""Who may keep what for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.cache_policy import ResourceClass, caching, caching_of_error, resource_class, surrogate_keys

TRACK = "/tracks/abcdefghijklmnop2345"
ALBUM = "/albums/abcdefghijklmnop2345"
RECORDING = "/recordings/abcdefghijklmnop2345"
PACKAGE = f"{RECORDING}/qrstuvwxyz234567"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"{TRACK}/index.m3u8", ResourceClass.MULTIVARIANT),
        (f"{TRACK}/opus.m3u8", ResourceClass.MULTIVARIANT),
        (f"{TRACK}/index.mpd", ResourceClass.MULTIVARIANT),
        (f"{TRACK}/package.json", ResourceClass.PACKAGE),
        (f"{TRACK}/art.jpg", ResourceClass.ART),
        (f"{TRACK}/art-1280.jpg", ResourceClass.ART),
        (f"{TRACK}/track.json", ResourceClass.OTHER),
        ("/art/qrstuvwxyz234567/160.jpg", ResourceClass.PICTURE),
        ("/keys/abcdefghijklmnop2345/qrstuvwxyz234567/aac-64/0", ResourceClass.KEY),
        (f"{RECORDING}/analysis.json", ResourceClass.OTHER),
        (f"{PACKAGE}/aac-64.m3u8", ResourceClass.PLAYLIST),
        (f"{PACKAGE}/aac-64.mp4", ResourceClass.MEDIA),
        (f"{PACKAGE}/aac-64/init.mp4", ResourceClass.MEDIA),
        (f"{PACKAGE}/aac-64/12.mp4", ResourceClass.MEDIA),
        (f"{PACKAGE}/aac-64/12.exe", ResourceClass.OTHER),
        (f"{ALBUM}/index.m3u8", ResourceClass.MULTIVARIANT),
        (f"{ALBUM}/opus.m3u8", ResourceClass.MULTIVARIANT),
        (f"{ALBUM}/qrstuvwxyz234567/aac-64.m3u8", ResourceClass.PLAYLIST),
        (f"{ALBUM}/qrstuvwxyz234567/x/aac-64.m3u8", ResourceClass.OTHER),
        (f"{ALBUM}/index.mp4", ResourceClass.OTHER),
        ("/playlists/abcdefghijklmnop2345/index.m3u8", ResourceClass.MULTIVARIANT),
        ("/playlists/abcdefghijklmnop2345/qrstuvwxyz234567/aac-64.m3u8", ResourceClass.PLAYLIST),
        ("/my-playlists/abcdefghijklmnop2345/index.m3u8", ResourceClass.PERSONAL),
        ("/my-playlists/abcdefghijklmnop2345/qrstuvwxyz234567/aac-64.m3u8", ResourceClass.PERSONAL),
        ("/my-playlists/abcdefghijklmnop2345/nothing", ResourceClass.PERSONAL),
        ("/my-mixes/abcdefghijklmnop2345/index.m3u8", ResourceClass.PERSONAL),
        ("/mixes/x-y/index.m3u8", ResourceClass.MULTIVARIANT),
        ("/mixes/x-y/z/aac-64.m3u8", ResourceClass.PLAYLIST),
        ("/stations/library/index.m3u8", ResourceClass.MULTIVARIANT),
        ("/stations/library/opus.m3u8", ResourceClass.MULTIVARIANT),
        ("/stations/library/aac-64.m3u8", ResourceClass.LIVE),
        ("/stations/library/x/aac-64.m3u8", ResourceClass.OTHER),
        ("/joined/init/aac-1024.mp4", ResourceClass.MEDIA),
        ("/joined/0/abcdefghijklmnop2345/qrstuvwxyz234567/aac-64/0-45.mp4", ResourceClass.MEDIA),
        ("/joined/0/x.m3u8", ResourceClass.OTHER),
        ("/api/v1/tracks", ResourceClass.API),
        ("/healthz", ResourceClass.OPERATIONS),
        ("/metrics", ResourceClass.OPERATIONS),
        ("/", ResourceClass.PAGE),
        ("/player.js", ResourceClass.PAGE),
        ("/vendor/hls.min.js", ResourceClass.PAGE),
        ("/elsewhere/x.mp4", ResourceClass.OTHER),
        ("*", ResourceClass.OTHER),
    ],
)
def test_a_path_has_its_class(path: str, kind: ResourceClass) -> None:
    """The class follows from the URL alone, so an error has it too."""
    assert resource_class(path) is kind


@given(st.text(max_size=60))
def test_every_path_has_a_class(path: str) -> None:
    """Whatever a client asks for is of some class."""
    assert isinstance(resource_class(path), ResourceClass)


@pytest.mark.parametrize("kind", [ResourceClass.MEDIA, ResourceClass.PLAYLIST, ResourceClass.PICTURE])
def test_what_is_named_by_its_content_is_kept_for_ever(kind: ResourceClass) -> None:
    """Content-addressed: a year, immutable, for browsers and for CDNs."""
    assert caching(kind) == {
        "Cache-Control": "public, max-age=31536000, immutable",
        "CDN-Cache-Control": "max-age=31536000, immutable",
    }


@pytest.mark.parametrize("kind", [ResourceClass.MULTIVARIANT, ResourceClass.PACKAGE, ResourceClass.ART])
def test_what_follows_the_live_pointer_is_kept_shortly_and_served_stale(kind: ResourceClass) -> None:
    """A new package shows within minutes; an origin that is down does not."""
    for value in caching(kind).values():
        directives = dict(part.partition("=")[::2] for part in value.split(", "))
        assert 0 < int(directives["max-age"]) <= 60
        assert int(directives["stale-while-revalidate"]) > 0
        assert int(directives["stale-if-error"]) >= 3600
        assert "immutable" not in directives


@pytest.mark.parametrize("kind", ResourceClass)
def test_targeted_headers_are_structured_fields_with_integers(kind: ResourceClass) -> None:
    """RFC 9213: a dictionary whose values must not need coercion."""
    for part in caching(kind)["CDN-Cache-Control"].split(", "):
        name, _, value = part.partition("=")
        assert name.replace("-", "").isalpha()
        assert value.isdecimal() or value == ""


@pytest.mark.parametrize("status", [404, 405])
def test_not_found_is_kept_for_seconds(status: int) -> None:
    """Long enough to blunt a storm, short enough for a publish to show."""
    assert caching_of_error(status, retry_after_s=2) == {
        "Cache-Control": "public, max-age=5",
        "CDN-Cache-Control": "max-age=5",
    }


@pytest.mark.parametrize("status", [400, 412, 413, 416])
def test_refusals_are_never_kept(status: int) -> None:
    """They answer one client's request, not a resource."""
    headers = caching_of_error(status, retry_after_s=2)
    assert headers == {"Cache-Control": "no-store", "CDN-Cache-Control": "no-store"}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_failures_are_never_kept_and_say_when_to_come_back(status: int) -> None:
    """no-store and Retry-After."""
    headers = caching_of_error(status, retry_after_s=7)
    assert headers == {"Cache-Control": "no-store", "CDN-Cache-Control": "no-store", "Retry-After": "7"}


def test_surrogate_keys_speak_to_three_cdns() -> None:
    """Fastly separates by spaces, Cloudflare and Akamai by commas."""
    assert surrogate_keys(["track-a", "package-b"]) == {
        "Surrogate-Key": "track-a package-b",
        "Cache-Tag": "track-a,package-b",
        "Edge-Cache-Tag": "track-a,package-b",
    }
    assert surrogate_keys([]) == {}
