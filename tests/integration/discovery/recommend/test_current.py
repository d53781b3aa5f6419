"""A new model is taken up while serving; a damaged one is not."""

import logging
from pathlib import Path

import pytest

from discovery.recommend.current import CurrentModel
from discovery.recommend.files import CURRENT, set_current, write_model
from discovery.recommend.recipe import TrainSettings
from discovery.recommend.train import train
from tests.support.listening import plays

MODEL = train(plays(), TrainSettings(factors=4), {})


def written(folder: Path, made_ms: int) -> str:
    return write_model(folder, MODEL, made_ms=made_ms, kind="blend", facts={}).model_id


def spoil(folder: Path, model_id: str) -> None:
    path = folder / model_id / "popularity.npy"
    path.write_bytes(path.read_bytes()[:-1])


def test_a_new_model_and_one_gone_back_to_are_taken_up(tmp_path: Path) -> None:
    current = CurrentModel(tmp_path)
    current.look()  # nothing there
    first = written(tmp_path, 1)
    current.look()
    same = current.model
    assert current.model_id == first
    current.look()
    assert current.model is same
    second = written(tmp_path, 2)
    current.look()
    assert current.model_id == second
    set_current(tmp_path, first)
    current.look()
    assert current.model_id == first


def test_a_model_that_is_in_use_works_on_when_its_files_are_gone(tmp_path: Path) -> None:
    written(tmp_path, 1)
    current = CurrentModel(tmp_path)
    current.look()
    for made_ms in range(2, 7):
        written(tmp_path, made_ms)
    assert current.model and current.model.recommended(current.model.row([(MODEL.tracks[3], 1)]), 5)


def test_a_damaged_model_changes_nothing_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    first = written(tmp_path, 1)
    current = CurrentModel(tmp_path)
    current.look()
    spoil(tmp_path, written(tmp_path, 2))
    current.look()
    current.look()
    assert current.model_id == first and current.model
    assert [record.message for record in caplog.records] == ["model not usable"]
    (tmp_path / CURRENT).write_bytes(b"\xff\xff")
    current.look()
    current.look()
    assert current.model_id == first and len(caplog.records) == 2


def test_who_starts_with_a_damaged_model_takes_the_one_before(tmp_path: Path) -> None:
    first = written(tmp_path, 1)
    spoil(tmp_path, written(tmp_path, 2))
    current = CurrentModel(tmp_path)
    current.look()
    assert current.model_id == first


def test_models_that_were_removed_are_not_used_any_more(tmp_path: Path) -> None:
    written(tmp_path, 1)
    current = CurrentModel(tmp_path)
    current.look()
    (tmp_path / CURRENT).unlink()
    current.look()
    assert current.model is None and current.model_id is None
