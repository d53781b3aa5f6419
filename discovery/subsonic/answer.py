"""Answers of OpenSubsonic: one model, written as XML or JSON. Pure.

An element is a dict. In XML its plain values are attributes, its dicts child elements, and its lists repeated ones
(with text where the items are plain); what is called `value` is the element's own text. None is left out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

API_VERSION = "1.16.1"  # the last of Subsonic, which OpenSubsonic extends
SERVER = "segue"
JSON_TYPE = "application/json"
XML_TYPE = "application/xml"
_NAMESPACE = "http://subsonic.org/restapi"
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2

Element = Mapping[str, Any]
_NESTED = (dict, list, tuple)  # by class: an abstract one is asked ten times as long, and there are thousands of values


def succeeded(body: Element, *, server_version: str) -> Element:
    """The whole answer around `body`."""
    return _around("ok", body, server_version)


def failed(code: int, message: str, *, server_version: str) -> Element:
    """The whole answer that tells of an error; HTTP calls it a success all the same."""
    return _around("failed", {"error": {"code": code, "message": message}}, server_version)


def as_json(answer: Element) -> bytes:
    """The answer as JSON."""
    return json.dumps({"subsonic-response": _present(answer)}, ensure_ascii=False, separators=(",", ":")).encode()


def as_xml(answer: Element) -> bytes:
    """The answer as XML. Characters that XML cannot have are left out."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    _write(parts, "subsonic-response", {"xmlns": _NAMESPACE, **answer})
    return "".join(parts).encode()


def _around(status: str, body: Element, server_version: str) -> Element:
    about = {"version": API_VERSION, "type": SERVER, "serverVersion": server_version, "openSubsonic": True}
    return {"status": status, **about, **body}


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _present(each) if isinstance(each, _NESTED) else each
            for name, each in value.items()
            if each is not None
        }
    if isinstance(value, list | tuple):
        return [_present(each) for each in value]
    return value


def _write(parts: list[str], name: str, element: Any) -> None:
    if not isinstance(element, dict):
        parts.append(f"<{name}>{escape(_text(element))}</{name}>")
        return
    parts.append(f"<{name}")
    inside: list[tuple[str, Any]] = []
    for key, value in element.items():
        if isinstance(value, list | tuple):
            inside += [(key, each) for each in value]
        elif isinstance(value, dict):
            inside.append((key, value))
        elif value is not None and key != "value":
            parts.append(f" {key}={quoteattr(_text(value))}")
    parts.append(">")
    parts.append(escape(_text(element.get("value") or "")))
    for key, value in inside:
        _write(parts, key, value)
    parts.append(f"</{name}>")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _NO_XML.sub("", str(value))
