"""From the URL that an operator gives to a store."""

from model.errors import UsageError
from storage.address import FileAddress, S3Credentials, parse_address
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.s3_limits import S3Limits

__all__ = ["S3Credentials", "describe", "open_store"]


def open_store(
    url: str,
    *,
    s3_credentials: S3Credentials | None = None,
    s3_limits: S3Limits | None = None,
    filled: bool = False,
) -> ObjectStore:
    """The store at `file:PATH` or `s3://bucket/prefix?endpoint=...`; connects to nothing yet.

    Without `s3_limits` they are those of a batch job, which had rather wait a minute than fail. `filled` says that
    there is something in it: a bare folder is then a disk that is not mounted, not an empty store.

    Raises UsageError, with a hint, for any other URL and for an S3 store without credentials.
    """
    address = parse_address(url)
    if isinstance(address, FileAddress):
        return FilesystemStore(address.path, filled=filled)
    if s3_credentials is None:
        hint = "set the access key and the secret key in the environment or in the configuration file"
        raise UsageError("no credentials for the S3 store", subject=str(address), hint=hint)
    from storage.s3 import S3Store  # noqa: PLC0415 - loading the SDK takes 0.3 s and 10 MiB that a folder has no use for

    return S3Store(address, s3_credentials, limits=s3_limits)


def describe(url: str) -> str:
    """The store's URL in full, defaults filled in, without secrets. Raises UsageError as open_store does."""
    return str(parse_address(url))
