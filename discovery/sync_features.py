"""Features in the catalog: read with the tracks that become live, and again when some were made of known recordings.

Nothing points to features, so a listing of the tracks shows no change when they are made later. Whoever makes them
writes FEATURES_MARK anew at the end: then all tracks without features are looked at once more.
"""

import asyncio

from catalog.store import Catalog
from model.errors import ObjectNotFound, RecordMalformed
from model.features import Features, FeatureSet
from model.records import from_json
from storage.base import ObjectStore
from storage.keys import features_key

_LOOKS = 16  # at the same time


async def read_features(store: ObjectStore, recording_id: str, wanted: FeatureSet) -> Features | None:
    """The features of a recording; None if there are none of our version that can be read."""
    key = features_key(recording_id, wanted)
    try:
        features = from_json(Features, (await store.read(key)).data, subject=key)
    except (ObjectNotFound, RecordMalformed):
        return None
    return features if (features.format, features.recording_id) == (wanted.version, recording_id) else None


async def catch_up(store: ObjectStore, catalog: Catalog, mark: str) -> None:
    """Read what was made until this mark was written, unless that was done. Raises StorageError, CatalogError."""
    if await asyncio.to_thread(catalog.features_noted) == mark:
        return
    after = ""
    while lacking := await asyncio.to_thread(catalog.without_features, after, _LOOKS):
        reads = (read_features(store, recording_id, catalog.features) for _, recording_id in lacking)
        found = await asyncio.gather(*reads)
        made = {track_id: each for (track_id, _), each in zip(lacking, found, strict=True) if each}
        await asyncio.to_thread(catalog.apply, [], [], made)
        after = lacking[-1][0]
    await asyncio.to_thread(catalog.note_features, mark)
