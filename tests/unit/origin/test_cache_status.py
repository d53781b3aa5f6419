"""Cache-Status by RFC 9211, and Age."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.cache_status import Tier, Trace

# RFC 8941: one item of a list, an sf-token with parameters; RFC 9211 section 2 for what they may be.
_ITEM = re.compile(
    r"segue(; hit|; fwd=(uri-miss|stale)(; fwd-status=[1-5]\d\d)?(; stored)?(; collapsed)?)"
    r"(; ttl=-?\d{1,15})?(; detail=[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*)?"
)

STEPS: list[tuple[Callable[[Trace], None], dict[str, str]]] = [
    (lambda trace: trace.hit(Tier.MEMORY), {"Cache-Status": "segue; hit; detail=memory"}),
    (lambda trace: trace.hit(Tier.DISK), {"Cache-Status": "segue; hit; detail=disk"}),
    (lambda trace: trace.hit(Tier.MEMORY, age_s=1.9), {"Cache-Status": "segue; hit; detail=memory", "Age": "1"}),
    (lambda trace: trace.hit(Tier.MEMORY, age_s=300.5, ttl_s=-296.5),
     {"Cache-Status": "segue; hit; ttl=-297; detail=memory", "Age": "300"}),
    (lambda trace: trace.asked(), {"Cache-Status": "segue; fwd=uri-miss; stored"}),
    (lambda trace: trace.asked(collapsed=True), {"Cache-Status": "segue; fwd=uri-miss; stored; collapsed"}),
    (lambda trace: trace.asked(stale=True), {"Cache-Status": "segue; fwd=stale; stored"}),
]  # fmt: skip


@pytest.mark.parametrize(("step", "headers"), STEPS)
def test_each_step_is_told(step: Callable[[Trace], None], headers: dict[str, str]) -> None:
    """One step, one header, and Age where something may change."""
    trace = Trace()
    step(trace)
    assert trace.headers(200) == headers


def test_nothing_looked_into_is_nothing_told() -> None:
    """The player's page comes from no tier."""
    assert Trace().headers(200) == {}


def test_a_failed_renewal_is_told() -> None:
    """Stale, with what stands for the store's failure; not stored, and as old as it is."""
    trace = Trace()
    trace.hit(Tier.MEMORY, age_s=1.0)
    trace.asked(stale=True)
    trace.failed(503, "storage-unavailable", age_s=61.2, ttl_s=-57.2)
    told = "segue; fwd=stale; fwd-status=503; ttl=-58; detail=storage-unavailable"
    assert trace.headers(200) == {"Cache-Status": told, "Age": "61"}


def test_the_farthest_step_is_told() -> None:
    """A playlist whose package was in memory and whose pointer had to be read is no hit; only if all waited for
    others' reads is it collapsed."""
    trace = Trace()
    trace.hit(Tier.MEMORY)
    trace.asked(collapsed=True)
    trace.hit(Tier.DISK)
    assert trace.headers(200)["Cache-Status"] == "segue; fwd=uri-miss; stored; collapsed"
    trace.asked()
    assert trace.headers(206)["Cache-Status"] == "segue; fwd=uri-miss; stored"


def test_errors_have_no_age_and_only_a_404_is_stored() -> None:
    """What is not there is remembered for a moment; failures are not."""
    trace = Trace()
    trace.asked()
    assert trace.headers(404) == {"Cache-Status": "segue; fwd=uri-miss; stored"}
    assert trace.headers(503) == {"Cache-Status": "segue; fwd=uri-miss"}
    trace = Trace()
    trace.hit(Tier.NEGATIVE)
    assert trace.headers(404) == {"Cache-Status": "segue; hit; detail=negative"}
    trace = Trace()  # the pointer is past its time, and the cover cannot be read: an error is not past its time
    trace.hit(Tier.MEMORY, age_s=6.0, ttl_s=-2.0)
    trace.asked()
    assert trace.headers(503) == {"Cache-Status": "segue; fwd=uri-miss"}


_SECONDS = st.floats(0, 1e6)
_ANY_STEP = st.one_of(
    st.builds(lambda tier, age: ("hit", tier, age), st.sampled_from(Tier), st.none() | _SECONDS),
    st.builds(lambda stale, collapsed: ("asked", stale, collapsed), st.booleans(), st.booleans()),
    st.builds(lambda age: ("failed", age, None), _SECONDS),
)


@given(st.lists(_ANY_STEP, min_size=1, max_size=5), st.sampled_from([200, 206, 304, 404, 503]))
def test_whatever_happens_is_in_the_grammar(steps: list[tuple[str, object, object]], status: int) -> None:
    """A structured field with the parameters of RFC 9211, and an Age of whole seconds."""
    trace = Trace()
    for kind, one, two in steps:
        if kind == "hit":
            trace.hit(one, age_s=two)  # type: ignore[arg-type]
        elif kind == "asked":
            trace.asked(stale=bool(one), collapsed=bool(two))
        else:
            trace.asked(stale=True)
            trace.failed(504, "deadline", age_s=one, ttl_s=-1.5)  # type: ignore[arg-type]
    headers = trace.headers(status)
    assert _ITEM.fullmatch(headers["Cache-Status"])
    assert re.fullmatch(r"\d+", headers.get("Age", "0"))
