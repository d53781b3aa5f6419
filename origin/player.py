"""The player's files, read once into memory: what is not in the table cannot be served."""

from pathlib import Path

from model.errors import UsageError
from origin.encoding import Document, document

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ico": "image/vnd.microsoft.icon",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_FOLDERS = ("", "vendor/")
_INDEX = "/index.html"


def load_player(root: Path, *, bytes_max: int) -> dict[str, Document]:
    """The documents of a player folder and its `vendor` folder by URL path; `/` is its index page.

    Files of other kinds, hidden files and symbolic links are left out. Blocks; raises UsageError if the folder has no
    index page or holds more than `bytes_max`.
    """
    pages = {f"/{folder}{file.name}": _page(file) for folder in _FOLDERS for file in _files(root / folder)}
    if _INDEX not in pages:
        raise UsageError("no index.html in the player's folder", subject=str(root), hint="name the folder of a player")
    if sum(page.size_bytes for page in pages.values()) > bytes_max:
        raise UsageError(f"the player is larger than {bytes_max} bytes", subject=str(root))
    return pages | {"/": pages[_INDEX]}


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix in _MEDIA_TYPES and _plain(file))


def _plain(file: Path) -> bool:
    return file.is_file() and not file.is_symlink() and not file.name.startswith(".")


def _page(file: Path) -> Document:
    return document(file.read_bytes(), media_type=_MEDIA_TYPES[file.suffix], modified_s=int(file.stat().st_mtime))
