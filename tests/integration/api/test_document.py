"""Every operation of the API against its own OpenAPI document, by a fuzzer that we did not write.

Operations are found in the document, so whoever adds one has it tested here. The same requests are made in every run.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from openapi_spec_validator import validate
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation

from tests.integration.api.conftest import Api

PARTS = 4  # the operations are dealt out to so many tests, which may run side by side
EXAMPLES = 12  # of each operation, in each mode
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# What these end by success are a listener's own means to prove itself: such an operation gets one for each request.
ENDS_A_LISTENER = {("DELETE", "/api/v1/listeners/me"), ("POST", "/api/v1/listeners/me/key")}


def test_the_document_is_openapi(api: Api) -> None:
    """Valid, of version 3.1, of itself too; every operation says how it is refused."""
    validate(api.document)
    assert api.document["openapi"].startswith("3.1.")
    assert "/api/v1/openapi.json" in api.document["paths"]
    names = [each["operationId"] for path in api.document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names)) >= 10
    assert all("429" in each["responses"] for path in api.document["paths"].values() for each in path.values())


@pytest.mark.parametrize("part", range(PARTS))
def test_answers_are_as_the_document_says(api: Api, part: int) -> None:
    """Whatever is asked: no 5xx, no status, type or shape that is not described. Ids that others answered are asked
    with, so that what is there is answered too; 401 without a key."""
    known = _known(api)
    key = api.listeners.add()[1]
    for operation in list(_operations(api))[part::PARTS]:
        statuses = _asked(api, operation, GenerationMode.POSITIVE, known, key)
        assert any(status < 500 for status in statuses)
        _asked(api, operation, GenerationMode.NEGATIVE, {}, key)


def _operations(api: Api) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_dict(api.document)
    schema.config.update(base_url=api.url)
    for each in schema.get_all_operations():
        yield each.ok()


def _asked(
    api: Api, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, known: dict[str, str], key: str
) -> list[int]:
    """The statuses of some requests for an operation. What is wrong with an answer is raised."""
    statuses: list[int] = []

    @seed(0)
    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        for name in set(case.path_parameters or {}) & set(known):
            case.path_parameters[name] = known[name]
        ends = (operation.method.upper(), operation.path) in ENDS_A_LISTENER
        headers = {"Authorization": f"Bearer {api.listeners.add()[1] if ends else key}"}
        response: Response = case.call(headers=headers, timeout=60)
        case.validate_response(response, checks=CHECKS)
        statuses.append(response.status_code)

    ask()
    return statuses


def _known(api: Api) -> dict[str, str]:
    """Ids by the names that paths have for them."""
    return {}
