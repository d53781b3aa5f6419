"""What names a source: its bytes. Apart from `ingest.scan`, for the child that reads tags can do without asyncio."""

import hashlib

import aiofiles

from ingest.scan import Source, changed, plain_file, unreadable

READ_BYTES = 4 << 20


async def hash_file(source: Source, *, size_bytes: int) -> str:
    """SHA-256 of the file's bytes, in hex. Raises SourceChanged for a file of another size, else as `unreadable`."""
    digest = hashlib.sha256()
    seen = 0
    try:
        async with aiofiles.open(source.path, "rb", opener=plain_file) as file:
            while seen <= size_bytes and (piece := await file.read(READ_BYTES)):
                digest.update(piece)
                seen += len(piece)
    except OSError as error:
        raise unreadable(source, error) from error
    if seen != size_bytes:
        raise changed(source)
    return digest.hexdigest()
