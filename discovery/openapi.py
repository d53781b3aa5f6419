"""The OpenAPI 3.1 document of the API, made from what its operations check requests with. Pure."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from discovery.operations import JSON, Operation, Who
from discovery.parameters import Parameter
from model.errors import (
    BodyInvalid,
    BodyMalformed,
    ListenerUnknown,
    MediaTypeRefused,
    QueryInvalid,
    RateLimited,
    RequestError,
    ResourceUnknown,
)

DOCUMENT = Operation(
    method="GET", path="/api/v1/openapi.json", summary="this document, as OpenAPI 3.1", answer=dict[str, Any]
)
_VERSION = version("segue")  # looked up once: it looks through folders
_KEY = "listener"
_IF_MATCH = {
    "name": "If-Match", "in": "header", "description": "only to the version that has this entity tag",
    "schema": {"type": "string"},
}  # fmt: skip
_SCHEMAS = "#/components/schemas/{name}"

_VERSION = version("segue")  # looks into files, so not while requests wait


class Error(msgspec.Struct, frozen=True):
    """What went wrong: a code that stays, and perhaps what is wrong with the request, and where in it."""

    error: str
    message: str | msgspec.UnsetType = msgspec.UNSET
    where: str | msgspec.UnsetType = msgspec.UNSET


def openapi(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document, of itself too."""
    ordered = sorted((DOCUMENT, *operations), key=lambda each: (each.path, each.method))
    types = [kind for each in ordered for kind in (each.answer, each.body) if kind not in (None, bytes)]
    schemas, components = msgspec.json.schema_components([Error, *types], ref_template=_SCHEMAS)
    error, *of_types = schemas
    named = {id(kind): schema for kind, schema in zip(types, of_types, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for each in ordered:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, named, error)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Segue",
            "version": _VERSION,
            "summary": "tracks, albums, search and what belongs to a listener",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                _KEY: {"type": "http", "scheme": "bearer", "description": "a listener's key, which begins with sk_"}
            },
        },
    }


def statuses(operation: Operation) -> Mapping[int, str]:
    """The statuses of errors that it may be answered with, and what each means."""
    kinds: list[type[RequestError]] = [RateLimited, *operation.refusals]
    if operation.parameters:
        kinds.append(QueryInvalid)
    if operation.names:
        kinds.append(ResourceUnknown)
    if operation.who is not Who.EVERYONE:
        kinds.append(ListenerUnknown)
    found = {403: "a token of the origin's is needed, and there is none that fits", 503: "not now; try again"}
    if operation.body is not None:
        found[408] = "the body did not come in time"
        kinds += [MediaTypeRefused] if operation.body is bytes else [MediaTypeRefused, BodyMalformed, BodyInvalid]
    if operation.method in ("POST", "PUT", "PATCH"):
        found[413] = "the body is too large, or none is meant"
    for kind in kinds:
        found[kind.http_status] = _first_sentence(kind)
    return dict(sorted(found.items()))


def _operation(operation: Operation, named: Mapping[int, Any], error: Any) -> dict[str, Any]:
    refused = {"application/json": {"schema": error}}
    answers: dict[str, Any] = {str(operation.status): _answer(operation, named)}
    for status, meaning in statuses(operation).items():
        answers[str(status)] = {"description": meaning, "content": refused}
    if operation.method == "GET" and operation.kept and operation.who is not Who.LISTENER:
        answers["304"] = {"description": "what the client has is what there is"}
        answers["412"] = {"description": "what the client has is not what there is", "content": refused}
    in_path = [_in_path(operation, name) for name in operation.names]
    conditions = [_IF_MATCH] if any(kind.http_status == 412 for kind in operation.refusals) else []
    described: dict[str, Any] = {
        "operationId": _name(operation),
        "summary": operation.summary,
        "parameters": [*in_path, *map(_in_query, operation.parameters), *conditions],
        "responses": dict(sorted(answers.items())),
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body, operation.body_types, named)}
    if operation.who is not Who.EVERYONE:
        described["security"] = [{_KEY: []}] + ([{}] if operation.who is Who.EITHER else [])
    return described


def _answer(operation: Operation, named: Mapping[int, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        answer["content"] = _content(operation.answer, operation.answer_types, named)
    return answer


def _content(kind: Any, media_types: Iterable[str], named: Mapping[int, Any]) -> dict[str, Any]:
    if kind is bytes:
        return {each: {} for each in media_types}
    return {JSON: {"schema": named[id(kind)]}}


def _in_path(operation: Operation, name: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^{operation.form(name)}$"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(parameter: Parameter) -> dict[str, Any]:
    return {"name": parameter.name, "in": "query", "description": parameter.help, **parameter.described()}


def _name(operation: Operation) -> str:
    return "_".join([operation.method.lower(), *re.findall(r"\w+", operation.path.removeprefix("/api/v1/"))])


def _first_sentence(kind: type[RequestError]) -> str:
    said = " ".join((kind.__doc__ or "").split())
    return said.partition(". ")[0].rstrip(".")
