"""Where a signed read goes: the URL that the SDK would ask."""

import pytest

from storage.address import S3Credentials, parse_address
from storage.s3 import S3Store


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("s3://music/a?endpoint=http://127.0.0.1:9000", "http://127.0.0.1:9000/music/"),
        ("s3://music/a?endpoint=https://store.example", "https://store.example/music/"),
        ("s3://music/a?endpoint=https://store.example:443", "https://store.example/music/"),
        ("s3://music/a?region=eu-west-1", "https://music.s3.eu-west-1.amazonaws.com/"),
        ("s3://my.music/a", "https://s3.us-east-1.amazonaws.com/my.music/"),
    ],
)
def test_the_bucket_is_where_the_service_wants_it(url: str, base: str) -> None:
    """In the path; on Amazon in the host, unless no certificate would fit its name."""
    address = parse_address(url)
    assert not hasattr(address, "path")
    store = S3Store(address, S3Credentials(access_key="a", secret_key="s"))
    reads = store._reads
    host, port = reads._connections._address
    scheme = "http" if reads._connections._tls is None else "https"
    assert f"{scheme}://{reads._host}{reads._path}" == base
    assert reads._host in (host, f"{host}:{port}")
