"""Where a store is: `file:PATH` or `s3://bucket/prefix?endpoint=http://host:port&region=name`."""

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from model.errors import UsageError
from storage.keys import is_key

DEFAULT_ENDPOINT = "https://s3.amazonaws.com"
DEFAULT_REGION = "us-east-1"
FORMS = "write file:PATH or s3://bucket/prefix?endpoint=http://host:port&region=name"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[A-Za-z0-9-]+")
_QUERY_KEYS = ("endpoint", "region")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Credentials:
    """Who we are to an S3 service. The secret is in no text that this makes of itself."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileAddress:
    """A folder."""

    path: Path

    def __str__(self) -> str:
        return f"file:{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Address:
    """A prefix (without slashes at its ends, may be empty) in a bucket of the service at `endpoint` (host and port)."""

    bucket: str
    prefix: str = ""
    endpoint: str
    secure: bool
    region: str = DEFAULT_REGION

    def __str__(self) -> str:
        scheme = "https" if self.secure else "http"
        return f"s3://{self.bucket}/{self.prefix}?endpoint={scheme}://{self.endpoint}&region={self.region}"


def parse_address(url: str) -> FileAddress | S3Address:
    """The address that `url` spells; UsageError for anything else. Everything after `file:` is the path, as it is."""
    if url.startswith("file:"):
        return _file_address(url.removeprefix("file:"))
    if url.startswith("s3:"):
        return _s3_address(url)
    scheme = url.partition(":")[0]
    if scheme == url or "/" in scheme:
        raise UsageError("the store is not a URL", subject=url, hint=f"for a folder write file:{url}")
    raise UsageError("no such kind of store", subject=ascii(scheme), hint=FORMS)


def _file_address(path: str) -> FileAddress:
    if path.startswith("//"):
        path = path.removeprefix("//")
        if not path.startswith("/"):
            hint = f"for a relative path write file:{path}, for an absolute one file:///{path}"
            raise UsageError("a file store is on this machine and has no host", subject=path.split("/")[0], hint=hint)
    if not path or "\0" in path:
        raise UsageError("the store has no path", subject="file:", hint="write file:PATH")
    # POSIX lets `//` at the start mean something else than `/`; here it does not.
    return FileAddress(Path("/" + path.lstrip("/") if path.startswith("/") else path))


def _s3_address(url: str) -> S3Address:
    parts = _split(url)
    prefix = parts.path.strip("/")
    options = _options(parts.query)
    region = options.get("region", DEFAULT_REGION)
    if not _BUCKET.fullmatch(parts.netloc):
        hint = "3 to 63 lower-case letters, digits, dots and hyphens: s3://bucket/prefix"
        raise UsageError("not a bucket name", subject=ascii(parts.netloc), hint=hint)
    if prefix and not is_key(prefix):
        raise UsageError("not a prefix of keys", subject=ascii(prefix), hint="words joined by '/'")
    if not _REGION.fullmatch(region):
        raise UsageError(
            "not a region", subject=ascii(region), hint=f"such as {DEFAULT_REGION}, also for most services"
        )
    host, secure = _endpoint(options.get("endpoint", DEFAULT_ENDPOINT))
    return S3Address(bucket=parts.netloc, prefix=prefix, endpoint=host, secure=secure, region=region)


def _split(url: str) -> SplitResult:
    """The parts of a URL. What it says is not repeated in an error where it could hold a secret."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is no number
    except ValueError as error:
        raise UsageError(f"not a URL ({error})", hint=FORMS) from error
    if "@" in parts.netloc:
        hint = "take them out of the URL; the environment or the configuration file is their place"
        raise UsageError("a store's URL holds no credentials", hint=hint)
    if parts.fragment:
        raise UsageError("a store's URL has no #fragment", subject=ascii(parts.fragment), hint=FORMS)
    return parts


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _QUERY_KEYS:
            near = get_close_matches(key, _QUERY_KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(_QUERY_KEYS)}"
            raise UsageError("unknown option in the store's URL", subject=ascii(key), hint=hint)
        if key in options:
            raise UsageError("given twice in the store's URL", subject=key, hint="leave one")
        options[key] = value
    return options


def _endpoint(endpoint: str) -> tuple[str, bool]:
    parts = _split(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise UsageError("not an endpoint", subject=ascii(endpoint), hint="write endpoint=http://host:port")
    return parts.netloc, parts.scheme == "https"
