"""The files of a package: what they are called, what is in them, and the order in which they go up."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.build import key_base_uri, media_playlist, multivariant
from manifests.codecs import MPD_NAME, MULTIVARIANT_NAMES, media_type_of
from manifests.dash import render_mpd
from manifests.render import render
from model.package import Current, Package
from model.records import to_json
from packager.records import PACKAGE_RECORD
from storage.base import ObjectStore
from storage.changes import signal
from storage.defaults import IMMUTABLE, REVALIDATE
from storage.keys import current_key, package_key


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package; `sha256` is the hash of a track file."""

    name: str
    body: Path | bytes
    sha256: str = ""


def package_files(package: Package, folder: Path) -> list[PackageFile]:
    """Every file of a package, in the order of upload: what is referred to comes before what refers to it.

    The track files lie in `folder`; one that is the mezzanine is in the store already.
    """
    ours = [each for each in package.renditions if not each.track_file]
    files = [PackageFile(each.track_file_path, folder / each.track_file_path, each.sha256) for each in ours]
    files += [PackageFile(name, body) for name, body in playlists(package).items()]
    files.append(PackageFile(PACKAGE_RECORD, to_json(package)))
    return files


def playlists(package: Package) -> dict[str, bytes]:
    """The stored playlists by name: byte ranges of the track files, so that a bucket alone can be played."""
    found = {}
    for each in package.renditions:
        name = each.rendition.rendition_id
        target_s, uri = package.target_duration_s, each.track_file_path
        keys = key_base_uri(package, each)
        playlist = media_playlist(each, target_duration_s=target_s, track_file_uri=uri, key_base_uri=keys)
        found[f"{name}.m3u8"] = render(playlist)
    for codec in package.codecs:
        variants = multivariant(package, codec, uri_of=lambda rendition_id: f"{rendition_id}.m3u8")
        found[MULTIVARIANT_NAMES[codec]] = render(variants)
    if package.protection is None:  # DASH has no such protection
        found[MPD_NAME] = render_mpd(package, uri_of=lambda each: each.track_file_path)
    return found


async def upload(store: ObjectStore, package: Package, files: Sequence[PackageFile]) -> None:
    """Put the files under the package's own prefix, and give the track files away. Players cannot see them yet: nothing
    points there."""
    for file in files:
        key = package_key(package.recording_id, package.package_id, file.name)
        kind = media_type_of(file.name)
        if isinstance(file.body, Path):
            await store.give(key, file.body, sha256=file.sha256, media_type=kind, cache_control=IMMUTABLE)
        else:
            await store.put(key, file.body, media_type=kind, cache_control=IMMUTABLE)


async def keep_in_use(store: ObjectStore, package: Package) -> None:
    """Write the record of a package that lies there already once more, so that it counts as new: whoever is about to
    make it live says so, before looking whether it is whole. See docs/decisions/0028-gc.md."""
    key = package_key(package.recording_id, package.package_id, PACKAGE_RECORD)
    await store.put(key, to_json(package), media_type=media_type_of(PACKAGE_RECORD), cache_control=IMMUTABLE)


async def make_live(store: ObjectStore, current: Current) -> None:
    """The one put that players notice: from now on the track is this package. Lists follow what is told after it."""
    key = current_key(current.track_id)
    await store.put(key, to_json(current), media_type="application/json", cache_control=REVALIDATE)
    await signal(store, current.track_id)
