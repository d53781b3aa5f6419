"""Every operation of the API against its own OpenAPI document, by a fuzzer that we did not write.

Operations are found in the document, so whoever adds one has it tested here. The same requests are made in every run.
What other people's players ask has no such document: its names are fuzzed.
"""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from discovery.rates import RATES, Rate
from discovery.subsonic.web import ENDPOINTS
from tests.integration.api.conftest import Api

PAGE = Path(__file__).parents[3] / "docs/api.md"
PARTS = 6  # the operations are dealt out to so many tests, which may run side by side
EXAMPLES = 10  # of each operation, good ones and bad ones
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
METHODS = {"get", "post", "put", "patch", "delete"}
# What these end by success is the means of a listener to prove itself: each request has a listener of its own.
ENDS_A_LISTENER = {("delete", "/api/v1/listeners/me"), ("post", "/api/v1/listeners/me/key")}

ALIKE = settings(
    derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
PLAYERS_ASK = re.findall(
    r"\w+",
    """id songId albumId artistId playlistId songIdToAdd songIndexToRemove name comment public query type genre size
    offset count songCount songOffset albumCount albumOffset fromYear toYear artist title time submission rating
    current position maxBitRate format estimateContentLength username callback f v c u p t s apiKey""",
)
ODD = (
    "",
    "0",
    "-1",
    "9" * 30,
    "1.5",
    "true",
    "newest",
    "json",
    "../..",
    "\0",
    "' OR 1 --",
    "a" * 20,
    "x" * 1001,
    "\ufffd<&",
)

NUMBERED = {"entry_id": "1"}  # what in paths is no id

Described = APIOperation[Any, Any, Any, Any]


def test_the_document_is_openapi(api: Api) -> None:
    """Valid, of version 3.1, of itself too; names of operations are theirs alone, and every one may be refused."""
    validate(api.document)
    assert api.document["openapi"].startswith("3.1.")
    assert "/api/v1/openapi.json" in api.document["paths"]
    described = [each for path in api.document["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in described]
    assert len(names) == len(set(names)) >= 10
    assert all("429" in each["responses"] for each in described)


def test_the_page_has_every_operation(api: Api) -> None:
    """docs/api.md has a row for each, with for whom it is and what it does. GOLDEN_UPDATE=1 writes them."""
    rows = [
        f"| `{method.upper()} {path}` | {_for_whom(each)} | {each['summary']} |"
        for path, methods in api.document["paths"].items()
        for method, each in methods.items()
    ]
    page = PAGE.read_text(encoding="utf-8")
    head, listed, rest = re.split(r"(?<=answers \|\n\|---\|---\|---\|\n)((?:\|.*\n)*)", page, maxsplit=1)
    if os.environ.get("GOLDEN_UPDATE"):
        PAGE.write_text(head + "".join(f"{row}\n" for row in rows) + rest, encoding="utf-8")
    else:
        assert listed.splitlines() == rows


def test_the_page_has_every_rate() -> None:
    """docs/api.md says what each kind of operation may."""
    page = PAGE.read_text(encoding="utf-8")
    rates = re.findall(r"^\| `([a-z-]+)`: [^|]+ \| (\d+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert {kind: Rate(int(burst), float(per_s)) for kind, burst, per_s in rates} == dict(RATES)


def _for_whom(described: dict[str, Any]) -> str:
    security = described.get("security")
    return "everyone" if security is None else "either" if {} in security else "listener"


@pytest.mark.parametrize("part", range(PARTS))
def test_answers_are_as_the_document_says(api: Api, part: int) -> None:
    """Whatever is asked, and with whatever: no 5xx, no status, type or shape that is not described."""
    for operation in _operations(api)[part::PARTS]:
        _ask(api, operation, GenerationMode.POSITIVE)
        if operation.path_parameters or operation.query or operation.body:
            _ask(api, operation, GenerationMode.NEGATIVE)


def test_what_is_there_is_answered(api: Api) -> None:
    """The public is asked for a track and an album that there are: 200, as described."""
    asked = [each for each in _operations(api) if each.method == "get" and not each.definition.raw.get("security")]
    named = [each for each in asked if {each.name for each in each.path_parameters} & set(api.known)]
    assert named
    for operation in named:
        ids = {each.name: api.known[each.name] for each in operation.path_parameters}
        case: Case[Any] = operation.Case(path_parameters=ids)
        response = case.call(timeout=60)
        case.validate_response(response, checks=CHECKS)
        assert response.status_code == 200, operation.path


def test_what_is_a_listeners_is_refused_without_a_key(api: Api) -> None:
    """401 before anything else is looked at, for every operation that says so."""
    secured = [each for each in _operations(api) if each.definition.raw.get("security")]
    assert secured
    for operation in secured:
        status, _ = _status(api, operation.method, operation.path, key="sk_nobodys")
        assert status == 401, operation.path
        if {} not in operation.definition.raw["security"]:
            assert _status(api, operation.method, operation.path)[0] == 401, operation.path


def test_no_listener_reaches_what_is_anothers(api: Api) -> None:
    """Whatever is asked with the ids of another's private playlist: there is no such thing. What she has stays as it
    is, and no answer to somebody else names it; all of them are for nobody else to keep."""
    ann, bob = (api.listeners.add()[1] for _ in range(2))
    body = {"name": "zwiebelkuchen", "track_ids": [api.known["track_id"]]}
    made = _told(api, "POST", "/api/v1/playlists", ann, body)
    _told(api, "PUT", f"/api/v1/favourites/{api.known['track_id']}", ann)
    hers = {"playlist_id": made["playlist_id"], "entry_id": 1, "track_id": api.known["track_id"]}
    before = _told(api, "GET", "/api/v1/listeners/me/export", ann)
    assert made["playlist_id"] in json.dumps(before)
    asked = [each for each in _operations(api) if each.path_parameters or each.method == "get"]
    for operation in (each for each in asked if each.definition.raw.get("security")):
        statuses = _statuses(api, operation, bob, hers)
        no_more = operation.method == "delete" and operation.path.endswith("/followed")  # what one never did: 204
        if "{playlist_id}" in operation.path and not no_more:
            assert 404 in statuses, (operation.method, operation.path)
    assert _told(api, "GET", "/api/v1/listeners/me/export", ann) == before


def _statuses(api: Api, operation: Described, key: str, ids: dict[str, Any]) -> set[int]:
    """Of some good requests about what has these ids."""
    found = set[int]()

    @settings(ALIKE, max_examples=3)
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def ask(case: Case[Any]) -> None:
        case.path_parameters = {each.name: ids[each.name] for each in operation.path_parameters}
        response = case.call(headers={"Authorization": f"Bearer {key}"}, timeout=60)
        assert "zwiebelkuchen" not in response.text
        assert {"private", "no-store"} & set(re.findall(r"[a-z-]+", response.headers["cache-control"][0]))
        found.add(response.status_code)

    ask()
    return found


def test_whatever_a_player_asks_it_can_read_the_answer(api: Api) -> None:
    """Every endpoint with any parameters: no 5xx; XML or JSON that says how it went, or where to go."""
    key, server = api.listeners.add()[1], urlsplit(api.url)
    values = st.sampled_from([*ODD, *api.known.values()]) | st.text(
        st.characters(exclude_categories=["Cs"]), max_size=9
    )
    pairs = st.lists(st.tuples(st.sampled_from(PLAYERS_ASK), values), max_size=6)

    connection = HTTPConnection(server.hostname or "", server.port, timeout=60)

    @settings(ALIKE, max_examples=300)
    @given(st.sampled_from([*ENDPOINTS, "nothing"]), pairs, st.sampled_from(["GET", "POST"]), st.booleans())
    def ask(endpoint: str, more: list[tuple[str, str]], method: str, as_json: bool) -> None:
        asked = urlencode([("apiKey", key), *([("f", "json")] if as_json else []), *more])
        form = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        path = f"/rest/{endpoint}" + ("" if form else f"?{asked}")
        connection.request(method, path, body=asked if form else None, headers=form)
        with connection.getresponse() as answer:
            text, status, kind = answer.read(), answer.status, answer.headers["Content-Type"]
        assert status in (200, 302, 303, 404), (status, path, asked)
        if status == 200 and kind.startswith("application/json"):
            assert json.loads(text)["subsonic-response"]["status"] in ("ok", "failed")
        elif status == 200:
            assert ElementTree.fromstring(text).attrib["status"] in ("ok", "failed")

    with closing(connection):
        ask()


def test_a_path_has_the_methods_that_the_document_says(api: Api) -> None:
    """405 for each other one, and Allow names those that there are."""
    for path, methods in api.document["paths"].items():
        for method in METHODS - set(methods):
            status, allowed = _status(api, method, path)
            there = {each.upper() for each in methods} | ({"HEAD"} if "get" in methods else set())
            assert (status, allowed) == (405, there | {"OPTIONS"}), (method, path)


def _operations(api: Api) -> list[Described]:
    schema = schemathesis.openapi.from_dict(api.document)
    schema.config.update(base_url=api.url)
    found = list(schema.get_all_operations())
    good = [each.ok() for each in found if isinstance(each, Ok)]
    assert len(good) == len(found)
    return good


def _ask(api: Api, operation: Described, mode: GenerationMode) -> None:
    """Some requests for an operation, always the same. What is wrong with an answer is raised."""
    key = api.listeners.add()[1]
    alone = (operation.method, operation.path) in ENDS_A_LISTENER

    @settings(ALIKE, max_examples=EXAMPLES)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        proof = {"Authorization": f"Bearer {api.listeners.add()[1] if alone else key}"}
        response = case.call(headers=proof, timeout=60)
        case.validate_response(response, checks=CHECKS)

    ask()


def _status(api: Api, method: str, path: str, *, key: str = "") -> tuple[int, set[str]]:
    """The status of a plain request with ids that nothing has, and what Allow names."""
    for word in _names(path):
        path = path.replace(f"{{{word}}}", NUMBERED.get(word, "a" * 20))
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(api.url + path, method=method.upper(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, set()
    except urllib.error.HTTPError as refused:
        with refused:
            assert json.load(refused)["error"]
            return refused.code, set(refused.headers.get("Allow", "").split(", ")) - {""}


def _told(api: Api, method: str, path: str, key: str, body: object = None) -> Any:
    """What a good request is answered with."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api.url + path, method=method, headers=headers, data=data)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def _names(path: str) -> Iterator[str]:
    return (part.partition("}")[0] for part in path.split("{")[1:])
