"""Pages for people are written whole or not at all."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from model.errors import UsageError


def write_page(target: Path, pieces: Iterable[bytes]) -> None:
    """Write a file, all or nothing; it replaces what was there. Raises UsageError if it cannot be written."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            with part.open("xb") as page:
                for piece in pieces:
                    page.write(piece)
                page.flush()
                os.fsync(page.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(target, error) from error


def unwritable(target: Path, error: OSError) -> UsageError:
    """What to say where a page cannot be written."""
    reason = (error.strerror or "unknown error").lower()
    hint = "name a file in a folder that is there, may be written to and has room"
    return UsageError(f"cannot write the report ({reason})", subject=str(target), hint=hint)
