"""The files of a package: what they are called, what is in them, and the order in which they go up."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.build import media_playlist, multivariant
from manifests.codecs import MULTIVARIANT_NAMES, media_type_of
from manifests.render import render
from model.package import Current, Package
from model.records import to_json
from storage.base import ObjectStore
from storage.defaults import IMMUTABLE, REVALIDATE
from storage.keys import current_key, package_key


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package."""

    name: str
    body: Path | bytes


def package_files(package: Package, track_files: dict[str, Path], art: bytes | None) -> list[PackageFile]:
    """Every file of a package, in the order of upload: what is referred to comes before what refers to it."""
    files = [PackageFile(f"{rendition_id}.mp4", path) for rendition_id, path in track_files.items()]
    files += [PackageFile(name, body) for name, body in playlists(package).items()]
    if art is not None:
        files.append(PackageFile("art.jpg", art))
    files.append(PackageFile("package.json", to_json(package)))
    return files


def playlists(package: Package) -> dict[str, bytes]:
    """The stored playlists by name: byte ranges of the files beside them, so that a bucket alone can be played."""
    found = {}
    for each in package.renditions:
        name = each.rendition.rendition_id
        playlist = media_playlist(each, target_duration_s=package.target_duration_s, track_file_uri=f"{name}.mp4")
        found[f"{name}.m3u8"] = render(playlist)
    for codec in package.codecs:
        variants = multivariant(package, codec, uri_of=lambda rendition_id: f"{rendition_id}.m3u8")
        found[MULTIVARIANT_NAMES[codec]] = render(variants)
    return found


async def upload(store: ObjectStore, package: Package, files: Sequence[PackageFile]) -> None:
    """Put the files under the package's own prefix. Players cannot see them yet: nothing points there."""
    for file in files:
        key = package_key(package.track_id, package.package_id, file.name)
        await store.put(key, file.body, media_type=media_type_of(file.name), cache_control=IMMUTABLE)


async def make_live(store: ObjectStore, package: Package) -> None:
    """The one put that players notice: from now on the track is this package."""
    pointer = to_json(Current(track_id=package.track_id, package_id=package.package_id))
    await store.put(current_key(package.track_id), pointer, media_type="application/json", cache_control=REVALIDATE)
