"""The signature of a GET, beside the SDK's."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minio.credentials.credentials import Credentials
from minio.signer import sign_v4_s3
from minio.time import to_amz_date

from storage.address import S3Credentials
from storage.s3_signature import Signer

NOW = datetime(2026, 11, 26, 23, 59, 30, tzinfo=UTC)
OURS = S3Credentials(access_key="segue", secret_key="a secret/+=")


def _of_the_sdk(host: str, path: str, moment: datetime, region: str) -> dict[str, str]:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = {"Host": host, "x-amz-content-sha256": empty, "x-amz-date": to_amz_date(moment)}
    return dict(
        sign_v4_s3(
            method="GET",
            url=urlsplit(f"http://{host}{path}"),
            region=region,
            headers=headers,  # type: ignore[arg-type]
            credentials=Credentials(OURS.access_key, OURS.secret_key),
            content_sha256=empty,
            date=moment,
        )
    )


@given(
    st.from_regex(r"/[a-z0-9/._-]{1,60}", fullmatch=True).filter(lambda path: not path.startswith("//")),
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC)),
)
def test_it_is_the_sdks(path: str, moment: datetime) -> None:
    """For any key at any time."""
    signer = Signer(OURS, region="eu-west-1")
    expected = _of_the_sdk("store.example:9000", path, moment, "eu-west-1")
    assert signer.headers("store.example:9000", path, moment) == expected


@pytest.mark.parametrize("later", [timedelta(seconds=1), timedelta(minutes=1), timedelta(days=400)])
def test_the_key_of_a_day_is_not_used_on_another(later: timedelta) -> None:
    """One signer, over midnight, and back."""
    signer = Signer(OURS, region="us-east-1")
    for moment in (NOW, NOW + later, NOW):
        assert signer.headers("h", "/b/k", moment) == _of_the_sdk("h", "/b/k", moment, "us-east-1")
