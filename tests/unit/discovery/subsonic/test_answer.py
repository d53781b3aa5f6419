"""One model, two ways to write it."""

import json
from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from discovery.subsonic.answer import as_json, as_xml, failed, succeeded

_NAME = "{http://subsonic.org/restapi}"


def test_an_answer_says_what_it_is() -> None:
    """Status, protocol and server come with every answer, errors too."""
    about = {"version": "1.16.1", "type": "segue", "serverVersion": "1.2", "openSubsonic": True}
    assert json.loads(as_json(succeeded({"a": {"b": 1}}, server_version="1.2"))) == {
        "subsonic-response": {"status": "ok", **about, "a": {"b": 1}}
    }
    assert json.loads(as_json(failed(70, "not found", server_version="1.2"))) == {
        "subsonic-response": {"status": "failed", **about, "error": {"code": 70, "message": "not found"}}
    }


def test_xml_has_attributes_elements_and_text() -> None:
    """Plain values, dicts, lists of either, and the text of an element; None is nowhere."""
    body = {"album": {"id": "x", "year": None, "new": True, "song": [{"id": 1}, {"id": 2}], "mood": ["a<b", "c"]}}
    root = ElementTree.fromstring(
        as_xml(succeeded(body | {"genre": [{"value": "Dub & Co", "n": 2}]}, server_version="1"))
    )
    assert root.tag == f"{_NAME}subsonic-response"
    assert root.attrib["status"] == "ok"
    assert root.attrib["openSubsonic"] == "true"
    album, genre = root
    assert (album.tag, album.attrib) == (f"{_NAME}album", {"id": "x", "new": "true"})
    assert [(each.tag.removeprefix(_NAME), each.attrib, each.text) for each in album] == [
        ("song", {"id": "1"}, None), ("song", {"id": "2"}, None), ("mood", {}, "a<b"), ("mood", {}, "c")
    ]  # fmt: skip
    assert (genre.attrib, genre.text) == ({"n": "2"}, "Dub & Co")


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
)
def test_any_name_can_be_written(attribute: str, text: str) -> None:
    """JSON gives it back as it was, XML without what XML cannot have."""
    body: dict[str, Any] = {"song": {"title": attribute, "value": text}}
    answer = succeeded(body, server_version="1")
    assert json.loads(as_json(answer))["subsonic-response"]["song"] == body["song"]
    song = ElementTree.fromstring(as_xml(answer))[0]
    allowed = {chr(9), chr(10), chr(13)}
    for sent, found in ((attribute, song.attrib["title"]), (text, song.text or "")):
        kept = [each for each in sent if each in allowed or (each >= " " and each not in "\ufffe\uffff")]
        assert "".join(found.split()) == "".join("".join(kept).split())
