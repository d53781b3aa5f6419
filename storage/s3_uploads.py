"""What the SDK can do but keeps to itself: uploads in parts that nobody ended (the service keeps, and bills, them) and
writes that must not replace."""

from collections.abc import Mapping
from dataclasses import dataclass

from minio import Minio

from storage.leftovers import Leftover
from storage.s3_errors import SDK_ERRORS, storage_error
from storage.workers import CancelFlag


@dataclass(frozen=True, slots=True)
class Marker:
    """Where a listing goes on."""

    key: str | None = None
    upload_id: str | None = None


def unfinished(
    client: Minio, bucket: str, prefix: str, after: Marker, flag: CancelFlag
) -> tuple[list[Leftover], Marker | None]:
    """A page of the unfinished uploads under `prefix`, and where the next one begins; None if this is the last."""
    flag.check()
    try:
        page = client._list_multipart_uploads(
            bucket, prefix=prefix, key_marker=after.key, upload_id_marker=after.upload_id, max_uploads=1000
        )
    except SDK_ERRORS as error:
        raise storage_error(error, bucket) from error
    found = [
        Leftover(
            name=each.object_name,
            size_bytes=0,
            modified_s=int(each.initiated_time.timestamp()),
            ticket=each.upload_id or "",
        )
        for each in page.uploads
        if each.object_name.startswith(prefix) and each.initiated_time  # of unknown age: perhaps at work
    ]
    return found, Marker(page.next_key_marker, page.next_upload_id_marker) if page.is_truncated else None


def give_up(client: Minio, bucket: str, leftover: Leftover, flag: CancelFlag) -> None:
    """Give up an upload; no error if it is gone."""
    flag.check()
    try:
        client._abort_multipart_upload(bucket, leftover.name, leftover.ticket)
    except SDK_ERRORS as error:
        if getattr(error, "code", "") != "NoSuchUpload":
            raise storage_error(error, leftover.name) from error


def write_if_absent(
    client: Minio, bucket: str, name: str, body: bytes, headers: Mapping[str, str], flag: CancelFlag
) -> bool:
    """Write an object under the condition that there is none (RFC 9110 §13.1.2); whether it was said to be written."""
    flag.check()
    try:
        client._execute("PUT", bucket, name, body=body, headers={**headers, "If-None-Match": "*"})
    except SDK_ERRORS as error:
        if getattr(error, "code", "") in ("PreconditionFailed", "ConditionalRequestConflict"):
            return False
        raise storage_error(error, name) from error
    return True
