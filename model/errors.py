"""The error tree. Every error says what kind it is, about what, and what to do next.

`code` is stable and documented in docs/errors.md; `subject` names the thing (a path, a key, a track id);
the message says what happened; `hint` says what to do. The cause is kept in `__cause__`.
"""

from typing import ClassVar


class PipelineError(Exception):
    """Something outside our control went wrong; carries all that an operator needs to act."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, subject: str = "", hint: str = "") -> None:
        super().__init__(f"{message}: {subject}" if subject else message)
        self.message = message
        self.subject = subject
        self.hint = hint


class UsageError(PipelineError):
    """A flag, the configuration file or the environment is wrong."""

    code = "usage"
    exit_status = 2


class Interrupted(PipelineError):
    """The operator asked us to stop; what was finished stays finished."""

    code = "interrupted"
    exit_status = 130


class SourceError(PipelineError):
    """This one input cannot be used; the batch goes on."""

    code = "source-error"


class SourceUnreadable(SourceError):
    """The file cannot be opened or read: rights, a failing disk, not a plain file."""

    code = "source-unreadable"


class SourceVanished(SourceError):
    """The file was found, but is not there any more."""

    code = "source-vanished"


class SourceChanged(SourceError):
    """The file was written to while it was read."""

    code = "source-changed"


class SourceEmpty(SourceError):
    """The file has no bytes."""

    code = "source-empty"


class SourceTruncated(SourceError):
    """The file ends before its own header says that its audio does."""

    code = "source-truncated"


class SourceNotMusic(SourceError):
    """The bytes are text, a web page, a playlist, a program, an archive: anything but music."""

    code = "source-not-music"


class SourceImageOnly(SourceError):
    """The file holds a picture and no sound."""

    code = "source-image-only"


class SourceNoAudio(SourceError):
    """A media file without an audio stream."""

    code = "source-no-audio"


class SourceEncrypted(SourceError):
    """The audio is encrypted (DRM); nobody but its player can decode it."""

    code = "source-encrypted"


class SourceHeaderLies(SourceError):
    """The header claims what cannot be: a rate, a channel count, a size that no music has."""

    code = "source-header-lies"


class SourceUnsupported(SourceError):
    """The file is readable, but it is in a format that we do not take."""

    code = "source-unsupported"


class SourceDamaged(SourceError):
    """The audio begins, but cannot be decoded to its end, or has samples that are no numbers."""

    code = "source-damaged"


class SourceTooShort(SourceError):
    """Less audio than can be streamed."""

    code = "source-too-short"


class SourceTooLong(SourceError):
    """More audio, or a larger file, than one track may have."""

    code = "source-too-long"


class ToolError(PipelineError):
    """ffmpeg could not be used or did not do its work."""

    code = "tool-error"


class ToolMissing(ToolError):
    """No usable ffmpeg on this machine."""

    code = "tool-missing"
    exit_status = 3


class ToolFailed(ToolError):
    """The program ended with an error; the tail of its messages is kept."""

    code = "tool-failed"

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        hint: str = "",
        argv: tuple[str, ...] = (),
        exit_status_of_tool: int | None = None,
        stderr_tail: str = "",
    ) -> None:
        super().__init__(message, subject=subject, hint=hint)
        self.argv = argv
        self.exit_status_of_tool = exit_status_of_tool
        self.stderr_tail = stderr_tail


class ToolTimeout(ToolError):
    """The program did not end in its time and was stopped."""

    code = "tool-timeout"


class MediaError(PipelineError):
    """Bytes that should be ISO-BMFF or CMAF are not what the specification says."""

    code = "media-malformed"


class StorageError(PipelineError):
    """The object store could not do what was asked."""

    code = "storage-error"


class ObjectNotFound(StorageError):
    """There is no object under this key."""

    code = "object-not-found"


class RangeNotSatisfiable(StorageError):
    """The byte range starts past the end of the object."""

    code = "range-not-satisfiable"


class ObjectDamaged(StorageError):
    """An object does not have the bytes that it was stored with."""

    code = "object-damaged"


class StorageDenied(StorageError):
    """The store refused our credentials or our rights."""

    code = "storage-denied"


class StorageUnavailable(StorageError):
    """The store did not answer in time or answered that it cannot; trying again may help, `retry_after_s` from now."""

    code = "storage-unavailable"
    retryable = True

    def __init__(self, message: str, *, subject: str = "", hint: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, subject=subject, hint=hint)
        self.retry_after_s = retry_after_s


class Overloaded(PipelineError):
    """There is more to do than can be done in time; trying again a little later may help. `subject` names the limit."""

    code = "overloaded"
    retryable = True


class PlaylistError(PipelineError):
    """A playlist is not what RFC 8216 says."""

    code = "playlist-error"


class PlaylistSyntaxError(PlaylistError):
    """A line of a playlist cannot be parsed. `line` counts from 1."""

    code = "playlist-syntax"

    def __init__(self, message: str, *, line: int, subject: str = "", hint: str = "") -> None:
        super().__init__(f"line {line}: {message}", subject=subject, hint=hint)
        self.line = line


class PackageError(PipelineError):
    """A package or an ingest report in the store is not what it should be."""

    code = "package-error"


class RecordMalformed(PackageError):
    """A JSON record from the store does not have the shape it must have."""

    code = "record-malformed"


class PackageInvalid(PackageError):
    """What was (or was about to be) published breaks a rule; it was not made live."""

    code = "package-invalid"


class TrackUnknown(PackageError):
    """No such track in the store."""

    code = "track-unknown"


class LoudnessMissed(PackageError):
    """A rendition could not be brought to its level; it was not made live."""

    code = "loudness-missed"


class ProtectionError(PipelineError):
    """Keys or tokens are not what they must be. No text of it holds a secret."""

    code = "protection-error"


class KeyMissing(ProtectionError):
    """There is no key store, or it does not have the key that is asked for."""

    code = "key-missing"
    exit_status = 3


class KeyMalformed(ProtectionError):
    """A key is cut short or not a key at all."""

    code = "key-malformed"
    exit_status = 3


class KeyStoreUnsafe(ProtectionError):
    """The key store is where others than its owner can read it."""

    code = "key-store-unsafe"
    exit_status = 3


class KeyWrong(ProtectionError):
    """Something does not become media when it is decrypted with this key."""

    code = "key-wrong"


class TokenRefused(ProtectionError):
    """A request without a token that allows it. Why is told to nobody."""

    code = "token-refused"


class SearchUnavailable(PipelineError):
    """The search index cannot be asked now: it is not open yet, or too many ask at once."""

    code = "search-unavailable"
    retryable = True


class ListeningUnavailable(PipelineError):
    """Play events cannot be taken now: too many wait to be written."""

    code = "listening-unavailable"
    retryable = True


class RequestError(PipelineError):
    """The API cannot do what it was asked for. Clients read the message, and `subject`, which says where in the request
    the reason is: neither repeats what was sent, nor tells what others have."""

    code = "request-error"
    http_status: ClassVar[int] = 400


class QueryInvalid(RequestError):
    """A query parameter of a request is not what it must be."""

    code = "query-invalid"


class BodyMalformed(RequestError):
    """The body of a request is not the JSON that it says it is."""

    code = "body-malformed"


class BodyInvalid(RequestError):
    """The body of a request is JSON, but not of the shape that it must have."""

    code = "body-invalid"
    http_status = 422


class MediaTypeRefused(RequestError):
    """The body of a request is of a kind that is not taken here."""

    code = "media-type-refused"
    http_status = 415


class ListenerUnknown(RequestError):
    """A request that only a listener may make, without a key or with one that is none."""

    code = "listener-unknown"
    http_status = 401


class NotAllowed(RequestError):
    """Whoever asks is known, or need not be, and may not do this."""

    code = "not-allowed"
    http_status = 403


class ResourceUnknown(RequestError):
    """There is no such thing, or whoever asks may not know of it."""

    code = "resource-unknown"
    http_status = 404


class Conflict(RequestError):
    """Something was changed meanwhile, or is there already."""

    code = "conflict"
    http_status = 409


class ConsentMissing(RequestError):
    """The listener did not agree that what it plays is kept, so nothing is."""

    code = "consent-missing"
    http_status = 403


class PlaylistUnknown(RequestError):
    """No such playlist of a listener's, or none that this one may see."""

    code = "playlist-unknown"
    http_status = 404


class PlaylistChanged(RequestError):
    """Somebody else changed a playlist since it was read; nothing was changed."""

    code = "playlist-changed"
    http_status = 412


class PlaylistRefused(RequestError):
    """What was asked of a playlist cannot be: it is made by rules, has no such entry, or would be too large."""

    code = "playlist-refused"
    http_status = 422


class RateLimited(RequestError):
    """The client asked more often than it may. `retry_after_s` from now it may again."""

    code = "rate-limited"
    http_status = 429
    retryable = True

    def __init__(self, message: str, *, subject: str = "", hint: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, subject=subject, hint=hint)
        self.retry_after_s = retry_after_s


class ModelError(PipelineError):
    """What recommendations are made from cannot be used; the popular is recommended, or what was before."""

    code = "model-error"


class ModelMalformed(ModelError):
    """The files of a model are damaged, or not those of a model."""

    code = "model-malformed"


class PlaysTooFew(ModelError):
    """There are not enough plays to learn from."""

    code = "plays-too-few"


class EngineError(PipelineError):
    """Work that was given to other machines did not come back."""

    code = "engine-error"


class EngineUnavailable(EngineError):
    """The scheduler cannot be reached, or has no workers, or went away and did not come back."""

    code = "engine-unavailable"
    exit_status = 3


class EngineMismatch(EngineError):
    """A machine has other versions of what decides bytes."""

    code = "engine-mismatch"
    exit_status = 3


class WorkersLost(EngineError):
    """One worker after the other ended while it did the same step."""

    code = "workers-lost"


class CatalogError(PipelineError):
    """The catalog, an index that can be rebuilt, could not be opened, read or written."""

    code = "catalog-error"


class ListenerDataError(CatalogError):
    """The listeners' database, which nothing can rebuild, could not be opened, read or written."""

    code = "listener-data-error"


class ListenersUnavailable(ListenerDataError):
    """The server that has the listeners' database cannot be reached now."""

    code = "listeners-unavailable"
    retryable = True


class InspectionError(PipelineError):
    """Something of another's stream could not be looked at; the inspection goes on with the rest."""

    code = "inspection-error"


class ResourceUnavailable(InspectionError):
    """A resource that a playlist names cannot be had."""

    code = "resource-unavailable"


class InsecureServer(InspectionError):
    """A server's TLS is none that players accept; the subject is its host."""

    code = "insecure-server"


class OutOfReach(InspectionError):
    """A URI leads where an inspection does not go: another scheme, or out of the folder."""

    code = "out-of-reach"


class InspectionLimit(InspectionError):
    """There is more than one inspection reads: bytes, requests, time."""

    code = "inspection-limit"
