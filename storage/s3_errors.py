"""What the S3 SDK, its HTTP client and ours raise, and what the service answers, as errors of the store."""

import re
import ssl
from xml.etree.ElementTree import ParseError

from aiohttp import ClientError, ClientSSLError
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, SSLError

from model.errors import ObjectNotFound, RangeNotSatisfiable, StorageDenied, StorageError, StorageUnavailable

SDK_ERRORS = (MinioException, HTTPError, OSError, ValueError, ParseError)
HTTP_ERRORS = (ClientError, OSError)  # OSError: TimeoutError is one

_ERROR_PARTS = {part: re.compile(rf"<{part}>([^<]{{1,500}})</{part}>") for part in ("Code", "Message")}

_DENIED = {
    "AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken", "AllAccessDisabled",
    "AccountProblem", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed",
}  # fmt: skip
_BUSY = {
    "SlowDown", "SlowDownRead", "SlowDownWrite", "InternalError", "ServiceUnavailable", "RequestTimeout", "ServerBusy",
    "OperationAborted", "NoSuchUpload", "BadDigest", "IncompleteBody", "XMinioServerNotInitialized",
}  # fmt: skip
_BUSY_STATUS = {408, 429, 500, 502, 503, 504, 507}


def storage_error(error: Exception, subject: str) -> StorageError:
    """Our error for one of SDK_ERRORS or HTTP_ERRORS about the object (or prefix) `subject`."""
    match error:
        case S3Error():
            known = _service_error(error.code or "", error.response.status, error.message or "", subject)
            return _after(error.response.headers.get("Retry-After"), known)
        case ServerError():
            return _status_error(error.status_code, f"status {error.status_code}", subject)
        case InvalidResponseError():
            return _without_code(getattr(error, "_code", 0), subject)  # the SDK shows it nowhere else
        case SSLError() | ClientSSLError() | ssl.SSLError():
            hint = "check the endpoint, its certificate, and whether it speaks https at all"
            return StorageError(f"no secure connection to the S3 service ({error})", subject=subject, hint=hint)
        case HTTPError() | ClientError() | OSError():
            hint = "check that the endpoint is right and the service is running"
            text = str(error) or type(error).__name__
            return StorageUnavailable(f"the S3 service did not answer ({text})", subject=subject, hint=hint)
        case _:
            return _not_s3(f"{type(error).__name__}: {error}", subject)


def answered_error(status: int, body: bytes, subject: str, *, retry_after: str | None = None) -> StorageError:
    """Our error for an answer with this status, which is none that was hoped for, and the first bytes of its body."""
    text = body.decode("utf-8", "replace")
    code, message = (found.group(1) if (found := part.search(text)) else "" for part in _ERROR_PARTS.values())
    error = _service_error(code, status, message, subject) if code else _without_code(status, subject)
    return _after(retry_after, error)


def no_bucket(bucket: str) -> StorageError:
    """The bucket of the store is not there."""
    return StorageError("no such bucket", subject=bucket, hint="create the bucket, or correct the store's URL")


def _after(retry_after: str | None, error: StorageError) -> StorageError:
    """The same error, with the seconds that the service asks us to wait; a date, which S3 does not send, is ignored."""
    if isinstance(error, StorageUnavailable) and retry_after and re.fullmatch(r"\d{1,6}", retry_after):
        error.retry_after_s = float(retry_after)
    return error


def _service_error(code: str, status: int, message: str, subject: str) -> StorageError:
    text = f"{code}: {message}" if message else code
    if code in ("NoSuchKey", "NoSuchVersion"):
        hint = "list what the store holds under the folder of this key"
        return ObjectNotFound("no such object", subject=subject, hint=hint)
    if code == "NoSuchBucket":
        return StorageError(f"no such bucket ({text})", subject=subject, hint="create it, or correct the store's URL")
    if code == "InvalidRange":
        return RangeNotSatisfiable("the range starts at or past the end of the object", subject=subject)
    if code == "RequestTimeTooSkewed":
        return StorageDenied(f"the S3 service refused ({text})", subject=subject, hint="set this machine's clock")
    if code in _DENIED:
        return _denied(text, subject)
    if code in _BUSY:
        return _busy(text, subject)
    return _status_error(status, text, subject)


def _status_error(status: int, text: str, subject: str) -> StorageError:
    if status in _BUSY_STATUS:
        return _busy(text, subject)
    if status in (401, 403):
        return _denied(text, subject)
    if status == 416:
        return RangeNotSatisfiable("the range starts at or past the end of the object", subject=subject)
    hint = "the service does not do what the store needs of S3; see docs/storage-compat.md"
    return StorageError(f"the S3 service answered {text}", subject=subject, hint=hint)


def _without_code(status: int, subject: str) -> StorageError:
    """An answer that is not S3's XML: a proxy's error page, most often."""
    if status in _BUSY_STATUS or status in (401, 403, 416):
        return _status_error(status, f"status {status}", subject)
    return _not_s3(f"status {status}, not an error of S3", subject)


def _not_s3(text: str, subject: str) -> StorageError:
    hint = "check that the endpoint is the S3 port of the service and not another of its ports or a proxy"
    return StorageError(f"the answer is not S3's ({text})", subject=subject, hint=hint)


def _denied(text: str, subject: str) -> StorageDenied:
    hint = "check access key, secret key and what they may do in this bucket"
    return StorageDenied(f"the S3 service refused ({text})", subject=subject, hint=hint)


def _busy(text: str, subject: str) -> StorageUnavailable:
    return StorageUnavailable(f"the S3 service cannot answer now ({text})", subject=subject, hint="try again later")
