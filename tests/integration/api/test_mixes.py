"""Mixes and stations over HTTP, from a real `segue serve`."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from discovery.sequence.wish import Wish, wish_of
from tests.integration.api.conftest import Api


def ask(api: Api, path: str, body: object = None) -> tuple[int, dict[str, Any], str]:
    """Status, answer and Cache-Control."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api.url + path, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), answer.headers["Cache-Control"]
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused), refused.headers["Cache-Control"]


def test_a_mix_is_public_and_says_why(api: Api) -> None:
    """It begins with what was asked for; caches keep it; the same question has the same answer."""
    track_id = api.known["track_id"]
    status, mix, kept = ask(api, f"/api/v1/mixes?tracks={track_id}")
    assert status == 200 and kept.startswith("public")
    assert mix["tracks"][0]["track"]["track_id"] == track_id
    assert mix["tracks"][0]["reasons"][0] == {"because": "chosen", "words": "you chose it", "of": None}
    assert wish_of(mix["station"]) == Wish(track_ids=(track_id,))
    assert ask(api, f"/api/v1/mixes?tracks={track_id}")[1] == mix


def test_nothing_asked_for_is_the_library(api: Api) -> None:
    """No station plays just anything under such a name."""
    status, mix, _ = ask(api, "/api/v1/mixes?genre=%20&limit=2&variation=x")
    assert (status, mix["station"]) == (200, None)
    assert 1 <= len(mix["tracks"]) <= 2


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("tracks=x", "ids of tracks"),
        ("artists=../../etc", "ids of artists"),
        ("mood=sad", "calm"),
        ("energy=101", "0 to 100"),
        ("tempo=5", "20 to 399"),
        ("limit=201", "1 to 200"),
        ("tracks=&tracks=", "once"),
    ],
)
def test_what_cannot_be_asked_is_refused(api: Api, query: str, told: str) -> None:
    """400, which parameter it is, and what it can be."""
    status, error, _ = ask(api, f"/api/v1/mixes?{query}")
    assert (status, error["error"], error["where"]) == (400, "query-invalid", query.partition("=")[0])
    assert told in error["message"]


def test_a_station_is_named_after_what_it_plays(api: Api) -> None:
    """Nothing is stored: the name is all."""
    asked = {"tracks": [api.known["track_id"]], "energy": 80, "tempo_bpm": 120, "genres": ["Dub"]}
    status, station, kept = ask(api, "/api/v1/stations", {**asked, "genres": []})
    assert (status, kept) == (200, "no-store")
    wish = Wish(track_ids=(api.known["track_id"],), energy=0.8, tempo_bpm=120)
    assert wish_of(station["station_id"]) == wish
    assert station["stream"] == f"/stations/{station['station_id']}/index.m3u8"


@pytest.mark.parametrize(
    "body", [{}, {"tracks": ["x"]}, {"energy": 1.5}, {"mood": "calm"}, {"genres": [" "]}, {"genres": ["x" * 80]}]
)
def test_what_no_station_can_be_is_refused(api: Api, body: dict[str, Any]) -> None:
    """Too much, nothing, or nonsense."""
    assert ask(api, "/api/v1/stations", body)[0] in (400, 422)
