"""Keys stay under the root whatever text they are made from, and pointers are recognised."""

import posixpath
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import UsageError
from storage.keys import (
    KEY_BYTES_MAX,
    Change,
    TrackPointer,
    analysis_key,
    art_key,
    change_in,
    change_key,
    changes_at,
    checked,
    checked_prefix,
    claim_key,
    current_key,
    is_key,
    mezzanine_key,
    mezzanine_record_key,
    package_key,
    pointer_in,
    recording_prefix,
    track_file_key,
    track_key,
)

TRACK = "abcdefghijklmnopqrst"
NASTY = st.text(st.sampled_from("./\\a\0\n~-_ %é"), max_size=12) | st.text(max_size=12)


@given(NASTY)
def test_a_key_never_leaves_the_root(text: str) -> None:
    """What passes is the same path after normalising, relative, visible and ASCII; all else is a UsageError."""
    try:
        key = checked(text)
    except UsageError as error:
        assert error.hint
        assert not is_key(text)
    else:
        assert key == text == posixpath.normpath(text)
        assert not key.startswith(("/", "."))
        assert not any(part.startswith(".") for part in key.split("/"))
        assert key.isascii() and key.isprintable() and "\\" not in key


@given(track_id=NASTY, other=NASTY)
def test_no_maker_of_keys_can_be_talked_into_another_folder(track_id: str, other: str) -> None:
    """Parts from outside give a key under the folder of its kind, or a UsageError."""
    makers: tuple[Callable[[], str], ...] = (
        lambda: track_key(track_id),
        lambda: current_key(track_id),
        lambda: art_key(track_id, 640),
        lambda: analysis_key(track_id),
        lambda: recording_prefix(track_id),
        lambda: mezzanine_key(track_id, other),
        lambda: mezzanine_record_key(track_id, other),
        lambda: package_key(track_id, other, other),
        lambda: claim_key(track_id),
    )
    for make in makers:
        try:
            key = make()
        except UsageError:
            continue
        assert posixpath.normpath(key).startswith(("tracks/", "recordings/", "art/", "claims/"))
        assert key.startswith(f"{posixpath.normpath(key).partition('/')[0]}/{track_id}")


@given(NASTY)
def test_a_track_file_lies_in_its_recording(text: str) -> None:
    """By its path from the package: there, or one level up; never further."""
    package_id = "b" * 16
    assert track_file_key(TRACK, package_id, "aac-64.mp4") == package_key(TRACK, package_id, "aac-64.mp4")
    assert track_file_key(TRACK, package_id, f"../mezzanine/{package_id}.mp4") == mezzanine_key(TRACK, package_id)
    for path in (text, f"../{text}", f"../../{text}"):
        try:
            key = track_file_key(TRACK, package_id, path)
        except UsageError:
            continue
        assert posixpath.normpath(key) == key and key.startswith(f"recordings/{TRACK}/")


def test_length_is_bounded() -> None:
    """S3's limit is ours."""
    assert checked("x" * KEY_BYTES_MAX)
    with pytest.raises(UsageError):
        checked("x" * (KEY_BYTES_MAX + 1))


@pytest.mark.parametrize("prefix", ["", "tracks", "tracks/", "a/b"])
def test_a_prefix_is_nothing_a_key_or_a_folder(prefix: str) -> None:
    """These pass as they are."""
    assert checked_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["/", "a//", "../", ".segue/", "a b"])
def test_what_no_key_starts_with_is_no_prefix(prefix: str) -> None:
    """These are refused."""
    with pytest.raises(UsageError):
        checked_prefix(prefix)


def test_pointers_are_the_two_mutable_objects_of_a_track() -> None:
    """track.json and current.json directly in the folder of a track id; nothing else."""
    assert pointer_in(current_key(TRACK)) == TrackPointer(TRACK, live=True)
    assert pointer_in(track_key(TRACK)) == TrackPointer(TRACK, live=False)
    for key in (
        analysis_key(TRACK),
        package_key(TRACK, "b" * 16, "package.json"),
        package_key(TRACK, "b" * 16, "current.json"),
        "tracks/UPPER/current.json",
        "current.json",
        f"x/{current_key(TRACK)}",
        f"{current_key(TRACK)}.bak",
    ):
        assert pointer_in(key) is None


def test_changes_sort_by_moment_and_are_recognised() -> None:
    """From a moment on is what comes after its key; everything else is no change."""
    moments = [0, 9, 999_999_999_999, 1_790_000_000_000, 9_999_999_999_999]
    keys = [change_key(Change(TRACK, at_ms)) for at_ms in moments]
    assert keys == sorted(keys) and [change_in(key) for key in keys] == [Change(TRACK, at_ms) for at_ms in moments]
    assert keys[2] < changes_at(moments[3]) < keys[3]
    assert changes_at(-5) == changes_at(0)
    for key in ("changes/", "changes/1-" + TRACK, f"{keys[0]}/x", f"tracks/{TRACK}/track.json", keys[0] + "/.."):
        assert change_in(key) is None
