"""What an operator may tune."""

import pytest

from origin.settings import OriginSettings


def test_the_defaults_outlive_a_cdn_and_answer_before_a_client_gives_up() -> None:
    """Idle connections longer than CloudFront's 120 s; an answer inside hls.js's 10 s."""
    settings = OriginSettings()
    assert settings.keepalive_timeout_s >= 130
    assert settings.store_deadline_s < 10


@pytest.mark.parametrize(
    "wrong",
    [{"port": -1}, {"port": 65_536}, {"store_deadline_s": 0}, {"drain_s": -1}, {"read_ahead_bytes": 0}, {"backlog": 0}],
)
def test_nonsense_is_refused(wrong: dict[str, int]) -> None:
    """Settings that exist are valid."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OriginSettings(**wrong)  # type: ignore[arg-type]
