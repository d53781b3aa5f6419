"""Models on a disk: swapped in one step, gone back to, and refused whatever was done to them."""

import json
import random
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.recommend.files import (
    CURRENT,
    MANIFEST,
    current_id,
    model_ids,
    read_about,
    read_model,
    set_current,
    write_model,
)
from discovery.recommend.model import Model
from discovery.recommend.recipe import Known, TrainSettings
from discovery.recommend.train import train
from model.errors import ModelMalformed
from tests.support.listening import plays, sound_of, taste_of

MADE_MS = 1_700_000_000_000


def made(*, content: bool = True) -> Model:
    luck, listened = random.Random(1), plays()
    sounds = {track: Known("Ünder", sound_of(taste_of(track), luck)) for track in listened.tracks} if content else {}
    return train(listened, TrainSettings(factors=4), sounds)


@pytest.fixture(scope="module")
def written() -> Iterator[tuple[Path, Model]]:
    """A folder with one model, and the model."""
    with TemporaryDirectory() as folder:
        model = made()
        write_model(Path(folder), model, made_ms=MADE_MS, kind="blend", facts={"listeners": 100})
        yield Path(folder), model


def test_what_is_read_is_what_was_written(written: tuple[Path, Model]) -> None:
    folder, model = written
    model_id = current_id(folder)
    assert model_id is not None
    again = read_model(folder, model_id)
    row = again.row([(track, 2) for track in model.tracks[:7]])
    assert (again.tracks, again.artist_names) == (model.tracks, model.artist_names)
    assert np.allclose(again.scores(row), model.scores(row), atol=1e-5)
    assert again.recommended(row, 20) == model.recommended(row, 20)
    about = read_about(folder, model_id)
    assert (about.made_ms, about.kind, about.facts) == (MADE_MS, "blend", {"listeners": 100})


def test_a_model_without_sounds_or_artists_is_one(tmp_path: Path) -> None:
    about = write_model(tmp_path, made(content=False), made_ms=MADE_MS, kind="blend", facts={})
    assert read_model(tmp_path, about.model_id).content is None


def test_the_newest_is_current_some_are_kept_and_one_can_go_back(tmp_path: Path) -> None:
    model = made(content=False)
    ids = [write_model(tmp_path, model, made_ms=MADE_MS + at, kind="x", facts={}).model_id for at in range(5)]
    assert model_ids(tmp_path) == ids[:1:-1]
    assert current_id(tmp_path) == ids[4]
    set_current(tmp_path, ids[3])
    assert current_id(tmp_path) == ids[3]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*ids[2:], CURRENT])


def test_nothing_is_current_where_nothing_is(tmp_path: Path) -> None:
    assert current_id(tmp_path) is None
    assert model_ids(tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["../../etc", "", "1700000000000-abcdefabcdef/..", "x" * 100, "\udcff"])
def test_current_names_a_model_or_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / CURRENT).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelMalformed):
        current_id(tmp_path)


@pytest.mark.parametrize("name", [MANIFEST, "tracks.npy", "neighbours0_weights.npy", "factors_gram.npy"])
def test_a_file_that_is_missing_is_a_damaged_model(written: tuple[Path, Model], tmp_path: Path, name: str) -> None:
    folder, model_id = copied(written, tmp_path)
    (folder / model_id / name).unlink()
    with pytest.raises(ModelMalformed) as told:
        read_model(folder, model_id)
    assert told.value.hint


def copied(written: tuple[Path, Model], target: Path) -> tuple[Path, str]:
    """A copy of the written folder, to be spoilt."""
    shutil.copytree(written[0], target, dirs_exist_ok=True)
    model_id = current_id(target)
    assert model_id is not None
    return target, model_id


def rewritten(folder: Path, name: str, body: bytes) -> None:
    """Another file of that name, with a manifest that says that it is right."""
    (folder / f"{name}.npy").write_bytes(body)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["arrays"][name] = [len(body), sha256(body).hexdigest()]
    (folder / MANIFEST).write_text(json.dumps(manifest))


NAMES = ["tracks", "artists", "artist_names", "artist_ends", "popularity", "listeners", "neighbours0_starts",
         "neighbours0_targets", "neighbours0_weights", "neighbours0_half_life", "factors_vectors", "factors_gram",
         "factors_ridges", "content_vectors", "content_to_factors"]  # fmt: skip


def holds(folder: Path, model_id: str) -> None:
    """The model is refused, or what is asked of it is answered."""
    try:
        model = read_model(folder, model_id)
    except ModelMalformed:
        return
    row = model.row([(track, 1) for track in model.tracks[:5]])
    items = model.recommended(row, 10)
    assert len(set(items)) == len(items)
    assert all(0 <= item < len(model.tracks) for item in items)
    assert np.isfinite(model.scores(row)).all()
    model.reasons(row, [0], 3)
    assert model.artist_items.keys() == set(model.artist_names)


@given(name=st.sampled_from(NAMES), at=st.integers(0, 1 << 20), bits=st.integers(1, 255))
def test_a_spoilt_byte_is_refused_or_harmless(written: tuple[Path, Model], name: str, at: int, bits: int) -> None:
    """Also where the manifest was made to fit: then only shapes, bounds and numbers can tell."""
    with TemporaryDirectory() as scratch:
        folder, model_id = copied(written, Path(scratch))
        body = bytearray((folder / model_id / f"{name}.npy").read_bytes())
        body[at % len(body)] ^= bits
        (folder / model_id / f"{name}.npy").write_bytes(body)
        with pytest.raises(ModelMalformed):
            read_model(folder, model_id)
        rewritten(folder / model_id, name, bytes(body))
        holds(folder, model_id)


@given(
    name=st.sampled_from(NAMES), body=st.one_of(st.binary(max_size=200), st.just(b"PK\x03\x04"), st.just(b"\x80\x04N."))
)
def test_any_bytes_are_refused(written: tuple[Path, Model], name: str, body: bytes) -> None:
    with TemporaryDirectory() as scratch:
        folder, model_id = copied(written, Path(scratch))
        rewritten(folder / model_id, name, body)
        with pytest.raises(ModelMalformed):
            read_model(folder, model_id)


NUMBERS = st.one_of(st.integers(-(1 << 31), 1 << 31), st.floats(width=32), st.just(float("nan")))


@given(name=st.sampled_from(NAMES[1:]), at=st.integers(0, 1 << 16), number=NUMBERS)
def test_any_number_is_refused_or_harmless(written: tuple[Path, Model], name: str, at: int, number: float) -> None:
    with TemporaryDirectory() as scratch:
        folder, model_id = copied(written, Path(scratch))
        path = folder / model_id / f"{name}.npy"
        array = np.load(path)
        with np.errstate(all="ignore"):
            array.reshape(-1)[at % array.size] = np.array(number).astype(array.dtype)
        np.save(path, array)
        rewritten(folder / model_id, name, path.read_bytes())
        holds(folder, model_id)


@given(
    name=st.sampled_from(NAMES), rows=st.integers(0, 5), kind=st.sampled_from(["<f4", "<f8", "<i4", "S32", ">f4", "?"])
)
def test_arrays_of_other_shapes_and_types_are_refused(
    written: tuple[Path, Model], name: str, rows: int, kind: str
) -> None:
    with TemporaryDirectory() as scratch:
        folder, model_id = copied(written, Path(scratch))
        path = folder / model_id / f"{name}.npy"
        np.save(path, np.zeros((rows, 3), dtype=kind))
        rewritten(folder / model_id, name, path.read_bytes())
        with pytest.raises(ModelMalformed):
            read_model(folder, model_id)


def test_a_pickle_is_not_opened(written: tuple[Path, Model], tmp_path: Path) -> None:
    folder, model_id = copied(written, tmp_path)
    path = folder / model_id / "popularity.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    rewritten(folder / model_id, "popularity", path.read_bytes())
    with pytest.raises(ModelMalformed, match="another header"):
        read_model(folder, model_id)


JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(["format", "made_ms", "kind", "facts", "arrays"]), value=JSONS)
def test_any_manifest_is_refused_or_read(written: tuple[Path, Model], key: str, value: object) -> None:
    with TemporaryDirectory() as scratch:
        folder, model_id = copied(written, Path(scratch))
        manifest = json.loads((folder / model_id / MANIFEST).read_text()) | {key: value}
        (folder / model_id / MANIFEST).write_text(json.dumps(manifest))
        holds(folder, model_id)


def test_names_of_arrays_lead_nowhere_else(written: tuple[Path, Model], tmp_path: Path) -> None:
    folder, model_id = copied(written, tmp_path)
    manifest = json.loads((folder / model_id / MANIFEST).read_text())
    manifest["arrays"]["../../secret"] = [1, "0" * 64]
    (folder / model_id / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelMalformed, match="other names"):
        read_model(folder, model_id)
